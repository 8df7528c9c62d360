"""The loudness of one track, a number for each 100 ms, for the page that shows the call. Not a voice detector."""

from typing import Final

from media_ws_ai.audio.frame import PTIME_MS
from media_ws_ai.audio.g711 import FLOOR_DBOV, level_dbov

STEP_MS: Final = 100

MAX_FRAMES: Final = 2 * STEP_MS // PTIME_MS
"""Frames of one step. Stamps jitter, so a step may have more than five; a stamp that stands still has no end."""

MAX_STEPS: Final = 36_000
"""Steps between two takes: an hour. A carrier's stamp can be any number, and silence up to it is filled in."""


class Levels:
    """Gathers frames with their place on the call's time axis; silence between them is filled in."""

    def __init__(self) -> None:
        self._block = b""
        self._block_frames = 0
        self._block_ms = 0
        self._start_ms = 0
        self._has_begun = False
        self._out: list[int] = []
        self.left_out = 0
        """Frames whose step was closed or full."""
        self.steps_lost = 0
        """Steps for which there was no room."""

    def frame(self, audio: bytes, at_ms: int) -> None:
        """One frame heard at `at_ms` since the start of the stream."""
        step_ms = at_ms - at_ms % STEP_MS
        if not self._has_begun and step_ms >= 0:
            self._has_begun = True
            self._start_ms = self._block_ms = step_ms
        if step_ms > self._block_ms:
            self._close(step_ms)
        if step_ms < self._block_ms or self._block_frames >= MAX_FRAMES:
            self.left_out += 1
            return
        self._block += audio
        self._block_frames += 1

    def _close(self, next_ms: int) -> None:
        self._put(level_dbov(self._block), 1)
        self._put(FLOOR_DBOV, (next_ms - self._block_ms) // STEP_MS - 1)
        self._block, self._block_frames, self._block_ms = b"", 0, next_ms

    def _put(self, level: int, steps: int) -> None:
        fits = min(steps, MAX_STEPS - len(self._out))
        self._out.extend([level] * fits)
        self.steps_lost += steps - fits

    def finish(self) -> None:
        """No more frames come: the open step is as full as it will be."""
        if self._block_frames:
            self._close(self._block_ms + STEP_MS)

    def take(self) -> tuple[int, list[int]]:
        """(start [ms], levels [dBov] a step of 100 ms each) gathered since the last take; the open step stays."""
        start, levels = self._start_ms, self._out
        self._start_ms, self._out = self._block_ms, []
        return start, levels
