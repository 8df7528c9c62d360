"""A connection that can be cut from another thread: the only way out of a wait on a frozen server.

psycopg2 gives a blocked query no deadline of ours: `statement_timeout` needs a server that runs, `cancel` a server that
answers. Shutting the socket down needs neither: libpq sees the end of the stream and the waiting thread, or greenlet,
is free at once. Which connection a job is using is noted when it takes a cursor; that includes the pool's ping.
"""

import errno
import logging
import os
import socket
import threading
from typing import Any

import psycopg2
import psycopg2.extensions

logger = logging.getLogger(__name__)


class Cutter:
    """One job's hold on a connection; `cut` may come from any thread, at any time, more than once."""

    def __init__(self, lock: threading.Lock) -> None:
        """lock: shared by all jobs that share a pool: a connection wanders from job to job."""
        self._lock = lock
        self._connection: CuttableConnection | None = None
        self.is_cut = False

    def hold(self, connection: "CuttableConnection") -> None:
        """The job is about to use this connection.

        Raises: psycopg2.OperationalError when the job was cut before.
        """
        with self._lock:
            self.refuse_when_cut()
            self._connection = connection
            connection.holder = self

    def refuse_when_cut(self) -> None:
        """Raises: psycopg2.OperationalError when the job was cut: nothing new is begun for it."""
        if self.is_cut:
            raise psycopg2.OperationalError("the deadline of this job has passed")

    def release(self) -> None:
        """The job is over, or its connection is being closed: the descriptor may soon belong to somebody else."""
        with self._lock:
            self._connection = None

    def cut(self) -> None:
        """End whatever the job waits for in the database, now and later."""
        with self._lock:
            self.is_cut = True
            connection, self._connection = self._connection, None
            # A connection that went back to the pool and on to another job is that job's to cut.
            if connection is not None and connection.holder is self and not connection.closed:
                _shut_down(connection)


class CuttableConnection(psycopg2.extensions.connection):
    """Notes which job uses it: that of the thread, or greenlet, which takes a cursor."""

    holder: Cutter | None = None

    def cursor(self, *args: Any, **keywords: Any) -> Any:
        if current.cutter is not None:
            current.cutter.hold(self)
        return super().cursor(*args, **keywords)

    def close(self) -> None:
        if self.holder is not None and self.holder is current.cutter:
            self.holder.release()
        super().close()


class _Current(threading.local):
    cutter: Cutter | None = None


current = _Current()
"""The job of this thread, or greenlet."""


def _shut_down(connection: CuttableConnection) -> None:
    """Shut a connection's socket down; the descriptor itself stays with libpq, which closes it."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        # Both mean that the connection ended by itself a moment ago.
        if error.errno not in (errno.ENOTCONN, errno.EBADF):
            logger.warning("a connection to the database could not be cut", exc_info=True)
