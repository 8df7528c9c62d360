"""The conversation as both sides heard it: what a renewed model, or another worker, is told."""

from collections import deque
from dataclasses import dataclass
from typing import Final

MAX_LINES: Final = 200
"""Older lines fall off; half an hour of talk is some 150."""

MAX_LINE_CHARS: Final = 2000


@dataclass(frozen=True, slots=True)
class Said:
    """One line. `role`: user (the caller) or assistant (us); offset [ms] since the stream began."""

    role: str
    text: str
    offset_ms: int = 0


class History:
    """Lines in the order in which they were heard."""

    def __init__(self, earlier: tuple[Said, ...] = ()) -> None:
        self._lines: deque[Said] = deque(earlier, maxlen=MAX_LINES)

    def add(self, role: str, text: str, offset_ms: int) -> Said:
        line = Said(role, text[:MAX_LINE_CHARS], offset_ms)
        self._lines.append(line)
        return line

    def lines(self) -> tuple[Said, ...]:
        return tuple(self._lines)

    def __len__(self) -> int:
        return len(self._lines)
