"""`media-ws-ai run`: database, stand-in model (without a key), worker, a first call; then it stays up until Ctrl-C.

It owns what it starts: on Ctrl-C or SIGTERM the worker drains, then everything ends; killed, it takes everything with
it. Nothing is decided here that the worker decides.
"""

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Final

import click

from media_ws_ai.cli.call import CallFailed, place_demo_call
from media_ws_ai.cli.children import Child
from media_ws_ai.embedded import EmbeddedError, Server, default_data_dir

UP_S: Final = 30.0
DEVELOPMENT_DRAIN_S: Final = "6"
LOOK_S: Final = 0.5


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
    env["PORT"] = str(port or int(env.get("PORT") or 5000))
    with ExitStack() as stack:
        try:
            _start(env, stack, call, once)
        except KeyboardInterrupt:
            click.echo("\nStopping: calls are given a moment to end …")
    click.echo("Stopped; nothing is left running.")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _start(env: dict[str, str], stack: ExitStack, call: bool | None, once: bool) -> None:
    began = time.monotonic()
    port = int(env["PORT"])
    _check_port(port)
    if not env.get("DATABASE_URL"):
        env["DATABASE_URL"] = stack.enter_context(_embedded())
    _prepare(env["DATABASE_URL"])
    is_stand_in = not env.get("OPENAI_API_KEY")
    if is_stand_in:
        env["OPENAI_REALTIME_URL"] = stack.enter_context(_stand_in())
        env["OPENAI_API_KEY"] = "stand-in"
    worker = stack.enter_context(_worker(env, port))
    click.echo(f"The stack is up after {time.monotonic() - began:.1f} s: http://127.0.0.1:{port}/\n")
    if call if call is not None else is_stand_in:
        _first_call(port)
    if once:
        return
    click.echo(_next_steps(port, is_stand_in))
    while worker.wait(LOOK_S) is None:
        pass
    raise click.ClickException(f"the worker ended with status {worker.exit_status()}; its log above says why")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  the same address that gunicorn will bind
        except OSError as error:
            raise click.ClickException(
                f"port {port} is taken ({error.strerror}): end the program that has it, or choose another: "
                f"PORT={port + 1} make run"
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

    from media_ws_ai.store.database import Database, DatabaseUnavailable
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
    except DatabaseUnavailable as error:
        raise click.ClickException(f"the database does not answer: {error}") from error
    lines = [] if known else seed(url)
    click.echo(f"Businesses {known or len(lines)}{': ' + '; '.join(lines) if lines else ''}")


@contextmanager
def _stand_in() -> Iterator[str]:
    from media_ws_ai.peers.model.process import ModelPeer

    with ModelPeer() as peer:
        click.echo("Model      the stand-in: OPENAI_API_KEY is not set, so a scripted model answers on this machine")
        yield peer.url


@contextmanager
def _worker(env: dict[str, str], port: int) -> Iterator[Child]:
    argv = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:app"]
    child = Child("worker", argv, env)
    drain_s = float(env.get("DRAIN_S") or 25)
    try:
        _await_health(child, port)
        yield child
    finally:
        child.end(drain_s + 5)


def _await_health(child: Child, port: int) -> None:
    until = time.monotonic() + UP_S
    while time.monotonic() < until:
        status = child.wait(0.1)
        if status is not None:
            raise click.ClickException(f"the worker did not start (status {status}); the lines above say why")
        if _is_healthy(port):
            return
    raise click.ClickException(f"the worker did not answer on port {port} within {UP_S:.0f} s")


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _first_call(port: int) -> None:
    click.echo("A first call, placed by the carrier's stand-in:\n")
    token = os.environ.get("TWILIO_AUTH_TOKEN", "")
    try:
        place_demo_call(
            f"http://127.0.0.1:{port}",
            public_url=os.environ.get("PUBLIC_URL", ""),
            token=token,
            echo=click.echo,
            is_tty=sys.stdout.isatty(),
        )
    except CallFailed as error:
        click.secho(f"The first call failed: {error.message}", fg="red", err=True)


def _next_steps(port: int, is_stand_in: bool) -> str:
    key = "export OPENAI_API_KEY=…        then `make run` again: the real model answers" if is_stand_in else ""
    return f"""
It stays up; Ctrl-C ends it.
  look           http://127.0.0.1:{port}/
  call again     .venv/bin/media-ws-ai call --url http://127.0.0.1:{port}
  your voice     .venv/bin/media-ws-ai call --url http://127.0.0.1:{port} --wav FILE.wav
  your business  .venv/bin/media-ws-ai db seed --file business.json
A real number
  1. {key or "OPENAI_API_KEY is set: the real model answers"}
  2. make port {port} reachable by https (a tunnel will do) and export PUBLIC_URL=https://…
  3. export TWILIO_ACCOUNT_SID=… TWILIO_AUTH_TOKEN=… and `make run` again
  4. in the Twilio console, set your number's "A call comes in" to PUBLIC_URL/twilio/voice (POST)
README.md, "The first real phone number", goes through it in ten minutes.
"""
