"""When the next frame is due: an absolute 20 ms clock. It never asks for a negative wait and never makes a burst.

due ──20 ms──▶ due ──20 ms──▶ due            on time, or late by less than a frame: the schedule stands
due ─────────────31 ms──▶ now ──20 ms──▶     late by a frame or more: it restarts at now (`resyncs`)
due … nothing to send … frame ──20 ms──▶     starved: it restarts at the frame, which is no lateness of ours
"""

from media_ws_ai.audio.frame import FRAME_SEC


class Pacer:
    """Keeps the schedule of outgoing frames. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: float | None = None
        self._was_starved = True
        self.resyncs = 0

    def due_at(self, now: float) -> float:
        """When the next frame may leave; `now` or later."""
        return now if self._due is None else max(now, self._due)

    def is_due(self, now: float) -> bool:
        return self._due is None or now >= self._due

    def emptied(self) -> None:
        """What was there has been thrown away: the next frame begins anew, and is not late."""
        self._was_starved = True

    def sent(self, now: float, has_more: bool) -> None:
        """A frame left at `now`. `has_more`: the next one is already there."""
        due = self._due
        if due is None or (self._was_starved and now > due):
            due = now
        elif now - due >= FRAME_SEC:
            self.resyncs += 1
            due = now
        self._due = due + FRAME_SEC
        self._was_starved = not has_more
