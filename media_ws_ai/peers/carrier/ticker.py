"""One clock for the caller frames of all calls: absolute deadlines, 20 ms apart, with jitter where asked for.

A late tick shortens the next wait and never shifts what follows. How late it was is kept: figures taken by a carrier
that was itself starved of the processor are worth nothing, and the report says so.
"""

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Final

TOGETHER_S: Final = 0.0005
"""Deadlines this near are served in one go."""
IDLE_S: Final = 3600.0

LEAD_S: Final = 0.020
"""A deadline added is at least so far ahead, or it is served late."""

Tick = Callable[[float], float | None]
"""Does what is due at the time given; returns the next deadline [monotonic s], None when there is none."""
Failed = Callable[[Exception], None]
"""Told of the exception that ended a tick for good: the clock goes on for all others."""


class Ticker:
    """Calls each `Tick` at its deadline."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Tick, Failed]] = []
        self._order = count()
        self._changed = asyncio.Event()
        self.ticks = 0
        self.late_over = {2: 0, 5: 0, 20: 0, 60: 0}
        self.late_max_ms = 0.0

    def add(self, due: float, tick: Tick, failed: Failed) -> None:
        """Call `tick` at `due`, and again for as long as it names a next time."""
        heapq.heappush(self._heap, (due, next(self._order), tick, failed))
        self._changed.set()

    async def run(self) -> None:
        """Serve deadlines until cancelled."""
        heap = self._heap
        while True:
            now = time.monotonic()
            wait_s = heap[0][0] - now if heap else IDLE_S
            if wait_s > TOGETHER_S:
                await self._wait(wait_s)
                continue
            while heap and heap[0][0] <= now + TOGETHER_S:
                due, order, tick, failed = heapq.heappop(heap)
                self._note(now - due)
                try:
                    following = tick(now)
                except Exception as error:  # a runner's: one call's fault must not stop the clock of the others
                    failed(error)
                    continue
                if following is not None:
                    heapq.heappush(heap, (following, order, tick, failed))
            await asyncio.sleep(0)

    async def _wait(self, wait_s: float) -> None:
        """Until the time has passed, or until a deadline was added to an idle clock."""
        if wait_s <= LEAD_S:
            await asyncio.sleep(wait_s)
            return
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), wait_s)
        except TimeoutError:
            return

    def _note(self, late_s: float) -> None:
        self.ticks += 1
        late_ms = late_s * 1000
        if late_ms > 2:
            self.late_max_ms = max(self.late_max_ms, late_ms)
            for limit in self.late_over:
                self.late_over[limit] += late_ms > limit

    def figures(self) -> dict[str, object]:
        """How punctual this clock was: ticks, and how many came later than n ms."""
        return {
            "ticks": self.ticks,
            "late_max_ms": round(self.late_max_ms, 2),
            "late_over_ms": {str(limit): number for limit, number in self.late_over.items()},
        }
