"""The Procfile's one web process, started as a platform does: it obeys ROLE."""

import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
END_S = 20.0


@contextmanager
def web(**settings: str) -> Iterator[int]:
    """The port of the process that `web:` names."""
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert [name for name in lines if name != "release"] == ["web"]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "TWILIO_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    ours = {"ENV": "development", "HOST": "127.0.0.1", "PORT": str(port), "WEB_CONCURRENCY": "1", "DRAIN_S": "2"}
    with subprocess.Popen(
        shlex.split(lines["web"]), cwd=ROOT, env={**kept, **ours, **settings, "PATH": path}, stderr=subprocess.PIPE
    ) as process:
        try:
            eventually(lambda: ask(port, "GET", "/healthz")[0] == 200, within_s=30)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                _, log = process.communicate(timeout=END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert b"Traceback" not in log
    is_noted = b"[SETTINGS] note: OPENAI_API_KEY is not set" in log
    assert is_noted is (settings["ROLE"] != "console"), log.decode()


def ask(port: int, method: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request(
            method, path, body="CallSid=CA1&CallStatus=ringing" if method == "POST" else None, headers=form
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except OSError:
        return 0, ""
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("role", "status", "says"), [("console", 404, "console comes later"), ("worker", 200, "What runs")]
)
def test_the_one_web_process_obeys_its_role(database_url: str, role: str, status: int, says: str) -> None:
    with web(ROLE=role, DATABASE_URL=database_url) as port:
        assert ask(port, "POST", "/twilio/voice")[0] == status
        assert ask(port, "GET", "/twilio/clip/he/hold.wav")[0] == status
        assert (ask(port, "GET", "/twilio/media")[0] == 404) is (role == "console")
        assert says in ask(port, "GET", "/")[1]
        assert ask(port, "GET", "/metrics")[0] == 200
