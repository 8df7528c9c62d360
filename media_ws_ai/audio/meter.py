"""What left, how evenly: frames, rate while play-out was due, largest gap within an answer (A1).

A frame is charged the time since the frame before it in the same answer, and the first one 20 ms; a hole that is
still open when a second ends is charged to that second. So a full second of even speech reads 50.0 wherever the
second's borders fall, and a hole lowers the rate instead of hiding in the silence around it.
"""

from dataclasses import dataclass

from media_ws_ai.audio.frame import FRAME_SEC


@dataclass(frozen=True, slots=True)
class Second:
    """One reading: rate [1/s] while due, largest gap [ms], frames."""

    fps: float
    max_gap_ms: float
    frames: int


class Meter:
    """Counts frames as they leave. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.frames = 0
        self.max_gap_ms = 0.0
        self._due_s = 0.0
        self._frames_now = 0
        self._due_now_s = 0.0
        self._gap_now_s = 0.0
        self._last_at: float | None = None
        self._charged_to = 0.0

    def frame(self, now: float) -> None:
        """A frame of the running answer left."""
        last = self._last_at
        if last is None:
            self._due_now_s += FRAME_SEC
        else:
            self._gap_now_s = max(self._gap_now_s, now - last)
            self._due_now_s += now - self._charged_to
        self._last_at = self._charged_to = now
        self._frames_now += 1

    def end(self) -> None:
        """The running answer has ended, or was flushed: what follows is no gap of it."""
        self._last_at = None

    def second(self, now: float) -> Second:
        """Close the current second and start the next."""
        last = self._last_at
        if last is not None and now - last > 2 * FRAME_SEC:
            self._gap_now_s = max(self._gap_now_s, now - last)
            self._due_now_s += now - self._charged_to
            self._charged_to = now
        fps = self._frames_now / self._due_now_s if self._due_now_s > 0 else 0.0
        reading = Second(fps, self._gap_now_s * 1000.0, self._frames_now)
        self.frames += self._frames_now
        self._due_s += self._due_now_s
        self.max_gap_ms = max(self.max_gap_ms, reading.max_gap_ms)
        self._frames_now, self._due_now_s, self._gap_now_s = 0, 0.0, 0.0
        return reading

    def average_fps(self) -> float:
        """Over all seconds closed so far; 0.0 when nothing was ever due."""
        return self.frames / self._due_s if self._due_s > 0 else 0.0
