"""The caller's mouth: the frames that go up the line, one each 20 ms, encoded before the call.

It speaks clips (`peers.speech`) or WAV files; in between the line is quiet (faint noise), or digitally silent when
asked. It knows where the voice in a clip begins and ends, so that the time to the answer is measured from the last
sound and not from the clip's silent tail.
"""

import base64
from collections import deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from media_ws_ai.audio.frame import FRAME_BYTES, PTIME_MS, SILENCE
from media_ws_ai.peers import speech
from media_ws_ai.peers.carrier.sound import NotAudio, has_sound, ulaw_of_wav

QUIET_FRAMES: Final = 250
MAX_QUEUED_FRAMES: Final = 50 * 600
_SILENCE64: Final = base64.b64encode(SILENCE)


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something to say: its text, its frames in base64, and the first and last of them with voice."""

    name: str
    text: str
    frames: tuple[bytes, ...]
    voice_first: int
    voice_last: int

    @property
    def ms(self) -> int:
        """Its length."""
        return len(self.frames) * PTIME_MS


@cache
def utterance(name: str) -> Utterance:
    """The clip of this id, or the WAV file of this name (`….wav`).

    Raises: NotAudio with a sentence for what cannot be said.
    """
    if name.lower().endswith(".wav"):
        try:
            audio, text = ulaw_of_wav(Path(name)), Path(name).name
        except OSError as error:
            raise NotAudio(f"{name} cannot be read: {error.strerror}") from error
    else:
        clip = speech.CLIPS.get(name)
        if clip is None:
            raise NotAudio(f"no clip {name!r}; there are {', '.join(sorted(speech.CLIPS))}")
        audio, text = speech.load(name), clip.text
    pieces = [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]
    voiced = [number for number, piece in enumerate(pieces) if has_sound(piece)] or [0, len(pieces) - 1]
    frames = tuple(base64.b64encode(piece) for piece in pieces)
    return Utterance(name, text, frames, voiced[0], voiced[-1])


@cache
def _quiet_line() -> tuple[bytes, ...]:
    noise = speech.quiet_line(QUIET_FRAMES)
    return tuple(base64.b64encode(noise[at : at + FRAME_BYTES]) for at in range(0, len(noise), FRAME_BYTES))


@dataclass(frozen=True, slots=True)
class Edge:
    """The caller's voice began or ended with the frame just taken."""

    began: bool
    utterance: Utterance


class Mouth:
    """What comes next on the line. `next_frame` is called once per frame sent."""

    def __init__(self) -> None:
        self._quiet = _quiet_line()
        self._place = 0
        self._queue: deque[tuple[Utterance, int]] = deque()
        self._silent_frames = 0
        self.edges: list[Edge] = []

    @property
    def busy(self) -> bool:
        """True while something is being said or a commanded silence lasts."""
        return bool(self._queue) or self._silent_frames > 0

    def say(self, what: Utterance) -> None:
        """Speak, after what is being said. Raises: NotAudio when ten minutes are waiting already."""
        if sum(len(each.frames) for each, _ in self._queue) > MAX_QUEUED_FRAMES:
            raise NotAudio("more than ten minutes of speech are waiting")
        self._queue.append((what, 0))

    def be_silent(self, ms: int) -> None:
        """Digital silence (0xFF) for so long."""
        self._silent_frames = ms // PTIME_MS

    def hush(self) -> None:
        """Say nothing more (the stream ended)."""
        self._queue.clear()
        self._silent_frames = 0

    def next_frame(self) -> bytes:
        """The next 20 ms, in base64; beginnings and ends of voice are appended to `edges`."""
        if self._queue:
            what, at = self._queue[0]
            if at == what.voice_first:
                self.edges.append(Edge(True, what))
            if at == what.voice_last:
                self.edges.append(Edge(False, what))
            if at + 1 == len(what.frames):
                self._queue.popleft()
            else:
                self._queue[0] = (what, at + 1)
            return what.frames[at]
        if self._silent_frames:
            self._silent_frames -= 1
            return _SILENCE64
        self._place = (self._place + 1) % len(self._quiet)
        return self._quiet[self._place]
