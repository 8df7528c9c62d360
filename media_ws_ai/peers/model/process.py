"""The stand-in as a subprocess, driven from synchronous code: plain threads or gevent-patched, the same class.

It imports only the standard library, so that a test process pays nothing for it. The subprocess ends with
its owner: its standard input is a pipe that nobody else holds, and it looks whether its parent lives.
"""

import http.client
import json
import os
import select
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final
from urllib.parse import urlsplit

START_S: Final = 30.0
STOP_S: Final = 5.0
CALL_S: Final = 10.0
_FIRST_WAIT_S: Final = 0.005
_LONGEST_WAIT_S: Final = 0.05


class ModelPeer:
    """A running stand-in. Use as a context manager, or `start` and `stop`.

    Args:
        scenario: an object as in README.md, the name of a built-in one, or None for `demo`.
        cert, key: PEM files; with them `url` is wss.
        speed: audio seconds sent per second, over the scenario's.
        schema: "off" spares the second that the openai types cost, for load runs.
        port: 0 for any free one.
    """

    def __init__(
        self,
        scenario: object = None,
        *,
        cert: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        speed: float | None = None,
        schema: str = "auto",
        port: int = 0,
    ) -> None:
        self.url = ""
        self.control_url = ""
        self.pid = 0
        self._scenario = scenario
        self._arguments = ["--with-parent", "--port", str(port), "--schema", schema]
        if cert is not None:
            self._arguments += ["--cert", os.fspath(cert), "--key", os.fspath(key or cert)]
        if speed is not None:
            self._arguments += ["--speed", str(speed)]
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None

    def __enter__(self) -> "ModelPeer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- life -----------------------------------------------------------------------------------------

    def start(self) -> "ModelPeer":
        """Returns when it accepts connections. Raises RuntimeError with its stderr when it does not within 30 s."""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process; `stop` closes it
        command = [sys.executable, "-m", "media_ws_ai.peers.model", *self._arguments]
        root = Path(__file__).resolve().parents[3]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
        ready, told = os.pipe()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=self._stderr,
                env=environment,
                bufsize=0,
                start_new_session=True,  # a terminal's Ctrl-C is its owner's, who may need it to the end
            )
            os.close(told)
            told = -1
            place = json.loads(self._first_line(ready))
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(ready)
            if told >= 0:
                os.close(told)
        self.url, self.control_url, self.pid = place["url"], place["control"], place["pid"]
        if self._scenario is not None:
            self.scenario(self._scenario)
        return self

    def _first_line(self, source: int) -> bytes:
        deadline, line = time.monotonic() + START_S, b""
        poll = select.poll()
        poll.register(source, select.POLLIN | select.POLLHUP)
        while not line.endswith(b"\n"):
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not poll.poll(left_s * 1000):
                raise RuntimeError(f"the model stand-in did not start within {START_S:g} s: {self.stderr()}")
            data = os.read(source, 4096)
            if not data:
                raise RuntimeError(f"the model stand-in ended at its start: {self.stderr()}")
            line += data
        return line

    def stop(self) -> None:
        """End the process, callable twice. Its stderr is closed as well."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_S)
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    def kill(self) -> None:
        """SIGKILL: the service vanishes."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stderr(self) -> str:
        """What it wrote to stderr so far: empty unless something is broken."""
        if self._stderr is None:
            return ""
        self._stderr.flush()
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode(errors="replace")

    # -- control --------------------------------------------------------------------------------------

    def control(self, path: str, body: object = None) -> Any:
        """GET (no body) or POST `path` below /control. Raises ValueError with the sentence of a refusal."""
        place = urlsplit(self.control_url)
        assert place.hostname is not None
        connection: http.client.HTTPConnection
        if place.scheme == "https":
            # Our own process on the loopback, under a certificate made for the test: nothing to verify.
            unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(place.hostname, place.port, timeout=CALL_S, context=unverified)
        else:
            connection = http.client.HTTPConnection(place.hostname, place.port, timeout=CALL_S)
        try:
            data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
            connection.request("GET" if body is None else "POST", f"{place.path}/{path}", body=data)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer["error"])
        return answer

    def scenario(self, scenario: object) -> None:
        """The scenario of all sessions to come."""
        self.control("scenario", scenario)

    def next(self, scenario: object) -> None:
        """The scenario of just the next session; several wait in line."""
        self.control("next", scenario)

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """All sessions numbered above `after`, oldest first; the shape is in README.md."""
        sessions: list[dict[str, Any]] = self.control(f"log?after={after}")["sessions"]
        return sessions

    def session(self, number: int | None = None) -> dict[str, Any]:
        """One session's log, the last without a number. Raises LookupError when there is none."""
        sessions = self.control(f"log?session={'last' if number is None else number}")["sessions"]
        if not sessions:
            raise LookupError("no such session")
        last: dict[str, Any] = sessions[-1]
        return last

    def count(self) -> dict[str, int]:
        """{"total": sessions so far, "open": now}."""
        count: dict[str, int] = self.control("count")
        return count

    def act(self, session: int | str, do: str) -> list[int]:
        """Do `freeze`, `thaw`, `stall`, `kill`, `expire` or `close:<code>` to an open session, "last" or "all".

        Returns: numbers of the sessions it was done to.
        """
        done: list[int] = self.control("act", {"session": session, "do": do})["sessions"]
        return done

    def reset(self) -> None:
        """Forget logs, counts and scenarios given since the start."""
        self.control("reset", {})
        if self._scenario is not None:
            self.scenario(self._scenario)

    def wait(self, met: Callable[[dict[str, Any]], Any], deadline_s: float = 10.0) -> dict[str, Any]:
        """The last session's log as soon as `met(log)` is true. Raises TimeoutError with the log's end."""
        until, pause_s = time.monotonic() + deadline_s, _FIRST_WAIT_S
        while True:
            sessions = self.control("log?session=last")["sessions"]
            if sessions and met(sessions[-1]):
                last: dict[str, Any] = sessions[-1]
                return last
            if time.monotonic() > until:
                tail = sessions[-1]["server"][-5:] if sessions else "no session"
                raise TimeoutError(f"not met within {deadline_s:g} s; last of the log: {tail}")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_WAIT_S)
