"""A bounded queue between two threads, with a declared rule for full.

    put never blocks      full: the oldest droppable item makes room (counted), else the new item is refused (counted)
    take waits, bounded   and brings everything that is there, in order
    close wakes takers    and refuses what comes after

| channel | items                  | bound                                  | when full                               |
|---------|------------------------|----------------------------------------|-----------------------------------------|
| uplink  | orders to the model    | 50 of caller audio (1 s), 512 of others| oldest audio goes; an order refused ends |
|         |                        |                                        | the connection                          |
| tools   | tool calls             | 8                                      | refused: the model is told so           |

The carrier's direction has no channel: `audio.outlet` is its bound (130 s and 500 frames).
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Safe for any number of writers and one taker."""

    def __init__(
        self, capacity: int, is_droppable: Callable[[T], bool] | None = None, droppable_capacity: int = 0
    ) -> None:
        """Raises ValueError for a droppable kind without room of its own: it could not even replace its oldest."""
        if is_droppable is not None and droppable_capacity < 1:
            raise ValueError("droppable items need a droppable_capacity of 1 or more")
        self._capacity = capacity
        self._is_droppable = is_droppable
        self._droppable_capacity = droppable_capacity
        self._items: deque[T] = deque()
        self._droppables = 0
        self._lock = threading.Lock()
        self._has_items = threading.Event()
        self._is_closed = False
        self.dropped = 0
        self.refused = 0

    def put(self, item: T) -> bool:
        """False: refused, because the channel is full of what may not be lost, or closed."""
        with self._lock:
            if self._is_closed:
                self.refused += 1
                return False
            if self._is_droppable is not None and self._is_droppable(item):
                if self._droppables >= self._droppable_capacity:
                    self._drop_oldest(self._is_droppable)
                self._droppables += 1
            elif len(self._items) - self._droppables >= self._capacity:
                self.refused += 1
                return False
            self._items.append(item)
            if len(self._items) == 1:
                self._has_items.set()
            return True

    def _drop_oldest(self, is_droppable: Callable[[T], bool]) -> None:
        place = next(i for i, item in enumerate(self._items) if is_droppable(item))
        del self._items[place]
        self._droppables -= 1
        self.dropped += 1

    def take(self, timeout_s: float) -> list[T]:
        """Everything that is there; waits up to `timeout_s` for the first. Empty: nothing came, or closed."""
        self._has_items.wait(timeout_s)
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._droppables = 0
            if not self._is_closed:
                self._has_items.clear()
            return items

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        """Wake the taker; what is queued can still be taken."""
        with self._lock:
            self._is_closed = True
            self._has_items.set()
