"""The play-out buffer of one stream: what the caller hears, when, and when a mark's audio has been played.

    media ─▶ │ buffered audio … (played at real time) │ ─▶ ear        marks stand between the audio they follow
    clear ─▶ throws the audio away and hands back every pending mark at once

Pure arithmetic on times passed in: no clock, no timer. All times are monotonic seconds, amounts samples of 8 kHz.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from media_ws_ai.audio.frame import SAMPLE_RATE_HZ

LIMIT_S: Final = 600.0
"""More than ten minutes buffered is discarded with warning 31931 (carrier's documentation)."""

DUE_TOLERANCE_S: Final = 1e-9
"""Sums of frame lengths are not exact; a mark due now is due."""


@dataclass(slots=True)
class Playout:
    """Audio queued behind audio. `play_end` is when the last sample buffered will have been played [s]."""

    play_end: float = 0.0
    overflow_ms: float = 0.0
    _marks: deque[tuple[float, str]] = field(default_factory=deque)

    def push(self, samples: int, now: float) -> bool:
        """Queue audio that arrived at `now`; False when the buffer is full and it was discarded."""
        if self.play_end - now + samples / SAMPLE_RATE_HZ > LIMIT_S:
            self.overflow_ms += samples * 1000 / SAMPLE_RATE_HZ
            return False
        self.play_end = max(self.play_end, now) + samples / SAMPLE_RATE_HZ
        return True

    def mark(self, name: str, now: float) -> bool:
        """Queue a mark behind the audio; True when the buffer is empty, so that it is to be echoed at once."""
        if not self._marks and self.play_end <= now + DUE_TOLERANCE_S:
            return True
        self._marks.append((max(self.play_end, now), name))
        return False

    def next_due(self) -> float | None:
        """When the next mark is to be echoed [s]."""
        return self._marks[0][0] if self._marks else None

    def due(self, now: float) -> list[str]:
        """The marks whose audio has been played by `now`, in order."""
        played = []
        while self._marks and self._marks[0][0] <= now + DUE_TOLERANCE_S:
            played.append(self._marks.popleft()[1])
        return played

    def clear(self, now: float) -> tuple[float, list[str]]:
        """Throw away what is buffered: (ms thrown away, all pending marks in order)."""
        discarded_ms = max(0.0, self.play_end - now) * 1000
        self.play_end = min(self.play_end, now)
        return discarded_ms, self.clear_marks()

    def clear_marks(self) -> list[str]:
        """Forget the pending marks, leaving the audio: what was forgotten."""
        names = [name for _, name in self._marks]
        self._marks.clear()
        return names

    def buffered_ms(self, now: float) -> float:
        """Audio not yet played [ms]."""
        return max(0.0, self.play_end - now) * 1000

    @property
    def pending(self) -> int:
        """Marks not yet echoed."""
        return len(self._marks)
