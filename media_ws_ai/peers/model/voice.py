"""The sound of a reply as base64 deltas in the session's output format; clips are encoded once and kept."""

import base64
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from media_ws_ai.audio.frame import BYTES_PER_MS, FRAME_BYTES, PTIME_MS
from media_ws_ai.peers import numbered, speech
from media_ws_ai.peers.model import g711
from media_ws_ai.peers.model.scenario import Reply

MS_PER_CHARACTER: Final = 65
"""Length of a tone that stands for a text without a clip: about 15 characters a second."""

_FROM_ULAW: Final[dict[str, Callable[[bytes], bytes]]] = {
    "audio/pcmu": lambda data: data,
    "audio/pcma": g711.ulaw_to_alaw,
    "audio/pcm": g711.ulaw_to_pcm24,
}


@dataclass(frozen=True, slots=True)
class Sound:
    """What a reply sounds like: a `clip`, or `numbered` tone; `ms` of play-out, a whole number of frames."""

    text: str
    ms: int
    clip: str = ""
    numbered: bool = True
    session: int = 0
    utterance: int = 0

    def ulaw(self, first_byte: int, count: int) -> bytes:
        """A stretch of the sound."""
        if self.clip:
            return speech.load(self.clip)[first_byte : first_byte + count]
        first = first_byte // FRAME_BYTES
        frames = math.ceil((first_byte + count) / FRAME_BYTES) - first
        skip = first_byte - first * FRAME_BYTES
        if not self.numbered:
            return (numbered.tone_frame() * frames)[skip : skip + count]
        return numbered.tone(self.session, self.utterance, frames, first)[skip : skip + count]


def sound(reply: Reply, session: int, utterance: int, all_numbered: bool) -> Sound:
    """The sound of a reply.

    Args:
        session, utterance: for numbered audio.
        all_numbered: the scenario wants numbers in place of clips.
    """
    known = speech.CLIPS.get(reply.clip)
    if reply.clip and known is None:
        raise KeyError(f"no clip {reply.clip!r} in media_ws_ai.peers.speech")
    text = reply.text or (known.text if known else "")
    if reply.numbered is not None:
        return Sound(text, _whole(reply.numbered * 1000), "", True, session, utterance)
    if known and reply.seconds is None and not all_numbered:
        return Sound(text, len(speech.load(reply.clip)) // BYTES_PER_MS, reply.clip)
    ms = reply.seconds * 1000 if reply.seconds is not None else known.ms if known else len(text) * MS_PER_CHARACTER
    return Sound(text, _whole(ms), "", all_numbered, session, utterance)


def _whole(ms: float) -> int:
    return math.ceil(ms / PTIME_MS) * PTIME_MS


@dataclass(frozen=True, slots=True)
class Delta:
    """One `response.output_audio.delta`: base64 text and the audio position after it [ms, may be a fraction]."""

    base64: str
    end_ms: float


def deltas(source: Sound, reply: Reply, audio_format: str, rng: random.Random) -> Iterator[Delta]:
    """The deltas of a sound in order, made as they are asked for."""
    if source.clip and not reply.odd_deltas:
        yield from _clip_deltas(source, reply.first_delta_ms, reply.delta_ms, audio_format)
        return
    yield from _cut(source, reply, audio_format, rng)


@lru_cache(maxsize=256)
def _clip_deltas(source: Sound, first_ms: int, delta_ms: int, audio_format: str) -> tuple[Delta, ...]:
    reply = Reply(first_delta_ms=first_ms, delta_ms=delta_ms)
    return tuple(_cut(source, reply, audio_format, random.Random(0)))


def _cut(source: Sound, reply: Reply, audio_format: str, rng: random.Random) -> Iterator[Delta]:
    convert = _FROM_ULAW[audio_format]
    at, total, wanted = 0, source.ms * BYTES_PER_MS, reply.first_delta_ms * BYTES_PER_MS
    while at < total:
        size = wanted + rng.randrange(1, FRAME_BYTES, 2) if reply.odd_deltas else wanted
        chunk = source.ulaw(at, min(size, total - at))
        at += len(chunk)
        yield Delta(base64.b64encode(convert(chunk)).decode("ascii"), at / BYTES_PER_MS)
        wanted = reply.delta_ms * BYTES_PER_MS
