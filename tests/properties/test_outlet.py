"""The outlet: frames in = sent + flushed + held at every step, in order, bounded, and nothing old after a flush."""

from collections import deque

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from media_ws_ai.audio.frame import FRAME_BYTES
from media_ws_ai.audio.outlet import BACKLOG_FRAMES, TX_CAPACITY_FRAMES, Outlet

Frame = tuple[int, bytes]


class OutletMachine(RuleBasedStateMachine):
    """Against a plain list of the bytes that each utterance was given."""

    def __init__(self) -> None:
        super().__init__()
        self.outlet = Outlet()
        self.number = 0
        self.is_open = False
        self.rest = b""
        self.waiting: deque[Frame] = deque()
        self.seed = 0

    def _bytes(self, count: int) -> bytes:
        self.seed += 1
        return bytes((self.seed * 37 + i) % 255 for i in range(min(count, FRAME_BYTES))) * (count // FRAME_BYTES + 1)

    @initialize(frames=st.sampled_from([0, 0, 499, 6_990, 6_999]))
    def begin_with(self, frames: int) -> None:
        """Some runs begin nearly full: what a small queue does is no proof."""
        self.open(1)
        self.push(min(frames, TX_CAPACITY_FRAMES) * FRAME_BYTES)
        self.push(max(0, frames - TX_CAPACITY_FRAMES) * FRAME_BYTES)

    @precondition(lambda self: not self.is_open)
    @rule(step=st.integers(1, 3))
    def open(self, step: int) -> None:
        self.number += step
        self.outlet.open(self.number)
        self.is_open = True

    @precondition(lambda self: self.is_open)
    @rule(count=st.sampled_from([0, 1, 159, 160, 161, 320, 4800, 80_000, 1_040_001]) | st.integers(0, 2000))
    def push(self, count: int) -> None:
        audio = self._bytes(count)[:count]
        before = self.outlet.backlog_frames
        took = self.outlet.push(self.number, audio)
        if took is None:
            assert before + count / FRAME_BYTES > BACKLOG_FRAMES - 1, "refused only when there is no room"
            return
        self.rest += audio
        whole = len(self.rest) // FRAME_BYTES
        assert took == whole
        for at in range(0, whole * FRAME_BYTES, FRAME_BYTES):
            self.waiting.append((self.number, self.rest[at : at + FRAME_BYTES]))
        self.rest = self.rest[whole * FRAME_BYTES :]

    @precondition(lambda self: self.is_open)
    @rule()
    def close(self) -> None:
        assert self.outlet.close(self.number) == (1 if self.rest else 0)
        if self.rest:
            self.waiting.append((self.number, self.rest.ljust(FRAME_BYTES, b"\xff")))
        self.rest, self.is_open = b"", False

    @rule(count=st.sampled_from([1, 2, 600]))
    def pop(self, count: int) -> None:
        for _ in range(count):
            frame = self.outlet.pop()
            expected = self.waiting.popleft() if self.waiting else None
            assert (tuple(frame) if frame else None) == expected

    @rule(back=st.integers(0, 3))
    def flush(self, back: int) -> None:
        up_to = self.number - back
        tx, backlog = self.outlet.tx_frames, self.outlet.backlog_frames
        old = sum(utterance <= up_to for utterance, _ in self.waiting)
        remainder = 1 if self.rest and self.is_open and self.number <= up_to else 0
        flushed = self.outlet.flush(up_to)
        assert (flushed.tx_held, flushed.openai_held) == (tx, backlog)
        assert flushed.tx_flushed + flushed.openai_flushed == old + remainder
        assert flushed.tx_flushed <= flushed.tx_held and flushed.openai_flushed <= flushed.openai_held
        self.waiting = deque(frame for frame in self.waiting if frame[0] > up_to)
        if self.is_open and self.number <= up_to:
            self.rest, self.is_open = b"", False

    @invariant()
    def nothing_is_unaccounted(self) -> None:
        outlet = self.outlet
        held = outlet.tx_frames + outlet.backlog_frames - (1 if self.rest else 0)
        assert outlet.pushed == outlet.popped + outlet.flushed + held
        assert held == len(self.waiting)

    @invariant()
    def bounded(self) -> None:
        assert self.outlet.tx_frames <= TX_CAPACITY_FRAMES
        assert self.outlet.backlog_frames <= BACKLOG_FRAMES
        assert self.outlet.tx_frames == min(TX_CAPACITY_FRAMES, len(self.waiting)), "TX is filled first"


OutletMachine.TestCase.settings = settings(stateful_step_count=40)
test_outlet = OutletMachine.TestCase
