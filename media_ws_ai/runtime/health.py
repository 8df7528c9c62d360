"""Whether the model answers this process: three failed connections in a row, and the worker is not ready for a while.

Reached means that a session was configured as asked; an upgrade alone proves nothing.
"""

import threading
from typing import Final

from media_ws_ai.clock import Clock, MonotonicClock

FAILURES: Final = 3
LAPSE_S: Final = 30.0
"""A verdict is forgotten after so long: only a call can find out that the model is back, so one must come."""


class ModelHealth:
    """Counts connections; shared by all calls of a process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or MonotonicClock()
        self._failed_at = 0.0
        self._lock = threading.Lock()
        self._in_row = 0
        self.connections = 0
        self.failures = 0

    def reached(self) -> None:
        with self._lock:
            self.connections += 1
            self._in_row = 0

    def failed(self) -> None:
        with self._lock:
            self.failures += 1
            self._in_row += 1
            self._failed_at = self._clock.now()

    @property
    def is_reachable(self) -> bool:
        return self._in_row < FAILURES or self._clock.now() - self._failed_at >= LAPSE_S
