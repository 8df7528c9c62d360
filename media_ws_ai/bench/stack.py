"""The real stack for one measurement: PostgreSQL, the model stand-in, gunicorn with one worker; gone when it is over.

    with Stack(scenario={…}) as stack, stack.carrier() as carrier:
        reports = carrier.run({"calls": […]})
        stack.metrics()["call_threads"]

Everything listens on 127.0.0.1, on ports of its own. Each process is a child, tied to this one's life by the kernel
or by a pipe, and ended by its pid on leaving, whatever happened. Start it from the main thread: the kernel's tie is to
the thread. It measures nothing and judges nothing.
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, TypeVar

from media_ws_ai.bench import orders
from media_ws_ai.bench.certificate import Certificate
from media_ws_ai.embedded import Server
from media_ws_ai.embedded.process import Process
from media_ws_ai.peers.carrier.process import CarrierPeer
from media_ws_ai.peers.model.process import ModelPeer
from media_ws_ai.store.seed import seed
from scheduling import migrations

T = TypeVar("T")
Mode = Literal["gevent", "gthread"]

ROOT: Final = Path(__file__).resolve().parents[2]
CONFS: Final[Mapping[str, Path]] = {
    "gevent": ROOT / "gunicorn.conf.py",
    "gthread": Path(__file__).with_name("gthread_conf.py"),
}
TIED: Final = Path(__file__).with_name("tied.py")
ACCOUNT_SID: Final = "AC" + "0" * 32
START_S: Final = 30.0
END_S: Final = 8.0
REQUEST_S: Final = 5.0
POLL_S: Final = 0.02
LOG_TAIL: Final = 15

FOREIGN: Final = (
    "ENV", "PORT", "HOST", "PUBLIC_URL", "DATABASE_URL", "SECRET_KEY", "MAX_CALLS", "MAX_CALL_S", "DRAIN_S", "ROLE",
    "CONSOLE_URL", "LOG_LEVEL", "LOG_FORMAT", "CLIPS_DIR", "WEB_CONCURRENCY", "SSL_CERT_FILE", "GUNICORN_CMD_ARGS",
)  # fmt: skip
"""Settings of the caller's own environment that must not reach the worker, with all OPENAI_* and TWILIO_*."""


class StackError(RuntimeError):
    """The stack, or a part of it, is not there; the message says which and why."""


class Stack:
    """Starts on entering, ends on leaving.

    Args:
        mode: gunicorn's worker, `gevent` as in production or `gthread`.
        scenario: the model stand-in's (peers/model), None for its demo; `model` instead to use a running stand-in.
        database_url: a PostgreSQL to use, migrated and seeded here; None: an embedded one in the temporary folder.
        twilio_api_url, token: of a REST stand-in (CarrierPeer.rest_url); a token makes the worker check signatures.
        model_host: the name by which the worker knows the stand-in, in place of 127.0.0.1.
        certificate: the stand-in listens on wss with it, and the worker trusts its authority.
        conf: gunicorn's configuration, in place of the mode's own (which it finds in BENCH_BASE_CONF).
        env: further settings of the worker, over all others.
        stderr: a descriptor for the worker's log, in place of the file `log_path`.
        check_schema: the stand-in checks events against the openai package's types (a second per start).
    """

    def __init__(
        self,
        *,
        mode: Mode = "gevent",
        scenario: object = None,
        model: ModelPeer | None = None,
        database_url: str | None = None,
        twilio_api_url: str = "",
        token: str = "",
        model_host: str = "",
        certificate: Certificate | None = None,
        conf: Path | None = None,
        env: Mapping[str, str] | None = None,
        max_calls: int = 200,
        drain_s: float = 25.0,
        log_level: str = "INFO",
        stderr: int | None = None,
        check_schema: bool = False,
    ) -> None:
        self.mode: Mode = mode
        self.url = ""
        self.port = 0
        self.database_url = database_url or ""
        self.folder = Path()
        self.log_path = Path()
        self.postgres: Server | None = None
        self.token = token or ("bench" if twilio_api_url else "")
        self.drain_s = drain_s
        self._scenario = scenario
        self._model = model
        self._twilio_api_url = twilio_api_url
        self._model_host = model_host
        self._certificate = certificate
        self._conf = conf or CONFS[mode]
        self._env = dict(env or {})
        self._max_calls = max_calls
        self._log_level = log_level
        self._stderr = stderr
        self._check_schema = check_schema
        self._master: subprocess.Popen[bytes] | None = None
        self._workers: list[Process] = []
        self._closing = ExitStack()

    # --- life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> "Stack":
        try:
            self._start()
        except BaseException:
            self._end(is_calm=False)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(is_calm=kind is None)

    def _start(self) -> None:
        if not (ROOT / "app.py").is_file():
            raise StackError(f"there is no app.py in {ROOT}: the benches run from a clone of the repository")
        self.folder = Path(tempfile.mkdtemp(prefix="media-ws-ai-bench-"))
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o711)  # as root PostgreSQL runs as nobody, who must cross this
        self.log_path = self.folder / "worker.log"
        if not self.database_url:
            self.postgres = Server(self.folder / "postgres", durable=False)
            self._closing.callback(self.postgres.remove)
            self.database_url = self.postgres.start()
        migrations.upgrade(self.database_url)
        seed(self.database_url)
        if self._model is None:
            pem = self._certificate
            self._model = ModelPeer(
                self._scenario,
                cert=pem.cert if pem else None,
                key=pem.key if pem else None,
                schema="auto" if self._check_schema else "off",
            )
            self._closing.callback(self._model.stop)
            self._model.start()
        self._start_gunicorn()

    def _start_gunicorn(self) -> None:
        """On a listening socket that we hand over: no one else can take the port in between."""
        with socket.create_server(("127.0.0.1", 0), backlog=512) as listener, self._log_file() as stderr:
            self.port = listener.getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}"
            place = f"fd://{listener.fileno()}"
            self._master = subprocess.Popen(
                [
                    sys.executable, "-I", "-S", str(TIED), str(os.getpid()),
                    sys.executable, "-m", "gunicorn", "-c", str(self._conf), "-b", place, "app:app",
                ],
                cwd=ROOT, env=self._environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                pass_fds=[listener.fileno()],
            )  # fmt: skip
        self._wait(self._is_up, START_S, "the worker does not answer /healthz")
        self._workers.append(self._worker())

    def _log_file(self) -> "_Descriptor":
        if self._stderr is not None:
            return _Descriptor(os.dup(self._stderr))
        return _Descriptor(os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in FOREIGN and not name.startswith(("OPENAI_", "TWILIO_"))
        }
        ours = {
            "ENV": "development", "HOST": "127.0.0.1", "PORT": str(self.port), "WEB_CONCURRENCY": "1",
            "DATABASE_URL": self.database_url, "SECRET_KEY": "bench",
            "OPENAI_API_KEY": "bench", "OPENAI_REALTIME_URL": self._model_url(),
            "MAX_CALLS": str(self._max_calls), "DRAIN_S": f"{self.drain_s:g}", "LOG_LEVEL": self._log_level,
            "CLIPS_DIR": str(self.folder / "clips"), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1",
            orders.FOLDER: str(self.folder), orders.BASE_CONF: str(CONFS[self.mode]),
        }  # fmt: skip
        if self._certificate is not None:
            ours["SSL_CERT_FILE"] = str(self._certificate.authority)
        if self.token:
            ours["TWILIO_AUTH_TOKEN"] = self.token
            ours["TWILIO_ACCOUNT_SID"] = ACCOUNT_SID
        if self._twilio_api_url:
            ours["TWILIO_API_URL"] = self._twilio_api_url
        return {**kept, **ours, **self._env}

    def _model_url(self) -> str:
        return self.model.url.replace("127.0.0.1", self._model_host) if self._model_host else self.model.url

    def _end(self, is_calm: bool) -> None:
        """Every process by its pid, in the reverse order of its start; callable twice."""
        try:
            self._end_gunicorn(is_calm)
        finally:
            self._closing.close()

    def _end_gunicorn(self, is_calm: bool) -> None:
        master, self._master = self._master, None
        if master is None:
            return
        patience_s = self.drain_s + END_S if is_calm else 0.0
        for number, within_s in ((signal.SIGTERM, patience_s), (signal.SIGINT, END_S), (signal.SIGKILL, END_S)):
            if not within_s:
                continue
            master.send_signal(number)  # not sent when it has ended already
            try:
                master.wait(within_s)
                break
            except subprocess.TimeoutExpired:
                continue
        for worker in self._workers:
            worker.end(((signal.SIGKILL, 2.0),))

    # --- what runs ------------------------------------------------------------------------------------------------

    @property
    def model(self) -> ModelPeer:
        """The stand-in of the model. Raises: StackError before the start."""
        if self._model is None:
            raise StackError("the stack has not been started")
        return self._model

    @property
    def worker_pid(self) -> int:
        """Of the worker process that serves now."""
        return self._workers[-1].pid

    def restart_worker(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the worker with `number` (SIGTERM: it drains first) and wait until its successor answers.

        Returns: the new pid. Raises: StackError when the old one does not end, or no new one comes.
        """
        old = self._workers[-1]
        os.kill(old.pid, number)
        if not old.wait_gone(self.drain_s + END_S):
            raise StackError(f"the worker (pid {old.pid}) does not end on {number.name}; {self.log_tail()}")
        self._wait(self._is_up, START_S, "no new worker answers /healthz")
        self._workers.append(self._worker())
        return self.worker_pid

    def carrier(self) -> CarrierPeer:
        """A carrier that calls this worker, signing as it expects; to be entered by the caller."""
        return CarrierPeer(self.url, token=self.token, account_sid=ACCOUNT_SID)

    def get(self, path: str, within_s: float = REQUEST_S) -> tuple[int, bytes]:
        """(status, body) of a GET. Raises: OSError, http.client.HTTPException."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=within_s)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def metrics(self) -> dict[str, float]:
        """/metrics: names without `media_ws_ai_`, with labels as shown: `threads`, `calls{state="live"}`."""
        status, body = self.get("/metrics")
        if status != 200:
            raise StackError(f"/metrics answered {status}")
        figures = {}
        for line in body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                figures[name.removeprefix("media_ws_ai_")] = float(value)
        return figures

    def wait_metrics(self, met: Callable[[dict[str, float]], bool], within_s: float) -> dict[str, float]:
        """The figures as soon as `met`. Raises: StackError at the deadline."""

        def look() -> dict[str, float] | None:
            figures = self.metrics()
            return figures if met(figures) else None

        return self._wait(look, within_s, "the figures of /metrics did not come to what was awaited")

    def log_lines(self) -> list[str]:
        """The worker's log so far."""
        return self.log_path.read_text(errors="replace").splitlines() if self.log_path.is_file() else []

    def log_tail(self) -> str:
        lines = self.log_lines()[-LOG_TAIL:]
        return "its log ends:\n  " + "\n  ".join(lines) if lines else "it wrote no log"

    # --- parts ----------------------------------------------------------------------------------------------------

    def _worker(self) -> Process:
        """gunicorn's one child."""

        def find() -> Process | None:
            assert self._master is not None
            master = self._master.pid
            try:
                children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
            except OSError:
                return None
            alive = [found for found in map(Process.find, map(int, children)) if found is not None and found.is_alive()]
            return alive[0] if len(alive) == 1 else None

        return self._wait(find, START_S, "gunicorn has no worker, or more than one")

    def _is_up(self) -> bool:
        try:
            return self.get("/healthz", within_s=2.0)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _wait(self, ask: Callable[[], T | None], within_s: float, failing: str) -> T:
        """Ask until the answer is true. Raises: StackError at the deadline, or when gunicorn has ended."""
        deadline = time.monotonic() + within_s
        while True:
            answer = ask()
            if answer:
                return answer
            status = self._master.poll() if self._master is not None else None
            if status is not None:
                raise StackError(f"gunicorn ended with status {status}; {self.log_tail()}")
            if time.monotonic() >= deadline:
                raise StackError(f"{failing} (within {within_s:g} s); {self.log_tail()}")
            time.sleep(POLL_S)


class _Descriptor:
    """A descriptor that is closed on leaving; the child has its own copy."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __enter__(self) -> int:
        return self._number

    def __exit__(self, *_: object) -> None:
        os.close(self._number)
