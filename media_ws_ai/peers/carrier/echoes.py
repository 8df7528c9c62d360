"""Marks on their way back: echoed when their audio has been played, with the faults the plan asks for."""

import asyncio
from collections.abc import Callable
from typing import Final

from media_ws_ai.peers.carrier.line import Line
from media_ws_ai.peers.carrier.playout import Playout

MAX_PENDING: Final = 20_000
"""Ten minutes of a mark every 30 ms. A worker that has more pending is told nothing of the rest."""


class Echoes:
    """Owns the timer that waits for the next mark's audio to have been played."""

    def __init__(self, line: Line, playout: Playout, post: Callable[[str], None]) -> None:
        self._line = line
        self._faults = line.plan.marks
        self._playout = playout
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._late: dict[int, asyncio.TimerHandle] = {}
        self._count = 0

    def mark(self, name: str, now: float) -> None:
        """A mark arrived."""
        if self._playout.mark(name, now):
            self._line.marks.empty += 1
            self._echo(name)
        elif self._playout.pending > MAX_PENDING:
            self._line.warn("31931", f"more than {MAX_PENDING} marks are pending")
            self._line.marks.lost += len(self._playout.clear_marks())
        elif self._timer is None:
            self._arm()

    def clear(self, names: list[str]) -> None:
        """The buffer was cleared: all that was pending is echoed at once, played or not."""
        self._disarm()
        self._line.marks.cleared += len(names)
        for name in names:
            self._post(name)

    def close(self) -> None:
        """No more echoes."""
        self._disarm()
        self._line.marks.pending_at_end += self._playout.pending + len(self._late)
        for timer in self._late.values():
            timer.cancel()
        self._late.clear()

    def _arm(self) -> None:
        due = self._playout.next_due()
        self._timer = None if due is None else self._loop.call_at(due, self._played)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _played(self) -> None:
        for name in self._playout.due(self._loop.time()):
            self._line.marks.played += 1
            self._echo(name)
        self._arm()

    def _echo(self, name: str) -> None:
        self._count += 1
        faults = self._faults
        if faults.lose_every and self._count % faults.lose_every == 0:
            self._line.marks.lost += 1
        elif faults.late_ms and self._count % faults.late_every == 0:
            self._line.marks.late += 1
            number = self._count
            self._late[number] = self._loop.call_later(faults.late_ms / 1000, self._echo_late, number, name)
        else:
            self._post(name)

    def _echo_late(self, number: int, name: str) -> None:
        del self._late[number]
        self._post(name)
