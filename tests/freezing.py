"""A PostgreSQL that stops answering without closing anything: every process of it gets SIGSTOP."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import psycopg2

from tests.waiting import eventually


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """The server behind `url`, frozen inside, running again after."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
        postmaster = psutil.Process(pid).parent()
    assert postmaster is not None
    # The first to stop is the one that could start others.
    stopped = [postmaster]
    postmaster.send_signal(signal.SIGSTOP)
    try:
        for process in postmaster.children(recursive=True):
            if process.status() != psutil.STATUS_ZOMBIE:
                process.send_signal(signal.SIGSTOP)
                stopped.append(process)
        resting = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
        eventually(lambda: all(process.status() in resting for process in stopped), within_s=2)
        yield
    finally:
        for process in reversed(stopped):
            if process.is_running():
                process.send_signal(signal.SIGCONT)
