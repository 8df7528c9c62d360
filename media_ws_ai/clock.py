"""Time as an argument: the monotonic clock of the shells, a manual one for tests, and one deadline over many waits."""

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds."""

    def now(self) -> float: ...


class MonotonicClock:
    """The process's monotonic clock [s]."""

    def now(self) -> float:
        return time.monotonic()


class ManualClock:
    """Moves only when told to; for tests of logic."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def advance(self, seconds: float) -> float:
        self.at += seconds
        return self.at


class Deadline:
    """One span of time [s], spent across several waits."""

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self._clock = clock or MonotonicClock()
        self._at = self._clock.now() + seconds

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._at - self._clock.now())

    def is_over(self) -> bool:
        return self.left() == 0.0
