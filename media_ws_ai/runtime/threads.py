"""The threads of one call: named, started together, joined within one deadline, survivors named (F2).

Each is a plain loop. An exception that leaves it is logged with its traceback and becomes the reason the call ends;
this runner and the tool runner are the only places that catch everything.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final

from media_ws_ai import markers
from media_ws_ai.clock import Deadline
from media_ws_ai.logs import CallLog

JOIN_S: Final = 5.0

_log: Final = logging.getLogger(__name__)


class CallThreads:
    """Started in order, joined in order. `threading.Thread`: greenlets under the gevent worker."""

    def __init__(self, call_sid: str, log: CallLog, failed: Callable[[str, Exception], None]) -> None:
        self._suffix = call_sid[-6:]
        self._log = log
        self._failed = failed
        self._threads: list[tuple[str, threading.Thread]] = []
        self.stop = threading.Event()

    def start(self, parts: Iterable[tuple[str, Callable[[], None]]]) -> None:
        """Start each (role, loop); a loop returns when `stop` is set."""
        for role, loop in parts:
            thread = threading.Thread(target=self._run, args=(role, loop), name=f"{role}-{self._suffix}", daemon=True)
            self._threads.append((role, thread))
            thread.start()

    def _run(self, role: str, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Exception as error:
            if self.stop.is_set():
                return
            _log.exception("%s of call %s", role, self._suffix)
            self._log.write(markers.thread_failed(role=role, error=f"{type(error).__name__}: {error}"))
            self._failed(role, error)

    def is_alive(self, role: str) -> bool:
        return any(name == role and thread.is_alive() for name, thread in self._threads)

    def has_ended(self, role: str, within_s: float) -> bool:
        """Wait for one."""
        for name, thread in self._threads:
            if name == role:
                thread.join(within_s)
        return not self.is_alive(role)

    def join_all(self) -> list[str]:
        """Wait for all within one deadline of 5 s; returns the roles that are still running."""
        deadline = Deadline(JOIN_S)
        total = len(self._threads)
        self._log.write(markers.threads_waiting(threads=total))
        alive: list[str] = []
        for index, (role, thread) in enumerate(self._threads):
            thread.join(deadline.left())
            if thread.is_alive():
                alive.append(role)
                self._log.write(markers.thread_stuck(index=index, role=role))
            else:
                self._log.write(markers.thread_completed(index=index))
        if alive:
            self._log.write(markers.threads_alive(alive=len(alive), threads=total))
        else:
            self._log.write(markers.threads_complete())
        return alive
