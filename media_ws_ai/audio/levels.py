"""The loudness of one track, a number for each 100 ms, for the page that shows the call. Not a voice detector."""

from typing import Final

from media_ws_ai.audio.frame import PTIME_MS
from media_ws_ai.audio.g711 import FLOOR_DBOV, level_dbov

STEP_MS: Final = 100
_FRAMES: Final = STEP_MS // PTIME_MS


class Levels:
    """Gathers frames with their place on the call's time axis; silence between them is filled in."""

    def __init__(self) -> None:
        self._block = b""
        self._block_frames = 0
        self._block_ms = 0
        self._start_ms = 0
        self._out: list[int] = []

    def frame(self, audio: bytes, at_ms: int) -> None:
        """One frame heard at `at_ms` since the start of the stream."""
        step = at_ms - at_ms % STEP_MS
        if step != self._block_ms:
            self._close(step)
        self._block += audio
        self._block_frames += 1

    def _close(self, next_ms: int) -> None:
        if self._block_frames:
            self._out.append(level_dbov(self._block))
        elif self._out:
            self._out.append(FLOOR_DBOV)
        else:
            self._start_ms = next_ms
        missing = (next_ms - self._block_ms) // STEP_MS - 1
        if missing > 0 and self._out:
            self._out.extend([FLOOR_DBOV] * missing)
        self._block, self._block_frames, self._block_ms = b"", 0, next_ms

    def take(self) -> tuple[int, list[int]]:
        """(start [ms], levels [dBov] a step of 100 ms each) gathered since the last take; the open step stays."""
        start, levels = self._start_ms, self._out
        self._start_ms, self._out = self._block_ms, []
        return start, levels
