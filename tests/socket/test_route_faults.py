"""A fault inside the media route, on a real gunicorn: the caller's websocket is closed, and gets no HTTP text."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gevent import monkey

from tests.socket.ws_frames import CLOSE, TEXT, FrameReader, frame
from tests.waiting import eventually

IS_GREEN = bool(monkey.is_module_patched("threading"))
CONF = "control_socket_disable = True\n"
APPLICATION = '''
"""The media route of a worker whose token room is broken."""
import logging
from types import SimpleNamespace

from flask import Flask
from flask_sock import Sock

from media_ws_ai.runtime import carrier_socket
from media_ws_ai.web.media import MediaRoute


class Tokens:
    def consume(self, *args, **kwargs):
        raise ZeroDivisionError("planted")


logging.basicConfig(level=logging.INFO)
carrier_socket.install()
app = Flask(__name__)
worker = SimpleNamespace(settings=SimpleNamespace(twilio_account_sid=""), tokens=Tokens())
Sock(app).route("/twilio/media")(MediaRoute(worker))
'''
REQUEST = (
    b"GET /twilio/media HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
START = (
    b'{"event":"start","streamSid":"MZ1","start":{"streamSid":"MZ1","callSid":"CA1","customParameters":{"tok":"t"},'
    b'"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}}}'
)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """(port, file of the worker's log)"""
    (tmp_path / "broken_app.py").write_text(APPLICATION)
    patch = "from gevent import monkey; monkey.patch_all()\n" if IS_GREEN else ""
    (tmp_path / "conf.py").write_text(patch + CONF)
    log = tmp_path / "log"
    kind = ["-k", "gevent"] if IS_GREEN else ["-k", "gthread", "--threads", "4"]
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, log.open("wb") as out:
        number = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(tmp_path / "conf.py"), *kind, "-b", f"fd://{number}"]
            + ["--chdir", str(tmp_path), "broken_app:app"],
            pass_fds=(number,),
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
            stdout=out,
            stderr=out,
        )
        try:
            yield listener.getsockname()[1], log
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def test_a_fault_in_the_route_closes_the_stream_and_writes_no_http_into_it(worker: tuple[int, Path]) -> None:
    port, log = worker
    with closing(socket.create_connection(("127.0.0.1", port))) as peer:
        peer.settimeout(30)
        peer.sendall(REQUEST)
        reading = FrameReader(peer)
        assert reading.head().startswith(b"HTTP/1.1 101 ")
        peer.sendall(frame(TEXT, START, is_masked=True))
        got = []
        for opcode, payload in reading.frames():
            got.append((opcode, int.from_bytes(payload[:2], "big")))
            peer.sendall(frame(CLOSE, payload, is_masked=True))
        assert got == [(CLOSE, 1011)], log.read_text()
        eventually(lambda: "ZeroDivisionError: planted" in log.read_text(), within_s=10)
        assert "a media stream failed" in log.read_text()
