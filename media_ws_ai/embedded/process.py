"""Facts about processes that need not be our children: which one, alive or not, and a bounded end.

A pid alone proves nothing: it may be `<defunct>` for as long as its new parent does not reap it, or belong to
another program by now. So a process is named by pid and start time, and its state is read from /proc.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.01  # /proc tells nobody of a change, so it is asked


@dataclass(frozen=True)
class Process:
    """One process, told from later ones with the same pid by its start [clock ticks since boot]."""

    pid: int
    started: int

    @classmethod
    def find(cls, pid: int) -> "Process | None":
        """The process that has this pid now, or None when there is none alive."""
        stat = _stat(pid)
        return None if stat is None else cls(pid, stat[1])

    def is_alive(self) -> bool:
        stat = _stat(self.pid)
        return stat is not None and stat[0] not in "ZXx" and stat[1] == self.started

    def wait_gone(self, within_s: float) -> bool:
        """Wait until it has ended, reaped or not; False at the deadline."""
        deadline = time.monotonic() + within_s
        while self.is_alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        return True

    def end(self, steps: tuple[tuple[signal.Signals, float], ...]) -> bool:
        """Send each signal in turn and give it its seconds; False when it outlived them all."""
        for number, within_s in steps:
            if not self.is_alive():
                return True
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return True
            if self.wait_gone(within_s):
                return True
        return not self.is_alive()


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time; the command's name before them may hold spaces and brackets."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[19])
