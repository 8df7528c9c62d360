"""One PostgreSQL server per data directory: started, found again, stopped.

    data_dir/server.json   password, port, which process (0600)      data_dir/lock        between launchers
    data_dir/server.log    warnings of the server                    data_dir/data        PostgreSQL's own folder

As root, when `nobody` cannot reach data_dir, its `data` lies elsewhere (places.py); everything else stays.

The server is a child of its launcher and ends with it, even when that is killed: the kernel then sends SIGINT,
PostgreSQL's fast shutdown. The kernel's tie is to the *thread* that started it, so start it from one that lives as
long as the server shall: the main thread. A detached server has no tie and runs until `stop(anyone=True)`.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import psycopg2

from media_ws_ai.embedded import binaries, places
from media_ws_ai.embedded.cluster import NAME, Cluster, status
from media_ws_ai.embedded.errors import EmbeddedError
from media_ws_ai.embedded.process import Process
from media_ws_ai.embedded.state import Note, locked

LOCK_S = 60.0  # another launcher may be at its first start on a slow disk
CONNECT_S = 5
TRIES = 10
RETRY_S = 0.2
# What stops a start and passes by itself: the port went between our look and the server's; the backends of a server
# that was killed outright are still on their way out.
PASSING = ("could not bind", "shared memory block")
# Fast shutdown, then immediate, then the hard way; each with the seconds it gets.
ENDING = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 2.0))


def default_data_dir() -> Path:
    """var/postgres of the clone that this package runs from; installed elsewhere, of the current folder."""
    clone = Path(__file__).resolve().parents[2]
    return (clone if (clone / "setup.cfg").is_file() else Path.cwd()) / "var" / "postgres"


class Server:
    """The server of one data directory, whoever started it.

    Args:
        data_dir: created when it does not exist.
        durable: False for tests: a power cut may lose data, and commits are quick.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self._durable = durable
        self._note_path = self.data_dir / "server.json"
        self._child: subprocess.Popen[str] | None = None
        self._mine: Process | None = None

    def start(self, *, detach: bool = False) -> str:
        """Start the server, or find the running one.

        Args:
            detach: leave it running when this process ends; `stop(anyone=True)` ends it.
        Returns: its URL, postgresql://….
        Raises: EmbeddedError, with what helps, when it cannot be had.
        """
        if sys.platform != "linux":
            raise EmbeddedError("The embedded PostgreSQL runs on Linux only; set DATABASE_URL to a server of yours.")
        user = places.server_user(self.data_dir / "data")
        places.make_folder(self.data_dir, user)
        with locked(self.data_dir / "lock", LOCK_S):
            self._reap_ended()
            note = Note.read(self._note_path)
            cluster = self._cluster(user)
            if note is None and cluster.exists() and not cluster.data.is_relative_to(self.data_dir):
                cluster.set_aside()  # of an earlier clone in this place, deleted since: nobody has its password
            if note is not None and note.server is not None and note.server.is_alive():
                if note.owner is None or note.owner.is_alive():
                    cluster.wait_ready(note.server)
                    return _url(note)
                _end(note.server)  # its owner is gone and it is on its way out; see it out
            if not cluster.exists():
                note = Note(secrets.token_urlsafe(24), 0, None, None)
                note.write(self._note_path)
                cluster.init(note.password)
            elif note is None:
                raise EmbeddedError(
                    f"{cluster.data} holds a database, but {self._note_path} with its password is missing;"
                    f" restore it, or remove {cluster.data} to begin with an empty database."
                )
            cluster.check_version()
            return _url(self._launch(cluster, note, detach=detach))

    def stop(self, *, anyone: bool = False) -> bool:
        """Stop the server if this object started it; with `anyone`, whoever did. May be called twice.

        Returns: whether a server was stopped. Raises: EmbeddedError when it does not end.
        """
        if not self.data_dir.exists():
            return False
        with locked(self.data_dir / "lock", LOCK_S):
            note = Note.read(self._note_path)
            server = self._mine if not anyone else note.server if note else None
            stopped = server is not None and server.is_alive()
            if server is not None:
                _end(server)
            self._reap_ended()
            if note is not None and note.server is not None and note.server == server:
                Note(note.password, note.port, None, None).write(self._note_path)
            return stopped

    def remove(self) -> None:
        """Stop the server and delete its data, wherever they lie."""
        self.stop(anyone=True)
        shutil.rmtree(self.data_path, ignore_errors=True)
        shutil.rmtree(self.data_dir, ignore_errors=True)

    @property
    def url(self) -> str | None:
        """The URL of the running server, whoever started it; None when none runs."""
        note = Note.read(self._note_path)
        return _url(note) if note is not None and self._runs(note) else None

    @property
    def data_path(self) -> Path:
        """Where PostgreSQL's own files lie; not always below data_dir (places.py)."""
        return self._data(places.server_user(self.data_dir / "data"))

    def is_running(self) -> bool:
        return self.url is not None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _data(self, user: places.User | None) -> Path:
        if user is None or places.can_enter(self.data_dir, user):
            return self.data_dir / "data"
        preferred = places.elsewhere(self.data_dir, user, lasting=self._durable)
        other = places.elsewhere(self.data_dir, user, lasting=not self._durable)
        return other if other.exists() and not preferred.exists() else preferred

    def _runs(self, note: Note) -> bool:
        return (
            note.server is not None
            and note.server.is_alive()
            and (note.owner is None or note.owner.is_alive())
            and status(self.data_path, note.server) == "ready"
        )

    def _cluster(self, user: places.User | None) -> Cluster:
        programs = binaries.runnable(user)
        return Cluster(programs, self._data(user), user, self.data_dir / "server.log", durable=self._durable)

    def _launch(self, cluster: Cluster, note: Note, *, detach: bool) -> Note:
        owner = None if detach else Process.find(os.getpid())
        for attempt in range(TRIES):
            # The port of last time if it is free, so that a URL noted elsewhere stays right.
            port = _free_port(note.port if attempt == 0 else 0)
            server, self._child = cluster.spawn(port, detach=detach)
            self._mine = None if detach else server
            note = Note(note.password, port, server, owner)
            note.write(self._note_path)
            try:
                cluster.wait_ready(server)
                _have_database(note)
            except BaseException as failed:
                _end(server)
                self._reap_ended()
                if (
                    attempt + 1 < TRIES
                    and isinstance(failed, EmbeddedError)
                    and any(one in str(failed) for one in PASSING)
                ):
                    time.sleep(RETRY_S)
                    continue
                raise
            return note
        raise AssertionError("the last attempt returns or raises")

    def _reap_ended(self) -> None:
        """Take leave of our child once it has ended, whoever ended it."""
        if self._mine is not None and not self._mine.is_alive():
            if self._child is not None:
                self._child.wait(timeout=CONNECT_S)
            self._child = self._mine = None


def _end(server: Process) -> None:
    if not server.end(ENDING):
        raise EmbeddedError(f"The database server (pid {server.pid}) does not end.")


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise EmbeddedError("No free port on 127.0.0.1 for the database server.")


def _have_database(note: Note) -> None:
    """Asked at each start: a launcher killed right after initdb leaves a server without it."""
    try:
        connection = psycopg2.connect(_url(note, "postgres"), connect_timeout=CONNECT_S)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {NAME}")
        finally:
            connection.close()
    except psycopg2.Error as refused:
        raise EmbeddedError(f"The database server runs but refuses us: {str(refused).strip()}") from refused


def _url(note: Note, database: str = NAME) -> str:
    return f"postgresql://{NAME}:{note.password}@127.0.0.1:{note.port}/{database}"
