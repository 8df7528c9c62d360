"""Our own voice coming back: what was sent, whether it explains what is heard, and how loud it can be next.

A search is dear (about half a millisecond), so it is made once per would-be candidate. When two searches agree on a
delay, the echo is known, and from then on a frame costs three levels at most. Caller and echo together are more
than the echo alone can be: such frames are not explained.
"""

import audioop
from collections import deque
from collections.abc import Sequence
from typing import Final

from media_ws_ai.audio.frame import FRAME_BYTES, PTIME_MS, SILENCE, frames_of_ms

LEAST_DELAY_MS: Final = 40
MOST_DELAY_MS: Final = 600
COMPARED_MS: Final = 160
COMPARED_FRAMES: Final = frames_of_ms(COMPARED_MS)
KEPT_FRAMES: Final = frames_of_ms(MOST_DELAY_MS + COMPARED_MS)
MOST_GAIN: Final = 0.15
"""-16 dB: an echo on a telephone line comes back weaker. What is louder is the caller."""
ALIKE: Final = 0.42
"""Correlation from which 160 ms may be our voice. On the development set echoes reach 0.8 (median; a tenth of them,
under noise, less than 0.38), all else 0.25 (a tenth more than 0.47). So one find only postpones a candidate; two at one
delay are an echo."""
ALIKE_AGAIN: Final = 0.45
"""The same at the delay of the find before: chance does not hit one place twice."""
SAME_PLACE_SAMPLES: Final = 8
"""4 ms at 2 kHz."""
MARGIN: Final = 1.2
"""1.6 dB: how much louder than learned an echo may be within 20 ms."""
LEAST_SHRINK: Final = 0.7
MOST_GROWTH: Final = 1.4
"""One find changes the learned gain by no more than these factors."""

_FRAME_2K_SAMPLES: Final = FRAME_BYTES // 4
_LEAST_DELAY_2K_BYTES: Final = 2 * LEAST_DELAY_MS * 2
_KEPT_2K_SAMPLES: Final = KEPT_FRAMES * _FRAME_2K_SAMPLES


def _dither(samples: int) -> bytes:
    """Noise of ±3 steps, the same each time: `findfit` divides by the energy at each place, and silence has none."""
    state, out = 1, bytearray()
    for _ in range(samples):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF  # the C library's old generator; quality does not matter here
        out += ((state >> 16) % 7 - 3).to_bytes(2, _ORDER, signed=True)
    return bytes(out)


_ORDER: Final = "little" if audioop.getsample(b"\1\0", 2, 0) == 1 else "big"
_DITHER: Final = _dither(_KEPT_2K_SAMPLES)


class Echo:
    """Keeps the last 760 ms sent. Delay and gain are None and 0 until an echo is known."""

    def __init__(self) -> None:
        self._sent = deque([SILENCE] * KEPT_FRAMES, maxlen=KEPT_FRAMES)
        self._found_at: int | None = None
        self._delay_frames = 0
        self.gain = 0.0
        """Level of the echo to the level of what was sent."""

    @property
    def delay_ms(self) -> int | None:
        return self._delay_frames * PTIME_MS if self.gain else None

    def sent(self, frame: bytes | None) -> None:
        """What is played to the caller in these 20 ms: 160 μ-law bytes, None for nothing."""
        self._sent.append(frame if frame is not None else SILENCE)

    def explains(self, level: int) -> bool:
        """Whether the known echo can be as loud as this now; False while none is known."""
        if not self.gain:
            return False
        newest = KEPT_FRAMES - 1 - self._delay_frames
        loudest = max(_level(self._sent[at]) for at in (newest - 1, newest, min(newest + 1, KEPT_FRAMES - 1)))
        return level < loudest * self.gain * MARGIN

    def is_heard_in(self, heard: Sequence[bytes]) -> bool:
        """Whether the last 160 ms of the caller's line (8 frames of 16-bit PCM) are what we sent 40–600 ms before.

        A find teaches: a second one at the same delay makes the echo known.
        """
        near = b"".join(heard)
        level = audioop.rms(near, 2)
        sent = b"".join(self._sent)
        if level > MOST_GAIN * max(map(_level, self._sent)):
            return False
        near = _at_2k(near)
        far = audioop.add(_at_2k(audioop.ulaw2lin(sent, 2)), _DITHER, 2)
        at, factor = audioop.findfit(far[:-_LEAST_DELAY_2K_BYTES], near)
        fit = audioop.rms(far[2 * at : 2 * at + len(near)], 2)
        likeness = abs(factor) * audioop.rms(near, 2) / fit if fit else 0.0
        delay = (len(far) - len(near)) // 2 - at
        is_again = self._found_at is not None and abs(delay - self._found_at) <= SAME_PLACE_SAMPLES
        gain = level / max(1, _level(sent[4 * at : 4 * at + COMPARED_FRAMES * FRAME_BYTES]))
        if likeness <= (ALIKE_AGAIN if is_again else ALIKE) or gain > MOST_GAIN:
            return False
        self._found_at = delay
        if is_again:
            self._delay_frames = round(delay / _FRAME_2K_SAMPLES)
            known = self.gain or gain
            self.gain = min(max(gain, known * LEAST_SHRINK), known * MOST_GROWTH)
        return True


def _level(ulaw: bytes) -> int:
    return audioop.rms(audioop.ulaw2lin(ulaw, 2), 2)


def _at_2k(pcm: bytes) -> bytes:
    """8 kHz to 2 kHz by averaging neighbours twice."""
    return audioop.tomono(audioop.tomono(pcm, 2, 0.5, 0.5), 2, 0.5, 0.5)
