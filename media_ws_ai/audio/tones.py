"""Is a frame a keypad tone: two sine waves, one of each group, and next to nothing else. Which key is not asked."""

import audioop
import math
import struct
from typing import Final

from media_ws_ai.audio.frame import FRAME_BYTES, SAMPLE_RATE_HZ

LOW_HZ: Final = (697, 770, 852, 941)
HIGH_HZ: Final = (1209, 1336, 1477, 1633)
SHARE: Final = 0.85
"""Of the frame's energy, in the strongest of either group. A vowel spreads over many harmonics."""
WEAKER: Final = 0.05
"""13 dB: the weaker tone to the stronger; the standard allows 8 dB."""
AMPLITUDE: Final = 8000.0


def _wave(hz: int, phase: float) -> bytes:
    step = 2 * math.pi * hz / SAMPLE_RATE_HZ
    return struct.pack(f"={FRAME_BYTES}h", *(round(AMPLITUDE * math.sin(step * i + phase)) for i in range(FRAME_BYTES)))


def _pair(hz: int) -> tuple[bytes, bytes]:
    """Sine and cosine: together they find the tone at any phase."""
    return _wave(hz, 0.0), _wave(hz, math.pi / 2)


_LOW: Final = tuple(map(_pair, LOW_HZ))
_HIGH: Final = tuple(map(_pair, HIGH_HZ))


def is_two_tone(frame: bytes) -> bool:
    """Whether 20 ms of 16-bit PCM (8 kHz, in the byte order of this machine) are a keypad tone."""
    low = max(_energy(frame, pair) for pair in _LOW)
    high = max(_energy(frame, pair) for pair in _HIGH)
    whole = 2 * (audioop.rms(frame, 2) / AMPLITUDE) ** 2
    return low + high > SHARE * whole and min(low, high) > WEAKER * max(low, high)


def _energy(frame: bytes, pair: tuple[bytes, bytes]) -> float:
    """Squared amplitude of a tone in the frame, in units of the reference's."""
    sine, cosine = pair
    return float(audioop.findfactor(frame, sine) ** 2 + audioop.findfactor(frame, cosine) ** 2)
