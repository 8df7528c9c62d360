"""The caller's timeline without holes: where the carrier's timestamps jump, silence is put in, and counted."""

from typing import Final

from media_ws_ai.audio.frame import PTIME_MS, SILENCE

MAX_FILL_MS: Final = 500
"""A longer hole is not filled whole: the model would hear a pause that the caller did not make."""


class Continuity:
    """Watches `timestamp_ms` of caller frames."""

    def __init__(self) -> None:
        self._expected_ms: int | None = None
        self.filled_ms = 0
        self.skipped_ms = 0
        self.backward = 0

    def missing_before(self, timestamp_ms: int) -> list[bytes]:
        """Frames of silence to put before the frame stamped `timestamp_ms`; mostly none."""
        expected, self._expected_ms = self._expected_ms, timestamp_ms + PTIME_MS
        if expected is None or timestamp_ms == expected:
            return []
        if timestamp_ms < expected:
            self.backward += 1
            if expected - timestamp_ms <= MAX_FILL_MS:
                self._expected_ms = max(expected, self._expected_ms)  # a frame out of place leaves no hole behind it
            return []
        gap_ms = timestamp_ms - expected
        frames = min(gap_ms, MAX_FILL_MS) // PTIME_MS
        self.filled_ms += frames * PTIME_MS
        self.skipped_ms += gap_ms - frames * PTIME_MS
        return [SILENCE] * frames
