"""How loud the line is when nobody speaks, and how loud a frame must be to be worth a second look. No verdicts here.

The level is RMS of 16-bit PCM. The gate stands over the mean by a factor (a steady noise), by a number of mean
deviations (a noise that comes and goes), and over the ceiling: what was loud and proved not to be speech.
"""

from collections.abc import Sequence
from typing import Final

LEAST_GATE: Final = 45.0
"""-57 dBFS: below it lies the noise of any line, and no caller who could be understood."""
OVER_MEAN: Final = 1.75
"""5 dB: speech that is 5 dB over its noise stands higher than this in its vowels."""
DEVIATIONS: Final = 4.0
RATE: Final = 0.03
"""Share of a frame in mean and deviation: 0.7 s to follow most of a change."""
LEARNING_FRAMES: Final = 8
"""From the start: before them nothing is known that a frame could stand out from."""
CEILING_FADE: Final = 0.99
"""A frame; the ceiling halves in 1.4 s."""
MOST_OVER_MEAN: Final = 6.0
"""16 dB: what was rejected may not make the detector deaf."""
REJECTED_WEIGHT: Final = 1.5
"""Times the gate: as loud a rejected frame counts at most, so that a tone or a blow does not lift the mean."""


class Floor:
    """Learns from frames that are not speech; `gate` follows."""

    def __init__(self) -> None:
        self.gate = LEAST_GATE
        self._mean = 0.0
        self._deviation = 0.0
        self._ceiling = 0.0
        self._frames = 0

    @property
    def is_ready(self) -> bool:
        return self._frames >= LEARNING_FRAMES

    def learn(self, level: float) -> None:
        """One frame that is not speech."""
        self._frames += 1
        if self._frames == 1:
            self._mean, self._deviation = level, level * 0.2
        rate = max(RATE, 1.0 / self._frames)
        off = level - self._mean
        self._mean += off * rate
        self._deviation += (abs(off) - self._deviation) * rate
        mean = self._mean
        wanted = max(mean * OVER_MEAN, mean + DEVIATIONS * self._deviation, self._ceiling)
        self.gate = max(LEAST_GATE, min(wanted, mean * MOST_OVER_MEAN))

    def fade(self) -> None:
        """One frame went by below the gate."""
        self._ceiling *= CEILING_FADE

    def reject(self, levels: Sequence[int]) -> None:
        """These frames stood over the gate and were not speech: noise of this kind is to be expected again."""
        most = self.gate * REJECTED_WEIGHT
        for level in levels:
            self.learn(min(level, most))
        self._ceiling = max(self._ceiling, min(most, sum(levels) / len(levels)))

    def adopt(self, low: float, high: float) -> None:
        """A sound that stands still between these levels is the new floor."""
        self._mean = (low + high) / 2
        self._deviation = (high - low) / 4
        self.learn(self._mean)
