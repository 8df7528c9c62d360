"""What outlives a launcher: the server's note (server.json) and the lock between launchers.

The note holds the password, so it is 0600 and belongs to the launcher. Whether the server in it still runs is
asked of the kernel each time; a note is never believed.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from media_ws_ai.embedded.errors import EmbeddedError
from media_ws_ai.embedded.process import POLL_S, Process


@dataclass(frozen=True)
class Note:
    """The last server of a data directory; `server` None: stopped. `owner` None: detached, lives by itself."""

    password: str
    port: int
    server: Process | None
    owner: Process | None

    def write(self, path: Path) -> None:
        beside = path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Note | None":
        """The note, or None when there is none.

        Raises: EmbeddedError when it belongs to another user or is no note of ours.
        """
        try:
            held = json.loads(path.read_text())
            return cls(str(held["password"]), int(held["port"]), _process(held["server"]), _process(held["owner"]))
        except FileNotFoundError:
            return None
        except PermissionError as refused:
            raise EmbeddedError(f"{path} belongs to another user; run as that user, or set DATABASE_URL.") from refused
        except (ValueError, KeyError, TypeError) as broken:
            raise EmbeddedError(
                f"{path} is damaged ({broken!r}), and with it the server's password is lost;"
                f" remove {path.parent} to begin with an empty database."
            ) from broken


def _process(held: object) -> Process | None:
    return None if held is None else Process(**held)  # type: ignore[arg-type]  # asdict wrote it; TypeError is caught


@contextmanager
def locked(path: Path, within_s: float) -> Iterator[None]:
    """Hold the lock of a data directory, so that of two launchers one starts and the other finds.

    The kernel frees it when its holder dies. Raises: EmbeddedError when it stays taken for `within_s`.
    """
    deadline = time.monotonic() + within_s
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as refused:
        raise EmbeddedError(f"{path} belongs to another user; run as that user, or set DATABASE_URL.") from refused
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise EmbeddedError(f"Another launcher has held {path} for {within_s:.0f} s.") from None
                time.sleep(POLL_S)
        yield
    finally:
        os.close(handle)
