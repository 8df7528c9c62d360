"""Engines whose every wait is bounded: connect, pool, statement, lock, a peer that vanished.

Works in plain threads and under gevent with psycogreen. Holds no session and no query; a deadline over a whole job
is the business of its caller (docs/decisions/0003-database-deadlines.md).
"""

import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import psycopg2
import psycopg2.extensions
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER: Final = "postgresql+psycopg2"
ACCEPTED_SCHEMES: Final = frozenset({"postgres", "postgresql", DRIVER})
EXPECTED: Final = "postgresql://user:password@host:port/name"

POOL_RECYCLE_S: Final = 1800
KEEPALIVE_IDLE_S: Final = 20
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_COUNT: Final = 3
TCP_USER_TIMEOUT_MS: Final = 10_000
IDLE_IN_TRANSACTION_MS: Final = 15_000
MIN_LIBPQ_CONNECT_TIMEOUT_S: Final = 2
"""libpq treats 1 as 2 and takes whole seconds only."""


def normalise_url(url: str) -> str:
    """The same database as a URL that names our driver.

    `postgres://` (Heroku's spelling) and `postgresql://` are accepted: SQLAlchemy refuses the first and would choose
    another driver for the second.

    Raises: ValueError naming what is wrong; never the password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in ACCEPTED_SCHEMES:
        raise ValueError(f"a database URL begins with postgresql:// or postgres://, not with {scheme[:20]!r}")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The parser's own message repeats the whole URL, and with it the password.
        raise ValueError(
            "the database URL cannot be read: expected postgresql://user:password@host:port/name"
        ) from error
    if not parsed.database:
        raise ValueError("the database URL names no database: expected postgresql://user:password@host:port/name")
    return parsed.set(drivername=DRIVER).render_as_string(hide_password=False)


def make_engine(
    url: str,
    pool_size: int = 4,
    *,
    max_overflow: int = 0,
    pool_timeout_s: float = 2.0,
    connect_timeout_s: float = 2.0,
    statement_timeout_ms: int = 5000,
    lock_timeout_ms: int = 2000,
    application_name: str = "media-ws-ai",
    connection_factory: type[psycopg2.extensions.connection] | None = None,
    before_connect: Callable[[], None] | None = None,
) -> Engine:
    """An engine; no connection is made yet. Create it after a fork, or dispose of it there.

    Args:
        url: any spelling that `normalise_url` takes.
        statement_timeout_ms, lock_timeout_ms: enforced by the server on each statement; 0 means none.
        connection_factory: class of the raw connections.
        before_connect: called before each new connection; what it raises ends the attempt.

    Raises: ValueError for a URL that is none. Later, at use: sqlalchemy.exc.OperationalError, and
        sqlalchemy.exc.TimeoutError when the pool stays empty.
    """
    parsed = make_url(normalise_url(url))
    options = (
        f"-c statement_timeout={statement_timeout_ms} -c lock_timeout={lock_timeout_ms} "
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS}"
    )
    parameters = _connect_parameters(parsed)
    parameters["options"] = f"{parameters.get('options', '')} {options}".strip()
    defaults = {
        "connect_timeout": max(MIN_LIBPQ_CONNECT_TIMEOUT_S, round(connect_timeout_s)),
        "application_name": application_name,
        "keepalives": 1,
        "keepalives_idle": KEEPALIVE_IDLE_S,
        "keepalives_interval": KEEPALIVE_INTERVAL_S,
        "keepalives_count": KEEPALIVE_COUNT,
        "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
    }
    for name, value in defaults.items():
        parameters.setdefault(name, value)
    if connection_factory is not None:
        parameters["connection_factory"] = connection_factory

    def create() -> psycopg2.extensions.connection:
        if before_connect is not None:
            before_connect()
        return _connect(parameters, connect_timeout_s)

    return create_engine(
        parsed,
        creator=create,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=pool_timeout_s,
        pool_recycle=POOL_RECYCLE_S,
        pool_pre_ping=True,
        pool_use_lifo=True,
        # Callers' words and numbers are parameters; errors are logged.
        hide_parameters=True,
        # Would ask the server for a type that no table of ours has, once per connection.
        use_native_hstore=False,
    )


def _connect_parameters(url: URL) -> dict[str, Any]:
    """The URL as keywords of `psycopg2.connect`."""
    parameters: dict[str, Any] = url.translate_connect_args(username="user", database="dbname")
    parameters.update(url.query)
    return parameters


def _connect(parameters: dict[str, Any], timeout_s: float) -> psycopg2.extensions.connection:
    gevent = _gevent_in_charge()
    if gevent is None:
        return _opened(parameters)
    # Under a wait callback libpq's connect_timeout is not honoured, and libpq resolves names itself, blocking every
    # greenlet of the process: gevent's resolver does it beforehand, and gevent's clock cuts the whole.
    limit = gevent.Timeout(timeout_s)
    limit.start()
    try:
        return _opened(_resolved(parameters))
    except gevent.Timeout as timeout:
        if timeout is not limit:
            raise
        raise psycopg2.OperationalError(f"no connection to the database within {timeout_s:g} s") from None
    except OSError as error:
        raise psycopg2.OperationalError(f"the database's host name does not resolve: {error}") from error
    finally:
        limit.close()


def _opened(parameters: dict[str, Any]) -> psycopg2.extensions.connection:
    connection: psycopg2.extensions.connection = psycopg2.connect(**parameters)
    return connection


def _gevent_in_charge() -> Any:
    """The gevent package when it is imported, has patched sockets, and psycopg2 waits through it; otherwise None."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("socket"):
        return None
    if psycopg2.extensions.get_wait_callback() is None:
        return None
    return sys.modules.get("gevent")


def _resolved(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with `hostaddr`, so that libpq need not resolve; `host` stays, certificates are checked by it."""
    host = str(parameters.get("host") or "")
    if not host or host.startswith(("/", "@")) or "," in host or "hostaddr" in parameters:
        return parameters
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[4][0]) for address in found))
    return {**parameters, "host": ",".join([host] * len(addresses)), "hostaddr": ",".join(addresses)}
