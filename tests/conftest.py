"""What all tests share: hypothesis profiles, a real PostgreSQL per session, `eventually`.

eventually           the function of tests/waiting.py
database_url         a migrated database of the test's own
empty_database_url   one without tables
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from gevent import monkey
from hypothesis import HealthCheck, settings

from media_ws_ai.embedded import Server
from tests import waiting

settings.register_profile(
    "ci",
    derandomize=True,
    print_blob=True,
    deadline=None,  # a shared machine is slow at times; time is judged by the benches
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fuzz", parent=settings.get_profile("ci"), derandomize=False, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

if monkey.is_module_patched("socket"):  # as in the worker: else one query stops every greenlet
    from psycogreen.gevent import patch_psycopg

    patch_psycopg()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what it runs in the background, and every child inherits it: Ctrl-C would be heard by none.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_numbers = count(1)


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    return waiting.eventually


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The session's server; tests want `database_url`."""
    folder = Path(tempfile.mkdtemp(prefix="media-ws-ai-tests-"))
    folder.chmod(0o711)  # as root the server runs as nobody, who must cross this
    server = Server(folder / "postgres", durable=False)
    try:
        yield server.start()
    finally:
        server.remove()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated(postgres_url: str) -> str:
    """Name of a database with all tables, to copy from."""
    from scheduling import migrations

    _order(postgres_url, "CREATE DATABASE migrated")
    migrations.upgrade(_other(postgres_url, "migrated"))
    return "migrated"


@pytest.fixture
def database_url(postgres_url: str, migrated: str) -> Iterator[str]:
    with _database(postgres_url, migrated) as url:
        yield url


@pytest.fixture
def poor_url(database_url: str) -> str:
    """The same database, seen by one who may connect and read no table of ours (SQLSTATE 42501)."""
    return f"{database_url}?options=-c%20role%3Dpg_monitor"


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    with _database(postgres_url, "template1") as url:
        yield url


@contextmanager
def _database(postgres_url: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _order(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield _other(postgres_url, name)
    finally:
        _order(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def _order(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _other(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
