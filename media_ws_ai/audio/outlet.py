"""Where the agent's audio waits: framer → backlog (seconds of audio) → TX queue (500 frames) → whoever pops.

The model delivers an answer many times faster than it is heard, so the backlog is bounded in seconds and the reader
of the model never waits for it. Frames carry the number of their utterance; utterances play whole, in order, and only
the newest one grows. A flush counts what it found and what it threw away; nothing leaves otherwise but by `pop`.
"""

from collections import deque
from typing import Final, NamedTuple

from media_ws_ai.audio.frame import FRAME_BYTES, FRAMES_PER_SEC
from media_ws_ai.audio.framer import Framer
from media_ws_ai.errors import ContractError

TX_CAPACITY_FRAMES: Final = 500
BACKLOG_S: Final = 130
BACKLOG_FRAMES: Final = BACKLOG_S * FRAMES_PER_SEC


class Queued(NamedTuple):
    utterance: int
    audio: bytes


class Flushed(NamedTuple):
    """Frames thrown away and frames that were there. *openai*: backlog and framer, a remainder counted as one."""

    openai_flushed: int
    openai_held: int
    tx_flushed: int
    tx_held: int


class Outlet:
    """Frames in order of play-out."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._open: int | None = None
        self._newest = 0
        self._backlog: deque[Queued] = deque()
        self._tx: deque[Queued] = deque()
        self.pushed = 0
        self.popped = 0
        self.flushed = 0

    @property
    def tx_frames(self) -> int:
        return len(self._tx)

    @property
    def backlog_frames(self) -> int:
        """Frames received and not yet in the TX queue; an open remainder counts as one."""
        return len(self._backlog) + (1 if self._framer.held_bytes else 0)

    def open(self, utterance: int) -> None:
        """Start the next utterance, whose number is above all before it. The one before must be closed."""
        if self._open is not None or utterance <= self._newest:
            raise ContractError(f"utterance {utterance} opened out of turn")
        self._open = self._newest = utterance

    def push(self, utterance: int, audio: bytes) -> int | None:
        """Audio of the open utterance; returns the frames it completed, or None when the backlog has no room."""
        if utterance != self._open:
            raise ContractError(f"audio for utterance {utterance}, which is not open")
        room = BACKLOG_FRAMES - len(self._backlog)
        if self._framer.held_bytes + len(audio) > room * FRAME_BYTES:  # the remainder needs a frame's room, too
            return None
        return self._store(utterance, self._framer.push(audio))

    def close(self, utterance: int) -> int:
        """No more audio comes; the remainder is padded to a frame. Returns the frames this added (0 or 1)."""
        if utterance != self._open:
            raise ContractError(f"utterance {utterance} closed, which is not open")
        self._open = None
        tail = self._framer.finish()
        return self._store(utterance, [tail] if tail else [])

    def _store(self, utterance: int, frames: list[bytes]) -> int:
        self._backlog.extend(Queued(utterance, frame) for frame in frames)
        self.pushed += len(frames)
        self._top_up()
        return len(frames)

    def _top_up(self) -> None:
        while self._backlog and len(self._tx) < TX_CAPACITY_FRAMES:
            self._tx.append(self._backlog.popleft())

    def pop(self) -> Queued | None:
        """The next frame to play, or None."""
        if not self._tx:
            return None
        frame = self._tx.popleft()
        self.popped += 1
        self._top_up()
        return frame

    def flush(self, up_to: int) -> Flushed:
        """Throw away everything of utterances numbered `up_to` or below; newer frames stay in order."""
        openai_held, tx_held = self.backlog_frames, len(self._tx)
        remainder = 0
        if self._open is not None and self._open <= up_to:
            remainder = 1 if self._framer.drop() else 0
            self._open = None
        backlog = deque(f for f in self._backlog if f.utterance > up_to)
        tx = deque(f for f in self._tx if f.utterance > up_to)
        result = Flushed(len(self._backlog) - len(backlog) + remainder, openai_held, tx_held - len(tx), tx_held)
        self.flushed += result.openai_flushed - remainder + result.tx_flushed
        self._backlog, self._tx = backlog, tx
        self._top_up()
        return result
