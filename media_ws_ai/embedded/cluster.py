"""One PostgreSQL data folder and the two programs that work on it: `initdb` makes it, `postgres` serves it.

Who may start it, and what is remembered of it, is the caller's (server.py). The server is a child that ends with
its launcher: the kernel then sends SIGINT, PostgreSQL's fast shutdown (become.py).
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from media_ws_ai.embedded import binaries, places
from media_ws_ai.embedded.errors import EmbeddedError
from media_ws_ai.embedded.process import POLL_S, Process

BECOME = Path(__file__).with_name("become.py")
NAME = "media_ws_ai"  # of the database and of its owner
MAX_CONNECTIONS = 200
INIT_S = 60.0
READY_S = 30.0  # includes recovery after a crash
DETACH_S = 5.0
LOG_BYTES = 1_000_000  # a longer log is set aside at the next start, one generation kept
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "io_method": "sync",  # three processes fewer; the data fits in memory
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",  # compiling costs more than our queries
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
THROW_AWAY = {"fsync": "off", "full_page_writes": "off"}  # survives any end but a power cut


class Cluster:
    """The data folder `data`, served as `user` (None: as ourselves), its log beside the note in `log_path`."""

    def __init__(
        self, programs: binaries.Binaries, data: Path, user: places.User | None, log_path: Path, *, durable: bool
    ) -> None:
        self.data = data
        self._programs = programs
        self._user = user
        self._log_path = log_path
        self._log_from = 0
        self._durable = durable

    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def set_aside(self) -> None:
        """Keep the data under another name. Raises: EmbeddedError when a server still runs on them."""
        pidfile = self.data / "postmaster.pid"
        if pidfile.exists():
            pid = int(pidfile.read_text().split("\n", 1)[0])
            name = Path(f"/proc/{pid}/comm")
            if name.exists() and name.read_text().strip() == "postgres":
                raise EmbeddedError(f"A server (pid {pid}) that we did not start runs on {self.data}: end it first.")
        self.data.rename(self.data.with_name(f"{self.data.name}.left-{time.time_ns()}"))

    def init(self, password: str) -> None:
        """Make the data folder, whole or not at all: under another name, then renamed.

        Raises: EmbeddedError with the last thing that initdb said.
        """
        beside = self.data.with_name(f"{self.data.name}.new")
        secret = self.data.with_name(f"{self.data.name}.password")
        shutil.rmtree(beside, ignore_errors=True)
        secret.unlink(missing_ok=True)
        try:
            beside.mkdir(mode=0o700)
            with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(password)
            if self._user is not None:
                os.chown(beside, self._user.uid, self._user.gid)
                os.chown(secret, self._user.uid, self._user.gid)
            argv = [
                str(self._programs.initdb),
                "-D",
                str(beside),
                "-U",
                NAME,
                "-A",
                "scram-sha-256",
                "--pwfile",
                str(secret),
            ]
            argv += ["-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            argv += ["--no-instructions", *([] if self._durable else ["--no-sync"])]
            done = subprocess.run(
                _command(argv, self._user, parent=os.getpid()),
                capture_output=True,
                text=True,
                timeout=INIT_S,
                check=False,
            )
            if done.returncode != 0:
                raise EmbeddedError(f"initdb failed for {self.data}: {_last_line(done.stderr)}")
            beside.rename(self.data)
        except subprocess.TimeoutExpired as late:
            raise EmbeddedError(f"initdb did not finish {self.data} within {INIT_S:.0f} s.") from late
        except OSError as refused:
            raise EmbeddedError(f"The database folder {self.data} cannot be made: {refused}.") from refused
        finally:
            secret.unlink(missing_ok=True)
            shutil.rmtree(beside, ignore_errors=True)

    def check_version(self) -> None:
        if (held := (self.data / "PG_VERSION").read_text().strip()) != str(self._programs.major):
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {held}, the package brings {self._programs.major};"
                f" remove it to begin with an empty database, or set DATABASE_URL."
            )

    def spawn(self, port: int, *, detach: bool) -> tuple[Process, "subprocess.Popen[str] | None"]:
        """Start the server on 127.0.0.1:`port`; it is not ready yet (wait_ready).

        Returns: the server, and our child to reap, None when detached. Raises: EmbeddedError when it ended at once.
        """
        settings = SETTINGS | ({} if self._durable else THROW_AWAY) | {"port": str(port)}
        argv = [str(self._programs.postgres), "-D", str(self.data)]
        argv += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = _command(argv, self._user, parent=None if detach else os.getpid(), detach=detach, pgdata=self.data)
        if self._log_path.exists() and self._log_path.stat().st_size > LOG_BYTES:
            self._log_path.replace(self._log_path.with_suffix(".log.1"))
        with open(self._log_path, "a") as log:
            self._log_from = log.tell()
            # A session of its own: Ctrl-C in a terminal is for the launcher, which stops the server last.
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if detach else log,
                stderr=log,
                cwd="/",
                text=True,
                start_new_session=True,
            )
        if not detach:
            server = Process.find(child.pid)
            if server is None:
                child.wait(timeout=DETACH_S)
        else:
            printed, _ = child.communicate(timeout=DETACH_S)
            server = Process.find(int(printed)) if printed.strip() else None
        if server is None:
            raise EmbeddedError(f"The database server ended at once: {self._said()}")
        return server, None if detach else child

    def wait_ready(self, server: Process) -> None:
        """Wait until it accepts connections. Raises: EmbeddedError with the end of its log when it does not."""
        deadline = time.monotonic() + READY_S
        while status(self.data, server) != "ready":
            if not server.is_alive():
                raise EmbeddedError(f"The database server did not start: {self._said()}")
            if time.monotonic() >= deadline:
                raise EmbeddedError(f"The database server was not ready within {READY_S:.0f} s: {self._said()}")
            time.sleep(POLL_S)

    def _said(self) -> str:
        """What this start wrote to the log."""
        with open(self._log_path, errors="replace") as log:
            log.seek(self._log_from)
            lines = log.read(LOG_BYTES).strip().splitlines()
        return " / ".join(lines[-8:]) + f" (all of it: {self._log_path})"


def status(data: Path, server: Process) -> str | None:
    """What the server says of itself in postmaster.pid (line 8), if that file is its own."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, PermissionError):
        return None
    return lines[7].strip() if len(lines) >= 8 and lines[0] == str(server.pid) else None


def _command(
    argv: list[str],
    user: places.User | None,
    *,
    parent: int | None,
    detach: bool = False,
    pgdata: Path | None = None,
) -> list[str]:
    order = {
        "argv": argv,
        "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        "uid": user.uid if user else None,
        "gid": user.gid if user else None,
        "parent": parent,
        "detach": detach,
        "pgdata": str(pgdata) if pgdata else None,
    }
    return [sys.executable, "-I", "-S", str(BECOME), json.dumps(order)]


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "it said nothing"
