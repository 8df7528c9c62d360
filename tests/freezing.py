"""A PostgreSQL that stops answering without closing anything: every process of it gets SIGSTOP. Needs Linux's /proc."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg2

from tests.waiting import eventually

RESTING = frozenset("TtZX")
"""States of /proc/PID/stat: stopped, or no more."""


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """The server behind `url`, frozen inside, running again after."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone() or (0,)
        postmaster = int(_stat(backend)[1])
    # The first to stop is the one that could start others.
    pids = [postmaster]
    os.kill(postmaster, signal.SIGSTOP)
    try:
        eventually(lambda: _is_resting(postmaster))
        pids += _children(postmaster)
        _send(pids, signal.SIGSTOP)
        eventually(lambda: all(_is_resting(pid) for pid in pids))
        yield
    finally:
        _send(reversed(pids), signal.SIGCONT)


def _send(pids: "Iterator[int] | list[int]", number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # a backend whose client left just before
            os.kill(pid, number)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_resting(pid: int) -> bool:
    try:
        return _stat(pid)[0] in RESTING
    except (FileNotFoundError, ProcessLookupError):
        return True


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
