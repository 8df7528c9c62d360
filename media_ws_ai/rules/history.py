"""The conversation as both sides heard it: what a renewed model, or another worker, is told."""

from bisect import insort
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
    """Lines in the order in which they began to be heard.

    That is not the order in which they become known: the caller's transcript of what was said over our sentence may
    come before that sentence is over.
    """

    def __init__(self, earlier: tuple[Said, ...] = ()) -> None:
        self._earlier = earlier[-MAX_LINES:]
        """Of streams before this one, whose offsets count from another moment: never mixed with ours."""
        self._lines: list[Said] = []

    def add(self, role: str, text: str, offset_ms: int) -> Said:
        line = Said(role, text[:MAX_LINE_CHARS], offset_ms)
        insort(self._lines, line, key=_began)
        del self._lines[:-MAX_LINES]
        return line

    def lines(self, besides: tuple[Said, ...] = ()) -> tuple[Said, ...]:
        """The newest lines, with `besides` (being heard, not added yet) in their places."""
        own = sorted((*self._lines, *besides), key=_began)
        return (*self._earlier, *own)[-MAX_LINES:]

    def __len__(self) -> int:
        return len(self.lines())


def _began(line: Said) -> int:
    return line.offset_ms
