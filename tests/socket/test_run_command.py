"""`media-ws-ai run` when it cannot: a sentence and status 1, and nothing was started."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from media_ws_ai.cli import run as rooms
from media_ws_ai.peers.model.process import ModelPeer
from tests.waiting import eventually

REFUSING = "postgresql://hidden:hidden@127.0.0.1:1/none"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs it, where starting anything is a failure of the test."""

    def start(*_: object, **__: object) -> None:
        raise AssertionError("something was started")

    for name in ("Server", "Child"):
        monkeypatch.setattr(rooms, name, start)
    before = signal.getsignal(signal.SIGTERM)

    def invoke(*arguments: str, **env: str) -> Result:
        whole = {"ENV": "development", "PORT": str(free_port()), "HOST": "127.0.0.1", "OPENAI_API_KEY": "key", **env}
        result = CliRunner().invoke(rooms.run, list(arguments), env=whole)
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output and "hidden" not in result.output
        return result

    yield invoke
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "abc", "PORT is 'abc', which is no number"),
        ("DATABASE_URL", "mysql://hidden:hidden@h/d", "DATABASE_URL is 'mysql://h'; it must begin with postgres://"),
        ("DATABASE_URL", "postgresql://hidden:hidden@h", "names no database"),
        ("DATABASE_URL", REFUSING, "refused"),
        ("WEB_CONCURRENCY", "two", "WEB_CONCURRENCY is 'two', which is no number"),
        ("HOST", "no host", "HOST is 'no host'"),
        ("HOST", "192.0.2.1", "HOST=192.0.2.1 cannot be listened on"),
        ("DRAIN_S", "soon", "DRAIN_S is 'soon'"),
        ("ENV", "production", "TWILIO_AUTH_TOKEN is not set"),
    ],
)
def test_what_cannot_work_is_a_sentence(refused: Any, name: str, value: str, says: str) -> None:
    assert says in refused(**{name: value}).output


def test_all_faults_at_once_and_the_option_as_well(refused: Any) -> None:
    told = refused("--port", "70000", DATABASE_URL="mysql://h/d", WEB_CONCURRENCY="two").output
    for name in ("PORT", "DATABASE_URL", "WEB_CONCURRENCY"):
        assert f"{name} is " in told


def test_a_port_that_is_taken_says_so(refused: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is taken" in refused(PORT=str(port)).output


class Running:
    """A worker that runs on."""

    def exit_status(self) -> int | None:
        return None

    def wait(self, within_s: float) -> int | None:
        return None


def test_a_stand_in_that_dies_is_noticed() -> None:
    with ModelPeer(schema="off") as model:
        rooms._stay(Running(), model, once=True)  # type: ignore[arg-type]
        model.kill()
        with pytest.raises(click.ClickException, match="stand-in model ended by itself"):
            rooms._stay(Running(), model, once=False)  # type: ignore[arg-type]


OWNER = """
import signal, sys
from media_ws_ai.peers.model.process import ModelPeer
signal.signal(signal.SIGINT, lambda *_: print("asked", flush=True))
with ModelPeer(schema="off") as model:
    print(model.pid, flush=True)
    sys.stdin.readline()
    print("open" if model.is_running and model.count()["open"] == 0 else "gone", flush=True)
"""


def test_ctrl_c_at_the_terminal_leaves_the_stand_in_to_its_owner() -> None:
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
        start_new_session=True,
    ) as owner:
        assert owner.stdin is not None and owner.stdout is not None
        pid = int(owner.stdout.readline())
        os.killpg(owner.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
        assert owner.stdout.readline() == b"asked\n"
        owner.stdin.write(b"\n")
        owner.stdin.flush()
        assert owner.stdout.readline() == b"open\n"
        assert owner.wait(15) == 0
    eventually(lambda: not Path(f"/proc/{pid}").exists())
