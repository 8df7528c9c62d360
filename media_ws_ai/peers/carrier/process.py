"""The carrier as a subprocess with a synchronous face, for plain and for gevent-patched callers.

    with CarrierPeer("http://127.0.0.1:5000", token="…") as carrier:       # carrier.rest_url is TWILIO_API_URL
        report = carrier.run({"calls": [{"steps": [...]}]}, timeout_s=60)[0]

Where the worker must know `rest_url` before it starts, begin with `CarrierPeer()` and `aim(url)` when the worker is
up. The process ends when its standard input does: with its owner, however that one ends.
"""

import http.client
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

START_S: Final = 20.0
STOP_S: Final = 8.0
POLL_S: Final = 5.0

CallReport = dict[str, Any]


class CarrierError(RuntimeError):
    """The carrier refused a plan, failed, or was not done in time; the message says which."""


class CarrierPeer:
    """Starts the process on entering, ends it on leaving."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:5000",
        *,
        public_url: str = "",
        token: str = "",
        account_sid: str = "AC" + "0" * 32,
        rest_port: int = 0,
    ) -> None:
        self.url = url
        self.account_sid = account_sid
        self.rest_url = ""
        self.pid = 0
        self.clock: dict[str, Any] = {}
        """How punctual the carrier itself was, from the last report."""
        self._command = [
            sys.executable, "-m", "media_ws_ai.peers.carrier", "--serve", "--url", url, "--public-url", public_url,
            "--account-sid", account_sid, "--rest-port", str(rest_port),
        ]  # fmt: skip
        self._token = token
        self._process: subprocess.Popen[str] | None = None
        self._run = 0

    def __enter__(self) -> "CarrierPeer":
        environ = {**os.environ, "TWILIO_AUTH_TOKEN": self._token}
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        )
        lines: queue.Queue[str] = queue.Queue(maxsize=1)
        stdout = self._process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=START_S)
            ready = json.loads(line)
        except (queue.Empty, ValueError) as error:
            self.close()
            raise CarrierError(f"the carrier did not start: {type(error).__name__}") from error
        self.rest_url, self.pid = ready["rest"], ready["pid"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; its calls break off. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=STOP_S)
        process.stdout.close()

    def aim(self, url: str, public_url: str = "") -> None:
        """Call the worker at this URL from now on."""
        self._ask("POST", "/carrier/aim", {"url": url, "public_url": public_url})
        self.url = url

    def start(self, plan: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[str]:
        """Start a plan (README.md); the call_sids in its order. Raises: CarrierError for a plan that is none."""
        answer = self._ask("POST", "/carrier/run", plan)
        self._run = answer["run"]
        return [str(sid) for sid in answer["call_sids"]]

    def wait(self, timeout_s: float = 120.0, run: int | None = None) -> list[CallReport]:
        """The reports of the plan started last (or of run number n), when all its calls are over.

        Raises: CarrierError when they are not by then.
        """
        number = self._run if run is None else run
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = max(0.0, min(POLL_S, deadline - time.monotonic()))
            answer = self._ask("GET", f"/carrier/run/{number}?wait_s={wait_s:.3f}")
            if answer["done"]:
                self.clock = answer["clock"]
                return list(answer["calls"])
            if time.monotonic() >= deadline:
                raise CarrierError(f"{answer['running']} calls are not over after {timeout_s:g} s")

    def run(self, plan: Mapping[str, Any] | Sequence[Mapping[str, Any]], timeout_s: float = 120.0) -> list[CallReport]:
        """`start`, then `wait`."""
        self.start(plan)
        return self.wait(timeout_s)

    def reports_now(self, run: int | None = None) -> list[CallReport]:
        """The reports as they stand, calls still running included."""
        answer = self._ask("GET", f"/carrier/run/{self._run if run is None else run}?now=1")
        return list(answer["calls"])

    def act(self, step: Mapping[str, Any], call_sid: str = "all") -> int:
        """Perform a step at once on one call, or on all whose stream is open; on how many."""
        return int(self._ask("POST", "/carrier/act", {"call_sid": call_sid, "step": step})["acted"])

    def state(self) -> dict[str, dict[str, Any]]:
        """What each call is doing: stage (up, streaming, ending, over), utterances, agent_ms, marks, clears, …"""
        return dict(self._ask("GET", "/carrier/state")["calls"])

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.rest_url).netloc, timeout=POLL_S + 30.0)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise CarrierError(str(answer.get("error", response.status)))
        return answer
