"""Audio as this peer handles it: what counts as sound, and any WAV as frames of μ-law.

`Riff` reads the header itself, because the standard library's `wave` knows linear PCM only and the worker's clips
are μ-law.
"""

import array
import struct
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from media_ws_ai.audio.frame import FRAME_BYTES, SAMPLE_RATE_HZ, SILENCE_BYTE

with warnings.catch_warnings():  # deprecated, though present, in the standard library below 3.13
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

SOUND_LEVEL: Final = 200
"""Linear samples (of 32,767) below this are a quiet line: -44 dBov."""
SOUND_BYTES: Final = 8
"""So many louder samples in a payload are sound; fewer are a crackle."""
MAX_WAV_BYTES: Final = 64 * 1024 * 1024

_QUIET: Final = bytes(
    code for code in range(256) if abs(int.from_bytes(audioop.ulaw2lin(bytes([code]), 2), sys.byteorder, signed=True))
    < SOUND_LEVEL
)  # fmt: skip

PCM, FLOAT, ALAW, MULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE


class NotAudio(ValueError):
    """The bytes are no WAV this carrier can play; the message says why."""


def has_sound(payload: bytes) -> bool:
    """True when μ-law audio is audible."""
    return len(payload.translate(None, _QUIET)) >= SOUND_BYTES


@dataclass(frozen=True, slots=True)
class Riff:
    """A WAV: its format tag, channels, rate [Hz], bytes per sample, and samples."""

    tag: int
    channels: int
    rate_hz: int
    width: int
    data: bytes

    @property
    def ms(self) -> float:
        """Its length."""
        return len(self.data) * 1000 / (self.rate_hz * self.width * self.channels)

    @classmethod
    def of(cls, content: bytes) -> "Riff":
        """Read a WAV. Raises: NotAudio."""
        if len(content) < 12 or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
            raise NotAudio("not a WAV file: it does not begin with RIFF … WAVE")
        at, form, data = 12, b"", None
        while at + 8 <= len(content):
            name, size = struct.unpack_from("<4sI", content, at)
            body = content[at + 8 : at + 8 + size]
            if name == b"fmt ":
                form = body
            elif name == b"data":
                data = body
            at += 8 + size + size % 2
        if len(form) < 16 or data is None:
            raise NotAudio("the WAV file has no format or no data")
        tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", form)
        if tag == EXTENSIBLE and len(form) >= 26:
            tag = struct.unpack_from("<H", form, 24)[0]
        width = bits // 8
        if not 1 <= channels <= 16 or not 1000 <= rate_hz <= 384_000 or width not in (1, 2, 3, 4):
            raise NotAudio(f"a WAV of {channels} channels, {rate_hz} Hz, {bits} bits cannot be played")
        whole = len(data) - len(data) % (width * channels)
        return cls(tag, channels, rate_hz, width, data[:whole])


def ulaw_of_wav(path: Path) -> bytes:
    """Any WAV (PCM of 8 to 32 bits, float, A-law, μ-law; any rate, any channels) as whole μ-law frames, 8 kHz mono.

    Raises: NotAudio with a sentence, OSError.
    """
    if path.stat().st_size > MAX_WAV_BYTES:
        raise NotAudio(f"{path.name} is larger than {MAX_WAV_BYTES // 1024 // 1024} MB")
    riff = Riff.of(path.read_bytes())
    if not riff.data:
        raise NotAudio(f"{path.name} holds no audio")
    data = audioop.lin2ulaw(_resampled(_mono(_linear(riff), riff.channels), riff.rate_hz), 2)
    missing = -len(data) % FRAME_BYTES
    return data + bytes([SILENCE_BYTE]) * missing


def _linear(riff: Riff) -> bytes:
    """The samples as 16 bits in the machine's order."""
    if riff.tag == MULAW and riff.width == 1:
        return audioop.ulaw2lin(riff.data, 2)
    if riff.tag == ALAW and riff.width == 1:
        return audioop.alaw2lin(riff.data, 2)
    if riff.tag == FLOAT and riff.width == 4:
        floats = array.array("f", riff.data)
        if sys.byteorder == "big":
            floats.byteswap()
        return array.array("h", (int(max(-1.0, min(1.0, value)) * 32767) for value in floats)).tobytes()
    if riff.tag != PCM:
        raise NotAudio(f"a WAV with format tag {riff.tag} cannot be played; PCM, float, A-law and μ-law can")
    if riff.width == 1:  # 8-bit PCM alone is unsigned
        return audioop.lin2lin(audioop.bias(riff.data, 1, -128), 1, 2)
    data = audioop.byteswap(riff.data, riff.width) if sys.byteorder == "big" else riff.data
    return data if riff.width == 2 else audioop.lin2lin(data, riff.width, 2)


def _mono(data: bytes, channels: int) -> bytes:
    if channels == 1:
        return data
    if channels == 2:
        return audioop.tomono(data, 2, 0.5, 0.5)
    samples = array.array("h", data)
    starts = range(0, len(samples), channels)
    return array.array("h", (sum(samples[at : at + channels]) // channels for at in starts)).tobytes()


def _resampled(data: bytes, rate_hz: int) -> bytes:
    if rate_hz == SAMPLE_RATE_HZ:
        return data
    return audioop.ratecv(data, 2, 1, rate_hz, SAMPLE_RATE_HZ, None)[0]
