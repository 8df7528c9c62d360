"""What waits for the database: ordered, bounded, and when it is full what matters least goes.

One line of waiting items per rank, each in order: the oldest of all is at the head of one of them, and so is the next
to go. Knows nothing of threads; its owner holds the lock.
"""

from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

LEVELS: Final = 0
MOMENT: Final = 1
LINE: Final = 2
WORK: Final = 3
"""Ends, intents and states of calls: what another worker and the list of calls go by."""

RANKS: Final = (LEVELS, MOMENT, LINE, WORK)


class RecorderQueue(Generic[T]):
    """Numbered items; every operation costs a look at each rank."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._ranks: tuple[deque[tuple[int, T]], ...] = tuple(deque() for _ in RANKS)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, number: int, rank: int, item: T) -> bool:
        """Add one, numbered above all before it; True when an item was lost for it: it may be the new one itself."""
        self._ranks[rank].append((number, item))
        if self._size < self._places:
            self._size += 1
            return False
        next(waiting for waiting in self._ranks if waiting).popleft()
        return True

    def oldest(self) -> int | None:
        """Number of the item that comes next; None when there is none."""
        return min((waiting[0][0] for waiting in self._ranks if waiting), default=None)

    def take(self, count: int) -> list[tuple[int, T]]:
        """Remove so many of the oldest, or all there are, in the order of their numbers."""
        taken = []
        for _ in range(min(count, self._size)):
            taken.append(min((waiting for waiting in self._ranks if waiting), key=lambda each: each[0][0]).popleft())
        self._size -= len(taken)
        return taken
