"""G.711 for the stand-in: tables from μ-law and A-law to linear and back, and 24 kHz PCM at both ends.

Pure Python with tables: the stand-in must not lean on the codec the worker leans on. Nothing here judges sound.
"""

import sys
from array import array
from functools import cache
from typing import Final

PCM_RATIO: Final = 3
"""24 kHz PCM holds three samples for each of our 8 kHz samples."""


def _ulaw_to_linear(code: int) -> int:
    code = ~code & 0xFF
    level = ((code & 0x0F) << 3) + 132 << (code >> 4 & 7)
    return 132 - level if code & 0x80 else level - 132


def _alaw_to_linear(code: int) -> int:
    code ^= 0x55
    segment, step = code >> 4 & 7, (code & 0x0F) << 4
    level = step + 8 if segment == 0 else step + 0x108 << (segment - 1)
    return level if code & 0x80 else -level


def _linear_to_ulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    level = min(abs(sample), 32635) + 132
    segment = level.bit_length() - 8
    return ~(sign | segment << 4 | level >> (segment + 3) & 0x0F) & 0xFF


def _linear_to_alaw(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    level = min(sample if sample >= 0 else -sample - 1, 32767)
    segment = max(0, level.bit_length() - 8)
    step = level >> 4 if segment == 0 else level >> (segment + 3) & 0x0F
    return (sign | segment << 4 | step & 0x0F) ^ 0x55


LINEAR: Final = tuple(_ulaw_to_linear(code) for code in range(256))
"""μ-law code → linear 16-bit sample."""

SQUARE: Final = tuple(sample * sample for sample in LINEAR)
"""μ-law code → power of the sample."""

_ALAW_TO_ULAW: Final = bytes(_linear_to_ulaw(_alaw_to_linear(code)) for code in range(256))
_ULAW_TO_ALAW: Final = bytes(_linear_to_alaw(sample) for sample in LINEAR)


def power(ulaw: bytes) -> float:
    """Mean power of μ-law audio (0 for none); its root is the RMS level, full scale 32,767."""
    return sum(map(SQUARE.__getitem__, ulaw)) / len(ulaw) if ulaw else 0.0


def alaw_to_ulaw(data: bytes) -> bytes:
    return data.translate(_ALAW_TO_ULAW)


def ulaw_to_alaw(data: bytes) -> bytes:
    return data.translate(_ULAW_TO_ALAW)


def pcm24_to_ulaw(data: bytes) -> bytes:
    """Every third sample of little-endian 24 kHz PCM as μ-law; good enough to judge its level."""
    samples = array("h", data[: len(data) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    table = _linear_table()
    return bytes(table[sample + 32768] for sample in samples[::PCM_RATIO])


def ulaw_to_pcm24(data: bytes) -> bytes:
    """Little-endian 24 kHz PCM, each sample held three times."""
    samples = array("h", (level for code in data for level in (LINEAR[code],) * PCM_RATIO))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


@cache
def _linear_table() -> bytes:
    return bytes(_linear_to_ulaw(sample) for sample in range(-32768, 32768))
