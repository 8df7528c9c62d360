"""A PostgreSQL that stops answering without closing anything: every process of it gets SIGSTOP. Linux's /proc only."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg2

RESTING: Final = frozenset("TtZX")
"""States of /proc/PID/stat: stopped, or no more."""
STOP_S: Final = 15.0
POLL_S: Final = 0.005


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """The server behind `url` (one of this machine and this user, or root), frozen inside, running again after."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone() or (0,)
        postmaster = int(_stat(backend)[1])
    # The first to stop is the one that could start others.
    pids = [postmaster]
    os.kill(postmaster, signal.SIGSTOP)
    try:
        _wait_resting(pids)
        pids += [int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
        _send(pids, signal.SIGSTOP)
        _wait_resting(pids)
        yield
    finally:
        _send(reversed(pids), signal.SIGCONT)


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # a backend whose client left just before
            os.kill(pid, number)


def _wait_resting(pids: list[int]) -> None:
    deadline = time.monotonic() + STOP_S
    while not all(_is_resting(pid) for pid in pids):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"PostgreSQL did not stop on SIGSTOP within {STOP_S:g} s")
        time.sleep(POLL_S)


def _is_resting(pid: int) -> bool:
    try:
        return _stat(pid)[0] in RESTING
    except (FileNotFoundError, ProcessLookupError):
        return True


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
