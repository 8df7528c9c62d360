"""Whether the model answers this process: three failed connections in a row, and the worker is not ready."""

import threading
from typing import Final

FAILURES: Final = 3


class ModelHealth:
    """Counts connections; shared by all calls of a process."""

    def __init__(self) -> None:
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

    @property
    def is_reachable(self) -> bool:
        return self._in_row < FAILURES
