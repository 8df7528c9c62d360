"""Where files of the server may lie so that the user who runs it can reach them.

PostgreSQL refuses to run as root, so root runs it as `nobody`, and `nobody` cannot enter a 0700 folder such as one
from `mktemp -d` or /root. We open no folder that is not ours: what must be reachable moves to a home of its own.
"""

import hashlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from media_ws_ai.embedded.errors import EmbeddedError

NOBODY = 65534  # Linux's overflow id, where the system names no `nobody`


@dataclass(frozen=True)
class User:
    """Who the server runs as, when not as we do."""

    uid: int
    gid: int


def server_user(data: Path) -> User | None:
    """None: run as ourselves. As root: the owner of existing data, else nobody."""
    if os.geteuid() != 0:
        return None
    if data.is_dir() and data.stat().st_uid != 0:
        return User(data.stat().st_uid, data.stat().st_gid)
    try:
        entry = pwd.getpwnam("nobody")
        return User(entry.pw_uid, entry.pw_gid)
    except KeyError:
        return User(NOBODY, NOBODY)


def can_enter(folder: Path, user: User) -> bool:
    """May `user` cross this folder and all above it? Judged by mode bits; existing parts only."""
    return all(
        _may(part, user, stat.S_IXOTH) for part in (folder.resolve(), *folder.resolve().parents) if part.exists()
    )


def can_run(program: Path, user: User) -> bool:
    return can_enter(program.parent, user) and _may(program, user, stat.S_IROTH | stat.S_IXOTH)


def _may(path: Path, user: User, wanted: int) -> bool:
    held = path.stat()
    shift = 6 if held.st_uid == user.uid else 3 if held.st_gid == user.gid else 0
    return held.st_mode & (wanted << shift) == wanted << shift


def make_folder(folder: Path, user: User | None) -> None:
    """Create the folder and what lacks above it: ours alone, or as root crossable by `user`.

    Folders that were there keep their modes. Raises: EmbeddedError when the place cannot be written.
    """
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        for part in reversed(missing):
            part.mkdir(exist_ok=True)
            if part == folder:
                part.chmod(0o700 if user is None else 0o711)
            elif user is not None:
                part.chmod(0o755)
    except OSError as refused:
        raise EmbeddedError(f"The folder {folder} for the database cannot be made: {refused.strerror}.") from refused


def home(user: User, *, lasting: bool) -> Path:
    """A folder of root's that `user` can cross: /var/lib/media-ws-ai, else one in /var/tmp or the temporary folder.

    Args:
        lasting: False for throw-away data, which begins with the temporary folder.
    Raises: EmbeddedError when no candidate will do.
    """
    bases = [Path("/var/lib"), Path("/var/tmp"), Path(tempfile.gettempdir())]
    for base in bases if lasting else reversed(bases):
        folder = base / "media-ws-ai"
        try:
            if not can_enter(base, user) or os.statvfs(base).f_flag & os.ST_NOEXEC:
                continue
            folder.mkdir(mode=0o711, exist_ok=True)
            held = folder.lstat()
            if not stat.S_ISDIR(held.st_mode) or held.st_uid != 0 or held.st_mode & 0o022:
                continue  # someone else was here first: nothing of ours goes there
            if not _may(folder, user, stat.S_IXOTH):
                folder.chmod(0o711)  # ours, made under a narrow umask
            return folder
        except OSError:
            continue  # read-only or absent; the next one, and a sentence when there is none
    raise EmbeddedError(
        "The database server cannot run as root and finds no folder that the user `nobody` can reach"
        f" (tried {', '.join(str(base) for base in bases)}); run as an ordinary user, or set DATABASE_URL."
    )


def elsewhere(wanted: Path, user: User, *, lasting: bool) -> Path:
    """The data folder that stands in for one under an unreachable `wanted`; the same one each time."""
    mark = hashlib.sha256(os.fsencode(wanted.resolve())).hexdigest()[:16]
    return home(user, lasting=lasting) / f"postgres-{mark}"
