"""Which caller clip is being heard, and which of its frames arrived: the witness of a lossless uplink.

A good worker passes caller audio through unchanged, so a frame is recognised by its very bytes. Frames that
are quiet, or that occur twice among the clips, prove nothing and are left out of the count.

    appended bytes ─▶ frames ─▶ index ─▶ Playing (one clip as it goes by) ─▶ Utterance (what the VAD delimits)

An utterance may be a part of a playing (the caller paused) or hold several (the caller was quick).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from media_ws_ai.audio.frame import FRAME_BYTES
from media_ws_ai.peers import speech
from media_ws_ai.peers.model import g711

QUIET_POWER: Final = 60.0**2
"""Frames below this mean power are a quiet line or nearly so, and repeat by chance."""

AGAIN_FRAMES: Final = 20
"""A clip that begins anew after this many frames (400 ms) without it is played again, not doubled."""

WHOLE_SHARE: Final = 0.8
"""From this share of a clip's span on, its whole text is understood."""


@dataclass(frozen=True, slots=True)
class KnownClip:
    """A caller clip as the index knows it: `positions` are the frames that identify it, in order."""

    id: str
    text: str
    positions: tuple[int, ...]


class FrameIndex:
    """Frame bytes → (clip, position), for the telling frames of the caller's clips."""

    def __init__(self, clips: Mapping[str, tuple[str, bytes]]) -> None:
        """Args: clips: id → (text, μ-law in whole frames). Of clips with the same audio the first id counts."""
        audio: dict[bytes, str] = {}
        for clip_id, (_, ulaw) in clips.items():
            audio.setdefault(ulaw, clip_id)
        wanted = {clip_id: ulaw for ulaw, clip_id in audio.items()}
        seen = Counter(frame for ulaw in wanted.values() for frame in _frames(ulaw))
        self.frames: dict[bytes, tuple[KnownClip, int]] = {}
        self.clips: dict[str, KnownClip] = {}
        for clip_id, ulaw in wanted.items():
            telling = [
                (position, frame)
                for position, frame in enumerate(_frames(ulaw))
                if seen[frame] == 1 and g711.power(frame) >= QUIET_POWER
            ]
            clip = KnownClip(clip_id, clips[clip_id][0], tuple(position for position, _ in telling))
            self.clips[clip_id] = clip
            self.frames.update((frame, (clip, position)) for position, frame in telling)


def _frames(ulaw: bytes) -> Iterator[bytes]:
    return (ulaw[at : at + FRAME_BYTES] for at in range(0, len(ulaw) - FRAME_BYTES + 1, FRAME_BYTES))


@cache
def speech_index() -> FrameIndex:
    """The index of all caller clips of `media_ws_ai.peers.speech`, built once per process."""
    callers = (clip for clip in speech.CLIPS.values() if clip.role == "caller")
    return FrameIndex({clip.id: (clip.text, speech.load(clip.id)) for clip in callers})


class Playing:
    """One clip going by: how often each of its frames came, and in which order."""

    def __init__(self, clip: KnownClip) -> None:
        self.clip = clip
        self.seen: Counter[int] = Counter()
        self.reordered = 0
        self.furthest = -1
        self.last_frame = 0
        self.parts = 0

    def take(self, position: int, frame_number: int) -> None:
        """The clip's frame `position` arrived as the session's `frame_number`-th."""
        if position < self.furthest and not self.seen[position]:
            self.reordered += 1
        self.seen[position] += 1
        self.furthest = max(self.furthest, position)
        self.last_frame = frame_number

    def is_again(self, position: int, frame_number: int) -> bool:
        """Would this frame begin the clip a second time?"""
        return position <= self.furthest and frame_number - self.last_frame > AGAIN_FRAMES

    def report(self) -> dict[str, Any]:
        """Counts of telling frames; `share` is received / expected, 0 to 1."""
        expected, received = len(self.clip.positions), len(self.seen)
        return {
            "clip": self.clip.id,
            "received": received,
            "expected": expected,
            "doubled": sum(self.seen.values()) - received,
            "missing": expected - received,
            "reordered": self.reordered,
            "share": round(received / expected, 4) if expected else 0.0,
        }


@dataclass(slots=True)
class Part:
    """The stretch of a playing that fell into one utterance."""

    playing: Playing
    number: int
    first: int
    last: int

    def text(self) -> str:
        """The words of this stretch; the whole text when nearly all of the clip's span is in it."""
        positions = self.playing.clip.positions
        begin, span = positions[0], positions[-1] + 1 - positions[0]
        if (self.last + 1 - self.first) / span >= WHOLE_SHARE:
            return self.playing.clip.text
        words = self.playing.clip.text.split()
        centres = ((begin + (n + 0.5) * span / len(words), word) for n, word in enumerate(words))
        return " ".join(word for centre, word in centres if self.first <= centre <= self.last + 1)


@dataclass(slots=True)
class Utterance:
    """What the caller said between two silences, as far as it was recognised."""

    number: int
    start_ms: int
    end_ms: int
    parts: list[Part] = field(default_factory=list)

    @property
    def clip(self) -> str | None:
        """The clip that fills most of it; None for audio nobody knows."""
        best = max(self.parts, key=lambda part: part.last - part.first, default=None)
        return best.playing.clip.id if best else None

    @property
    def text(self) -> str:
        return " ".join(filter(None, (part.text() for part in self.parts)))

    def report(self) -> dict[str, Any]:
        """For the log. Counts belong to the whole clip, so they grow when a later utterance continues it."""
        parts = [{**part.playing.report(), "part": part.number} for part in self.parts]
        counts = {key: sum(part[key] for part in parts) for key in ("received", "expected", "doubled", "missing")}
        return {
            "n": self.number,
            "clip": self.clip,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            **counts,
            "reordered": sum(part["reordered"] for part in parts),
            "share": round(counts["received"] / counts["expected"], 4) if counts["expected"] else None,
            "parts": parts,
        }


class Listener:
    """One session's ear for clips. `feed` takes μ-law as appended; `utterance` closes what came since the last."""

    def __init__(self, index: FrameIndex) -> None:
        self._index = index.frames
        self._rest = b""
        self._frame_number = 0
        self._playing: Playing | None = None
        self._parts: list[Part] = []
        self._utterances = 0

    def feed(self, ulaw: bytes) -> None:
        data = self._rest + ulaw if self._rest else ulaw
        whole = len(data) - len(data) % FRAME_BYTES
        for at in range(0, whole, FRAME_BYTES):
            self._frame_number += 1
            known = self._index.get(data[at : at + FRAME_BYTES])
            if known is not None:
                self._take(*known)
        self._rest = data[whole:]

    def _take(self, clip: KnownClip, position: int) -> None:
        playing = self._playing
        if playing is None or playing.clip is not clip or playing.is_again(position, self._frame_number):
            playing = self._playing = Playing(clip)
        playing.take(position, self._frame_number)
        if self._parts and self._parts[-1].playing is playing:
            part = self._parts[-1]
            part.first, part.last = min(part.first, position), max(part.last, position)
        else:
            playing.parts += 1
            self._parts.append(Part(playing, playing.parts, position, position))

    @property
    def text_so_far(self) -> str:
        """What was understood of the utterance under way."""
        if not self._parts:
            return ""
        *earlier, now = self._parts
        words = now.playing.clip.text.split()
        span = now.playing.clip.positions[-1] + 1
        heard = int(len(words) * (now.last + 1) / span)
        return " ".join(filter(None, [*(part.text() for part in earlier), " ".join(words[:heard])]))

    def forget(self) -> None:
        """The buffer was cleared: what came since the last utterance belongs to none."""
        self._parts = []

    def utterance(self, start_ms: int, end_ms: int) -> Utterance:
        """The utterance that ends here; frames that follow belong to the next."""
        self._utterances += 1
        parts, self._parts = self._parts, []
        return Utterance(self._utterances, start_ms, end_ms, parts)
