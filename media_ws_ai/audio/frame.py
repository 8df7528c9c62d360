"""The frame: 20 ms of G.711 μ-law, 8 kHz, one channel. Every number about it is defined here."""

from typing import Final

SAMPLE_RATE_HZ: Final = 8000
PTIME_MS: Final = 20
FRAME_SEC: Final = 0.020
FRAME_BYTES: Final = SAMPLE_RATE_HZ * PTIME_MS // 1000
BYTES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
FRAMES_PER_SEC: Final = 1000 // PTIME_MS

SILENCE_BYTE: Final = 0xFF
"""μ-law zero. 0x00 would be full scale, heard as a click."""

SILENCE: Final = bytes([SILENCE_BYTE]) * FRAME_BYTES


def frames_of_ms(ms: float) -> int:
    """Whole frames that fit into `ms`."""
    return int(ms // PTIME_MS)


def ms_of_bytes(count: int) -> int:
    """Play-out time of `count` μ-law bytes [ms], rounded down."""
    return count // BYTES_PER_MS
