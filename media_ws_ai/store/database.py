"""Every use of the database goes through `Database.run`: a function, and how long its caller can wait.

    caller ── job ──▶ [queue, bounded] ──▶ Db-1 … Db-n ── one pooled connection each ──▶ PostgreSQL
       ▲                                     │
       └── result, exception or deadline ◀───┘

The caller leaves at its deadline, whatever the server, the network or the pool are doing; the connection of the job it
left is cut, so that its thread is free for the next one. Works in plain threads and, with psycogreen, in greenlets.
Threads start at the first `run` in a process, so that an object made before a fork works after it. Holds no query.
"""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import psycopg2.extensions
from sqlalchemy import Engine, QueuePool, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from media_ws_ai.errors import ContractError
from media_ws_ai.store.cutting import CuttableConnection, Cutter, current
from scheduling.db import make_engine, normalise_url

T = TypeVar("T")

logger = logging.getLogger(__name__)

THREADS: Final = 4
JOBS_WAITING: Final = 64
CLOSE_DEADLINE_S: Final = 5.0

UNAVAILABLE_STATES: Final = {
    "42P01": "a table is missing: run `media-ws-ai db upgrade`",
    "42703": "a column is missing: run `media-ws-ai db upgrade`",
    "25006": "the server takes no writes now",
    "42501": "a permission is missing: grant our user the tables",
}
"""SQLSTATEs which say that the server cannot do our work, though the connection is well."""


class DatabaseUnavailable(Exception):
    """The work was not done, or not known to be done, in time; the message says why.

    At a deadline a commit may have happened all the same: what is run must bear being run again.
    """


@dataclass(frozen=True, slots=True)
class DatabaseCounts:
    """What happened since the process began to use the database.

    jobs: asked for. timeouts: left at the deadline. refused: not accepted, too many waiting. failures: the server or
    the way to it, before the deadline. errors: anything else that a job raised.
    """

    jobs: int = 0
    timeouts: int = 0
    refused: int = 0
    failures: int = 0
    errors: int = 0


class _Job(Generic[T]):
    def __init__(self, work: Callable[[Session], T], lock: threading.Lock) -> None:
        self.work = work
        self.cutter = Cutter(lock)
        self.done = threading.Event()
        self.value: T | None = None
        self.error: Exception | None = None


class _Running:
    """What belongs to one process: the engine, the queue, the threads, the counts."""

    def __init__(self, url: str, threads: int, jobs_waiting: int, connect_timeout_s: float) -> None:
        self.pid = os.getpid()
        self.jobs: queue.Queue[_Job[Any] | None] = queue.Queue(jobs_waiting)
        self.cut_lock = threading.Lock()
        self.count_lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.engine: Engine = make_engine(
            url,
            threads,
            connect_timeout_s=connect_timeout_s,
            connection_factory=CuttableConnection,
            before_connect=_refuse_when_cut,
        )
        self.threads = [
            threading.Thread(target=self._work, name=f"Db-{number}", daemon=True) for number in range(1, threads + 1)
        ]

    def count(self, what: str) -> None:
        with self.count_lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            if not job.cutter.is_cut:
                self._do(job)
            job.done.set()
            # A finished job is not kept alive by the wait for the next one.
            del job

    def _do(self, job: _Job[Any]) -> None:
        current.cutter = job.cutter
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                job.value = job.work(session)
        except Exception as error:
            # The thread runner: whatever a job raises is its caller's, and must not end this thread.
            job.error = error
            if job.cutter.is_cut:
                logger.info("a database job that was given up ended with: %s", first_line(error))
        finally:
            job.cutter.release()
            current.cutter = None


class Database:
    """The worker's door to PostgreSQL."""

    def __init__(
        self,
        url: str,
        *,
        threads: int = THREADS,
        jobs_waiting: int = JOBS_WAITING,
        connect_timeout_s: float = 2.0,
    ) -> None:
        """No connection is made and no thread started.

        Args:
            threads: jobs at a time, and connections at most.
            jobs_waiting: further jobs that may wait; more are refused at once.

        Raises: ValueError when the URL is none.
        """
        self._url = normalise_url(url)
        self._threads = threads
        self._jobs_waiting = jobs_waiting
        self._connect_timeout_s = connect_timeout_s
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._is_closed = False

    def run(self, work: Callable[[Session], T], deadline_s: float) -> T:
        """Do `work` in a transaction of its own and return what it returns.

        Args:
            work: runs in another thread; commits when it returns, rolls back when it raises. It must return plain
                values, must bear being run again, and must wait for nothing but the database.
            deadline_s: the longest wait, over queue, pool, connecting and work [s].

        Raises: DatabaseUnavailable; ContractError when called from within a job; what else `work` raised.
        """
        if current.cutter is not None:
            raise ContractError("a database job may not run another: it would wait for its own thread")
        running = self._started()
        running.count("jobs")
        job = _Job(work, running.cut_lock)
        try:
            running.jobs.put_nowait(job)
        except queue.Full:
            running.count("refused")
            raise DatabaseUnavailable(f"{self._jobs_waiting} database jobs are waiting already") from None
        is_done = False
        try:
            is_done = job.done.wait(deadline_s)
        finally:
            # Also when the caller itself is killed while it waits.
            if not is_done:
                job.cutter.cut()
        if not is_done:
            running.count("timeouts")
            raise DatabaseUnavailable(f"no answer from the database within {deadline_s:g} s")
        error, job.error = job.error, None
        if error is None:
            return job.value  # type: ignore[return-value]  # set by the thread, T by construction
        try:
            reason = _unavailability(error)
            running.count("errors" if reason is None else "failures")
            if reason is None:
                raise error
            raise DatabaseUnavailable(reason) from error
        finally:
            # Its traceback leads here and to the job: a circle that would keep the session until a collection.
            del error

    def attempt(self, work: Callable[[Session], T], deadline_s: float) -> T:
        """As `run`, for callers who go on without the database: whatever it says against the work is unavailability.

        Raises: DatabaseUnavailable; ContractError; what `work` itself raised, if not about the database.
        """
        try:
            return self.run(work, deadline_s)
        except (SQLAlchemyError, psycopg2.Error) as error:
            raise DatabaseUnavailable(first_line(error)) from error

    def ping(self, deadline_s: float) -> bool:
        """Whether the database answers in time."""
        try:
            return self.attempt(_select_one, deadline_s) == 1
        except DatabaseUnavailable as reason:
            logger.info("the database does not answer: %s", reason)
            return False

    def connections(self) -> int:
        """Connections open in this process, in use or pooled."""
        running = self._running
        if running is None or running.pid != os.getpid():
            return 0
        pool = running.engine.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedin() + pool.checkedout()

    def waiting(self) -> int:
        """Jobs that no thread has taken yet."""
        running = self._running
        return 0 if running is None else running.jobs.qsize()

    def counts(self) -> DatabaseCounts:
        running = self._running
        if running is None:
            return DatabaseCounts()
        with running.count_lock:
            return DatabaseCounts(**running.counts)

    def close(self, deadline_s: float = CLOSE_DEADLINE_S) -> bool:
        """End the threads and close the connections; jobs already accepted are finished first.

        Returns: False when a thread outlived the deadline (a job that waits for something else than the database).
        """
        with self._lock:
            self._is_closed = True
            running = self._running
        if running is None or running.pid != os.getpid():
            return True
        end = time.monotonic() + deadline_s
        try:
            for _ in running.threads:
                running.jobs.put(None, timeout=max(0.0, end - time.monotonic()))
        except queue.Full:
            logger.warning("the database's jobs did not end within %g s", deadline_s)
            return False
        for thread in running.threads:
            thread.join(max(0.0, end - time.monotonic()))
        running.engine.dispose()
        survivors = [thread.name for thread in running.threads if thread.is_alive()]
        if survivors:
            logger.warning("still alive after %g s: %s", deadline_s, ", ".join(survivors))
        return not survivors

    def _started(self) -> _Running:
        with self._lock:
            if self._is_closed:
                raise DatabaseUnavailable("the database is closed in this process")
            running = self._running
            if running is not None and running.pid == os.getpid():
                return running
            _check_wiring()
            if running is not None:
                # After a fork: those sockets are the parent's to close.
                running.engine.dispose(close=False)
            running = _Running(self._url, self._threads, self._jobs_waiting, self._connect_timeout_s)
            for thread in running.threads:
                thread.start()
            self._running = running
            return running


def _select_one(session: Session) -> int:
    return int(session.execute(text("SELECT 1")).scalar_one())


def _refuse_when_cut() -> None:
    if current.cutter is not None:
        current.cutter.refuse_when_cut()


def _check_wiring() -> None:
    """A psycopg2 that waits in C would stop every call of a gevent worker: better not to start."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return
    if psycopg2.extensions.get_wait_callback() is None:
        raise ContractError(
            "gevent is patched but psycopg2 is not: call psycogreen.gevent.patch_psycopg() after the fork"
        )


def _unavailability(error: Exception) -> str | None:
    """Why the work could not be done, when the reason is the database; None when it is the work itself."""
    if isinstance(error, PoolTimeout):
        return "no connection was free in time"
    if isinstance(error, (OperationalError, InterfaceError)):
        return first_line(error.orig or error)
    if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return first_line(error)
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return first_line(error.orig or error)
        return UNAVAILABLE_STATES.get(getattr(error.orig, "pgcode", None) or "")
    return None


def first_line(error: BaseException) -> str:
    """What went wrong, without the lines in which PostgreSQL quotes the row: they hold what people said."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
