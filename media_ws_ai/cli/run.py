"""`media-ws-ai run`: database, stand-in model (without a key), worker, a first call; then it stays up until Ctrl-C.

It owns what it starts: on Ctrl-C or SIGTERM the worker drains, then everything ends; killed, it takes everything with
it. Nothing is decided here that the worker decides.
"""

import errno
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from media_ws_ai.cli.call import CallFailed, place_demo_call
from media_ws_ai.cli.children import Child
from media_ws_ai.config import Settings, load
from media_ws_ai.embedded import EmbeddedError, Server, default_data_dir
from media_ws_ai.errors import SettingsError

if TYPE_CHECKING:
    from media_ws_ai.peers.model.process import ModelPeer

UP_S: Final = 30.0
DEVELOPMENT_DRAIN_S: Final = "6"
LOOK_S: Final = 0.5
EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104  compared with, not bound
OUR_DATABASE: Final = "postgresql://127.0.0.1/embedded"
"""Stands for the URL that the embedded server will have, while the other settings are checked."""


@click.command()
@click.option("--port", type=int, help="Port of the worker (default: PORT, or 5000).")
@click.option("--call/--no-call", default=None, help="Place a first call (default: with the stand-in model only).")
@click.option("--once", is_flag=True, help="End after the first call instead of staying up.")
def run(port: int | None, call: bool | None, once: bool) -> None:
    """Start everything here; place a first call; stay up."""
    signal.signal(signal.SIGTERM, _interrupt)
    env = dict(os.environ)
    env.setdefault("ENV", "development")
    if env["ENV"] == "development":
        env.setdefault("DRAIN_S", DEVELOPMENT_DRAIN_S)
    if port is not None:
        env["PORT"] = str(port)
    settings = _checked(env)
    with ExitStack() as stack:
        try:
            _start(settings, env, stack, call, once)
        except KeyboardInterrupt:
            click.echo("\nStopping: calls are given a moment to end …")
    click.echo("Stopped; nothing is left running.")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _checked(env: dict[str, str]) -> Settings:
    """The worker's settings, before anything is started. The database may be ours, whose URL is not known yet."""
    try:
        return load({**env, "DATABASE_URL": env.get("DATABASE_URL", "").strip() or OUR_DATABASE})
    except SettingsError as error:
        raise click.ClickException(f"the settings cannot work:\n{error}") from error


def _start(settings: Settings, env: dict[str, str], stack: ExitStack, call: bool | None, once: bool) -> None:
    began = time.monotonic()
    port = settings.port
    _check_port(settings)
    if not env.get("DATABASE_URL", "").strip():
        env["DATABASE_URL"] = stack.enter_context(_embedded())
    _prepare(env["DATABASE_URL"].strip())
    model = None
    if not settings.openai_api_key:
        model = stack.enter_context(_stand_in())
        env["OPENAI_REALTIME_URL"] = model.url
        env["OPENAI_API_KEY"] = "stand-in"
    worker = stack.enter_context(_worker(env, settings))
    ours = f"http://{_reachable_host(settings)}:{port}"
    click.echo(f"The stack is up after {time.monotonic() - began:.1f} s: {ours}/\n")
    if call if call is not None else model is not None:
        _first_call(ours)
    if not once:
        click.echo(_next_steps(ours, port, model is not None))
    _stay(worker, model, once)


def _stay(worker: Child, model: "ModelPeer | None", once: bool) -> None:
    """Until Ctrl-C, or one look when `once`. Raises click.ClickException when a part has ended by itself."""
    while True:
        if model is not None and not model.is_running:
            said = model.stderr().strip().splitlines()
            why = f": {said[-1]}" if said else ""
            raise click.ClickException(f"the stand-in model ended by itself{why}; no call can be answered")
        if worker.exit_status() is not None:
            raise click.ClickException(f"the worker ended with status {worker.exit_status()}; its log above says why")
        if once:
            return
        worker.wait(LOOK_S)


def _reachable_host(settings: Settings) -> str:
    """Where a client on this machine finds the worker."""
    if settings.host in EVERY_ADDRESS:
        return "127.0.0.1"
    return f"[{settings.host}]" if ":" in settings.host else settings.host


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))  # the same address that gunicorn will bind
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise click.ClickException(f"HOST={settings.host} cannot be listened on: {error.strerror}") from error
            raise click.ClickException(
                f"port {settings.port} is taken ({error.strerror}): end the program that has it, or choose another: "
                f"PORT={settings.port + 1} make run"
            ) from error


@contextmanager
def _embedded() -> Iterator[str]:
    server = Server(default_data_dir())
    try:
        was_there = server.is_running()
        url = server.start()
    except EmbeddedError as error:
        raise click.ClickException(f"the embedded PostgreSQL does not start: {error}") from error
    click.echo(f"Database   embedded PostgreSQL, {'found running' if was_there else 'started'}: {server.data_path}")
    try:
        yield url
    finally:
        server.stop()


def _prepare(url: str) -> None:
    """Tables, and the demo businesses where there are none yet."""
    from sqlalchemy import func, select
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    from media_ws_ai.store.database import Database, DatabaseUnavailable, first_line
    from media_ws_ai.store.models import BusinessRow
    from media_ws_ai.store.seed import seed
    from scheduling import migrations

    try:
        migrations.upgrade(url)
        database = Database(url)
        try:
            known = database.run(lambda session: session.scalar(select(func.count()).select_from(BusinessRow)), 5.0)
        finally:
            database.close()
        lines = [] if known else seed(url)
    except ValueError as error:
        raise click.ClickException(f"DATABASE_URL: {error}") from error
    except (DatabaseUnavailable, SQLAlchemyError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        raise click.ClickException(f"the database does not do it: {first_line(cause)}") from error
    click.echo(f"Businesses {known or len(lines)}{': ' + '; '.join(lines) if lines else ''}")


@contextmanager
def _stand_in() -> "Iterator[ModelPeer]":
    from media_ws_ai.peers.model.process import ModelPeer

    with ModelPeer() as peer:
        click.echo("Model      the stand-in: OPENAI_API_KEY is not set, so a scripted model answers on this machine")
        yield peer


@contextmanager
def _worker(env: dict[str, str], settings: Settings) -> Iterator[Child]:
    argv = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:app"]
    child = Child("worker", argv, env)
    try:
        _await_health(child, _reachable_host(settings).strip("[]"), settings.port)
        yield child
    finally:
        child.end(settings.drain_s + 5)


def _await_health(child: Child, host: str, port: int) -> None:
    until = time.monotonic() + UP_S
    while time.monotonic() < until:
        status = child.wait(0.1)
        if status is not None:
            raise click.ClickException(f"the worker did not start (status {status}); the lines above say why")
        if _is_healthy(host, port):
            return
    raise click.ClickException(f"the worker did not answer on port {port} within {UP_S:.0f} s")


def _is_healthy(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _first_call(ours: str) -> None:
    click.echo("A first call, placed by the carrier's stand-in:\n")
    token = os.environ.get("TWILIO_AUTH_TOKEN", "")
    try:
        place_demo_call(
            ours,
            public_url=os.environ.get("PUBLIC_URL", ""),
            token=token,
            echo=click.echo,
            is_tty=sys.stdout.isatty(),
        )
    except CallFailed as error:
        click.secho(f"The first call failed: {error.message}", fg="red", err=True)


def _next_steps(ours: str, port: int, is_stand_in: bool) -> str:
    key = "export OPENAI_API_KEY=…        then `make run` again: the real model answers" if is_stand_in else ""
    return f"""
It stays up; Ctrl-C ends it.
  look           {ours}/
  call again     .venv/bin/media-ws-ai call --url {ours}
  your voice     .venv/bin/media-ws-ai call --url {ours} --wav FILE.wav
  your business  .venv/bin/media-ws-ai db seed --file business.json
A real number
  1. {key or "OPENAI_API_KEY is set: the real model answers"}
  2. make port {port} reachable by https (a tunnel will do) and export PUBLIC_URL=https://…
  3. export TWILIO_ACCOUNT_SID=… TWILIO_AUTH_TOKEN=… and `make run` again
  4. in the Twilio console, set your number's "A call comes in" to PUBLIC_URL/twilio/voice (POST)
README.md, "The first real phone number", goes through it in ten minutes.
"""
