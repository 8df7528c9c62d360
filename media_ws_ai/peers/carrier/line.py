"""What one call remembers across its streams: figures, warnings, timeline. No sockets here.

The timeline is bounded, counts what it had to leave out, and feeds whoever watches the call live.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from media_ws_ai.peers.carrier.plan import CallPlan
from media_ws_ai.peers.carrier.script import Ear, Script
from media_ws_ai.peers.carrier.stopwatch import Stopwatch

MAX_TIMELINE: Final = 1000
EXAMPLE_CHARS: Final = 300

Note = Mapping[str, Any]
Watcher = Callable[[str, Note], None]
"""Told of every note of a call: (call_sid, {"ms", "what", …})."""


@dataclass(slots=True)
class Warnings:
    """The carrier's error and warning codes of a call: how often, and the first example of each."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, code: str, example: str) -> bool:
        """Count one; True for the first of its code (the carrier reports only that)."""
        self.counts[code] = self.counts.get(code, 0) + 1
        return self.examples.setdefault(code, example[:EXAMPLE_CHARS]) is not None and self.counts[code] == 1


@dataclass(slots=True)
class Marks:
    """Marks asked for and echoed. `held`: not echoed since the carrier was frozen."""

    received: int = 0
    played: int = 0
    empty: int = 0
    cleared: int = 0
    lost: int = 0
    late: int = 0
    pending_at_end: int = 0
    intervals: int = 0
    interval_sum_s: float = 0.0
    interval_min_s: float = float("inf")
    interval_max_s: float = 0.0
    _last: tuple[int, float] | None = None

    def arrived(self, run_number: int, now: float) -> None:
        """Count a mark during the utterance of this number; intervals are taken within one utterance."""
        self.received += 1
        if self._last is not None and self._last[0] == run_number:
            interval_s = now - self._last[1]
            self.intervals += 1
            self.interval_sum_s += interval_s
            self.interval_min_s = min(self.interval_min_s, interval_s)
            self.interval_max_s = max(self.interval_max_s, interval_s)
        self._last = (run_number, now)

    def figures(self) -> dict[str, object]:
        """The report's `marks`."""
        some = self.intervals > 0
        return {
            "received": self.received,
            "played": self.played,
            "empty": self.empty,
            "cleared": self.cleared,
            "lost": self.lost,
            "late": self.late,
            "pending_at_end": self.pending_at_end,
            "interval_ms": {
                "min": round(self.interval_min_s * 1000, 2) if some else None,
                "mean": round(self.interval_sum_s / self.intervals * 1000, 2) if some else None,
                "max": round(self.interval_max_s * 1000, 2) if some else None,
            },
        }


class Line:
    """The memory of one call."""

    def __init__(self, plan: CallPlan, call_sid: str, account_sid: str, watcher: Watcher | None = None) -> None:
        self.plan = plan
        self.call_sid = call_sid
        self.account_sid = account_sid
        self.stopwatch = Stopwatch()
        self.ear = Ear()
        self.script = Script(plan.steps)
        self.marks = Marks()
        self.warnings = Warnings()
        self.placed_at = time.monotonic()
        self.placed_wall = time.time()
        self.timeline: list[Note] = []
        self.timeline_dropped = 0
        self._watcher = watcher

    def placed(self) -> None:
        """The call is placed now, not when it was planned."""
        self.placed_at, self.placed_wall = time.monotonic(), time.time()

    def ms(self, at: float | None = None) -> float:
        """A monotonic time (default: now) in ms since the first `start`, before it since the call was placed."""
        zero = self.stopwatch.zero
        return round(((time.monotonic() if at is None else at) - (self.placed_at if zero is None else zero)) * 1000, 1)

    def note(self, what: str, at: float | None = None, **details: Any) -> None:
        """A moment for the timeline."""
        entry: dict[str, Any] = {"ms": self.ms(at), "what": what, **details}
        if len(self.timeline) < MAX_TIMELINE:
            self.timeline.append(entry)
        else:
            self.timeline_dropped += 1
        if self._watcher is not None:
            self._watcher(self.call_sid, entry)

    def warn(self, code: str, example: str) -> None:
        """Count an error or warning code; the first of a kind is noted."""
        if self.warnings.add(code, example):
            self.note("warning", code=code, text=example[:EXAMPLE_CHARS])
