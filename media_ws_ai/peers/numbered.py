"""Numbered audio: every frame says whose it is and which; a listener can tell lost, doubled and reordered ones.

A frame is 160 bytes of μ-law. Its first nine bytes are `<3sHHH`: the magic, the session, the utterance and
the frame's index, all modulo 65,536. The rest is whatever it was: tone or voice, heard as such with a faint tick.
This module stamps and reads single frames; counting what is missing is the listener's job.
"""

import math
import struct
from functools import cache
from typing import Final

from media_ws_ai.audio.frame import FRAME_BYTES, SAMPLE_RATE_HZ

MAGIC: Final = b"\x5a\xa5\x3c"
HEADER: Final = struct.Struct("<3sHHH")
MODULUS: Final = 1 << 16

TONE_HZ: Final = 400
"""A whole number of periods fits one frame, so that frames join without a click."""

TONE_PEAK: Final = 6000
"""Peak of the tone, of 32,767: a clear voice's level."""


def stamp(frame: bytes, session: int, utterance: int, index: int) -> bytes:
    """`frame` (160 bytes of μ-law) with its first nine bytes replaced by its number."""
    if len(frame) != FRAME_BYTES:
        raise ValueError(f"a frame has {FRAME_BYTES} bytes, this one {len(frame)}")
    return HEADER.pack(MAGIC, session % MODULUS, utterance % MODULUS, index % MODULUS) + frame[HEADER.size :]


def read(frame: bytes) -> tuple[int, int, int] | None:
    """(session, utterance, index) of a numbered frame, None for any other audio."""
    if len(frame) < HEADER.size or not frame.startswith(MAGIC):
        return None
    _, session, utterance, index = HEADER.unpack_from(frame)
    return session, utterance, index


@cache
def tone_frame() -> bytes:
    """160 bytes of an audible tone in μ-law, the body of a numbered frame."""
    step = 2 * math.pi * TONE_HZ / SAMPLE_RATE_HZ
    return bytes(_ulaw(round(TONE_PEAK * math.sin(step * n))) for n in range(FRAME_BYTES))


def tone(session: int, utterance: int, frames: int, first: int = 0) -> bytes:
    """`frames` numbered frames of tone, indices from `first` on."""
    body = tone_frame()
    return b"".join(stamp(body, session, utterance, first + n) for n in range(frames))


def _ulaw(sample: int) -> int:
    """One linear 16-bit sample as G.711 μ-law (ITU-T G.711, table 2a)."""
    sign = 0x80 if sample < 0 else 0
    level = min(abs(sample), 32635) + 132
    segment = level.bit_length() - 8
    return ~(sign | segment << 4 | level >> (segment + 3) & 0x0F) & 0xFF
