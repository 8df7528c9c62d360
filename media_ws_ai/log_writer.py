"""The one writer of the log: a bounded queue and a native thread, so that no call ever waits for a pipe.

    put(line) ──▶ deque, bounded in lines and bytes ──▶ native thread ──▶ os.write(fd)

Under gevent a patched thread is a greenlet, and its write to a full pipe stops every call of the worker (measured:
1.3 s for 3,000 lines). So thread, lock and poll are the original ones, whether or not the process is patched; nothing
in `_run` may touch a patched primitive. The lock guards a few assignments, never a system call.

Full: the oldest line is dropped and counted, for the latest lines tell why it stands still; the loss is reported in
the log itself as soon as it flows again. The thread starts with the first line, in whichever process writes it; it
is stopped before a fork and starts anew on both sides. It does not close the descriptor, nor format anything.
"""

import atexit
import os
import select
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from gevent.monkey import get_original

MAX_LINES: Final = 8192
MAX_BYTES: Final = 2 << 20
BATCH_BYTES: Final = select.PIPE_BUF
"""Longest single write of several lines: up to this size lines of several workers on one pipe cannot mix."""
EXIT_FLUSH_S: Final = 0.5
FORK_PAUSE_S: Final = 0.2
_POLL_MS: Final = 100

_start_new_thread: Final[Callable[..., int]] = get_original("_thread", "start_new_thread")
_allocate_lock: Final[Callable[[], Any]] = get_original("_thread", "allocate_lock")
_rlock: Final[Callable[[], Any]] = get_original("_thread", "RLock")
_poll: Final[Callable[[], Any]] = get_original("select", "poll")


class LogWriter:
    """Writes lines to `fd` from a native thread; no method but `flush` and `close` ever waits.

    `lost_line(n)` makes the line that reports n lost ones; it is called in the native thread.
    """

    def __init__(
        self,
        fd: int,
        lost_line: Callable[[int], bytes],
        *,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._fd = fd
        self._lost_line = lost_line
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._written_lines = 0
        self._lost_lines = 0
        self._write_errors = 0
        self._closed = False
        self._renew()
        _alive.add(self)

    def _renew(self) -> None:
        """State of one process: nothing queued, no thread, locks that nobody holds."""
        # Re-entrant: a finaliser or a signal handler may log in the midst of a `put` of its own thread.
        self._lock = _rlock()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._lost_unreported = 0
        self._running = False
        self._stopping = False
        self._writing = 0
        self._wake = _allocate_lock()
        self._wake.acquire()
        self._asleep = False
        self._waiters: list[Any] = []

    def put(self, line: bytes) -> None:
        """Queue one line (with its newline). Never waits; the oldest lines go when there is no room."""
        with self._lock:
            if self._closed:
                self._lost_lines += 1
                return
            self._lines.append(line)
            self._bytes += len(line)
            while len(self._lines) > self._max_lines or (self._bytes > self._max_bytes and len(self._lines) > 1):
                self._bytes -= len(self._lines.popleft())
                self._lost_lines += 1
                self._lost_unreported += 1
            self._rouse()

    def flush(self, deadline_s: float) -> bool:
        """Wait until everything queued so far is written, at most `deadline_s`; False when it is not.

        Blocks the whole process under gevent: for exits and tests.
        """
        with self._lock:
            if not self._lines and not self._writing:
                return True
            done = _allocate_lock()
            done.acquire()
            self._waiters.append(done)
            self._rouse()
        # A thread that pauses for a fork releases its waiters too, with lines still queued.
        return bool(done.acquire(timeout=max(0.0, deadline_s))) and not self._lines

    def close(self, deadline_s: float = EXIT_FLUSH_S) -> bool:
        """Write what is queued, at most `deadline_s`, and end the thread; what remains counts as lost."""
        until = time.monotonic() + deadline_s
        flushed = self.flush(deadline_s)
        with self._lock:
            self._closed = True
            self._lost_lines += len(self._lines)
            self._lines.clear()
            self._bytes = 0
        self._stop(max(0.0, until - time.monotonic()))
        _alive.discard(self)
        return flushed

    def counters(self) -> dict[str, int]:
        """`written`, `lost`, `queued` lines, `queued_bytes`, `write_errors`."""
        with self._lock:
            return {
                "written": self._written_lines,
                "lost": self._lost_lines,
                "queued": len(self._lines) + self._writing,
                "queued_bytes": self._bytes,
                "write_errors": self._write_errors,
            }

    def _rouse(self) -> None:
        """Start the thread or wake it; the lock is held."""
        if not self._running:
            self._running = True
            self._stopping = False
            try:
                _start_new_thread(self._run, ())
            except RuntimeError:  # the interpreter is shutting down: no thread any more
                self._running = False
                self._closed = True
                self._lost_lines += len(self._lines)
                self._lines.clear()
                self._bytes = 0
        elif self._asleep:
            self._asleep = False
            self._wake.release()

    def _stop(self, deadline_s: float) -> None:
        """End the thread, waiting at most `deadline_s`; a thread in a stalled write is left to its daemon's end."""
        with self._lock:
            if not self._running:
                return
            done = _allocate_lock()
            done.acquire()
            self._waiters.append(done)
            self._stopping = True
            self._rouse()
        done.acquire(timeout=deadline_s)

    def _resume(self) -> None:
        """Go on with what is still queued, after a fork."""
        with self._lock:
            if self._lines and not self._closed:
                self._rouse()

    def _run(self) -> None:
        """The native thread."""
        lock = self._lock
        try:
            while True:
                with lock:
                    batch, count, reported = self._take()
                    if not batch:
                        self._release_waiters()
                        if self._stopping:
                            self._running = False
                            return
                        self._asleep = True
                if not batch:
                    self._wake.acquire()
                    continue
                broken = self._write(batch)
                with lock:
                    self._writing = 0
                    if broken:
                        self._write_errors += 1
                        self._lost_lines += count
                        self._lost_unreported += count + reported
                    else:
                        self._written_lines += count
        except BaseException:
            with lock:
                # Whatever ended it is printed by the interpreter; the next line starts a new thread.
                self._running = False
            raise

    def _take(self) -> tuple[bytes, int, int]:
        """The next batch, its lines, and how many lost before it are reported in it; the lock is held."""
        if self._stopping or not self._lines:
            return b"", 0, 0
        parts = []
        size = 0
        reported, self._lost_unreported = self._lost_unreported, 0
        if reported:
            parts.append(self._lost_line(reported))
            size = len(parts[0])
        count = 0
        while self._lines and (not count or size + len(self._lines[0]) <= BATCH_BYTES):
            line = self._lines.popleft()
            self._bytes -= len(line)
            size += len(line)
            parts.append(line)
            count += 1
        self._writing = count
        return b"".join(parts), count, reported

    def _write(self, batch: bytes) -> bool:
        """Write all of it, waiting as long as the reader takes; True when the descriptor is broken."""
        rest = memoryview(batch)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                waiting = _poll()
                waiting.register(self._fd, select.POLLOUT)
                waiting.poll(_POLL_MS)
            except OSError:
                return True
        return False

    def _release_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for each in waiters:
            each.release()


_alive: "weakref.WeakSet[LogWriter]" = weakref.WeakSet()


def _before_fork() -> None:
    # A fork beside a running thread is a warning today and a deadlock some day.
    for writer in list(_alive):
        writer._stop(FORK_PAUSE_S)


def _in_parent() -> None:
    for writer in list(_alive):
        writer._resume()


def _in_child() -> None:
    # The parent writes what was queued before the fork.
    for writer in list(_alive):
        writer._renew()


def _at_exit() -> None:
    for writer in list(_alive):
        writer.close(EXIT_FLUSH_S)


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
atexit.register(_at_exit)
