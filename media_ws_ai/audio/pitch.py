"""How periodic 20 ms are: the sign of a voice, which breath, rustle and clicks lack. Music and tones have it too."""

import audioop
from typing import Final

EMPHASIS: Final = 0.75
"""Lifts the highs before the comparison: what has only lows (wind, traffic) resembles itself whatever it is."""
SHORTEST_LAG_BYTES: Final = 20
"""2.5 ms at 4 kHz: 400 Hz; a shorter lag compares a sound with itself."""
LONGEST_LAG_BYTES: Final = 136
"""17 ms at 4 kHz: 59 Hz."""
FRAME_AT_4K_BYTES: Final = 160


def periodicity(before: bytes, frame: bytes) -> float:
    """How well the frame is found again within the 2.5–17 ms before it, 0 … 1.

    Args:
        before, frame: 20 ms each of 16-bit PCM, 8 kHz.
    """
    slow = audioop.tomono(before + frame, 2, 0.5, 0.5)  # neighbours averaged: 4 kHz
    slow = audioop.add(slow, audioop.mul(b"\0\0" + slow[:-2], 2, -EMPHASIS), 2)
    wanted = slow[FRAME_AT_4K_BYTES:]
    past = slow[FRAME_AT_4K_BYTES - LONGEST_LAG_BYTES : -SHORTEST_LAG_BYTES]
    at, factor = audioop.findfit(past, wanted)
    found = audioop.rms(past[2 * at : 2 * at + FRAME_AT_4K_BYTES], 2)
    return abs(factor) * audioop.rms(wanted, 2) / found if found else 0.0
