"""Play-out under anything: audio of any size, TX at any time, marks late, lost, doubled, in any order, cuts between.

The machine keeps its own book of what was fed, written, echoed and cut, and holds the play-out against it after
every step. Times are whole milliseconds, so that the book and the ledger may be compared exactly.
"""

import math
from collections import deque
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from media_ws_ai.audio.frame import FRAME_BYTES, PTIME_MS
from media_ws_ai.audio.outlet import BACKLOG_FRAMES, TX_CAPACITY_FRAMES
from media_ws_ai.errors import ContractError
from media_ws_ai.rules.marks import EVERY_MS
from media_ws_ai.rules.playout import CLEAR, Out, Playout, Utterance

END_WAIT_MS = 600
ROUNDING_MS = 1
SIZES = st.sampled_from([0, 1, 159, 160, 161, 1600, 3200, 8000, 40_001]) | st.integers(0, 900)


@dataclass
class Book:
    """What the test knows of one utterance."""

    utterance: Utterance
    fed: bytearray = field(default_factory=bytearray)
    sent: list[bytes] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    last_ms: int = 0
    is_finished: bool = False
    is_acknowledged: bool = False
    is_over: bool = False
    was_cut: bool = False
    heard_seen: int = 0
    acked_seen: int = 0

    @property
    def frames(self) -> int:
        """Frames that will be sent, as far as is known; the last is padded once it is finished."""
        rest = len(self.fed) % FRAME_BYTES
        return len(self.fed) // FRAME_BYTES + (1 if rest and self.is_finished else 0)

    @property
    def is_all_sent(self) -> bool:
        return self.is_finished and len(self.sent) == self.frames


class PlayoutMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.play = Playout()
        self.ms = 0
        self.books: dict[int, Book] = {}
        self.order: deque[int] = deque()  # utterances that are not over
        self.open: Book | None = None
        self.epoch = 0
        self.wants_clear = False
        self.flying: list[str] = []  # marks on the wire of this epoch
        self.gone: list[str] = []  # echoed, or of an epoch before
        self.media_ms: list[int] = []
        self.seed = 0

    @property
    def now(self) -> float:
        return 1000.0 + self.ms / 1000

    # --- the model and the clips ------------------------------------------------------------------------------

    @initialize(count=st.integers(0, 20_000), transmitted=st.integers(0, 120))
    def in_the_middle_of_it(self, count: int, transmitted: int) -> None:
        self.begin("model")
        self.feed(count)
        self.transmit(transmitted, 0)

    @rule(what=st.sampled_from(["feed", "feed", "feed", "finish", "begin", "say"]), count=SIZES)
    def model(self, what: str, count: int) -> None:
        """More audio, the end of it, the next utterance, or a whole one at once."""
        if what in ("begin", "say") or self.open is None:
            self.begin("model" if what == "begin" else "hold")
        if what in ("feed", "say"):
            self.feed(count)
        if what in ("finish", "say"):
            self.finish(0)

    def begin(self, source: str) -> None:
        if self.open is not None:
            self._finished(self.open)
        utterance = self.play.begin(source)
        assert utterance.id > max(self.books, default=0)
        self.open = self.books[utterance.id] = Book(utterance)
        self.order.append(utterance.id)

    def feed(self, count: int) -> None:
        book = self.open
        assert book is not None
        self.seed += 1
        audio = bytes([book.utterance.id % 250, self.seed % 250]) * (count // 2) + b"\x07" * (count % 2)
        room = BACKLOG_FRAMES - self.play.outlet.backlog_frames
        if self.play.feed(book.utterance, audio):
            book.fed += audio
        else:
            assert count / FRAME_BYTES > room - 1, "refused only when there is no room"

    @rule(back=st.integers(0, 3), what=st.sampled_from(["feed", "feed", "finish", "echo"]))
    def out_of_turn(self, back: int, what: str) -> None:
        """Too much at once, audio for one that is closed, a second end, an echo of nothing that we sent."""
        book = list(self.books.values())[-1 - back % len(self.books)]
        if what == "finish":
            self.finish(back)
        elif what == "echo":
            name = ["", "x", "0.99.20.end", "9" * 5000 + ".1.20"][back]
            self._says_nothing(name)
        elif book is self.open:
            too_much = b"\x01" * ((BACKLOG_FRAMES + TX_CAPACITY_FRAMES) * FRAME_BYTES)
            assert not self.play.feed(book.utterance, too_much), "refused whole: nothing of it is in the book"
        else:
            with pytest.raises(ContractError):
                self.play.feed(book.utterance, b"\x01" * 160)

    def finish(self, back: int) -> None:
        book = list(self.books.values())[-1 - back % len(self.books)]
        self.play.finish(book.utterance)
        if book is self.open:
            self._finished(book)

    def _finished(self, book: Book) -> None:
        book.is_finished = True
        self.open = None
        if not book.fed:
            book.is_over = True
            self.order.remove(book.utterance.id)

    # --- TX ---------------------------------------------------------------------------------------------------

    @rule(count=st.sampled_from([1, 5, 12, 60]), late_ms=st.sampled_from([0, 0, 0, 7, 19, 25, 300]))
    def transmit(self, count: int, late_ms: int) -> None:
        """Take as TX does, each time when it is told to; once it oversleeps."""
        self.ms += late_ms
        for _ in range(count):
            self._written(self.play.take(self.now, self.ms))
            wait_s = self.play.wait_s(self.now)
            if wait_s is None:
                break
            assert 0.0 <= wait_s <= PTIME_MS / 1000 + 1e-6
            self.ms += math.ceil(wait_s * 1000 - 1e-9)

    @rule(ms=st.sampled_from([0, 5, 20, 150, 599, 600, 601, 5000]))
    def time(self, ms: int) -> None:
        self.ms += ms
        self.tick()

    def _written(self, out: list[Out]) -> None:
        if self.wants_clear and out:
            assert out[0] == CLEAR, "after a cut `clear` is first"
            self.wants_clear = False
            out = out[1:]
        assert CLEAR not in out
        assert sum(message.kind == "media" for message in out) <= 1, "one frame at a time"
        for message in out:
            if message.kind == "media":
                self._media(message.audio)
            else:
                self._mark(message.name)

    def _media(self, audio: bytes) -> None:
        unsent = (self.books[number] for number in self.order if not self.books[number].is_all_sent)
        book = next(book for book in unsent if len(book.sent) < book.frames)
        at = len(book.sent) * FRAME_BYTES
        assert audio == bytes(book.fed[at : at + FRAME_BYTES]).ljust(FRAME_BYTES, b"\xff"), "whole, in order, unchanged"
        earlier = [self.books[number] for number in self.order if number < book.utterance.id]
        assert all(one.is_all_sent for one in earlier)
        book.sent.append(audio)
        book.last_ms = self.ms
        self.media_ms.append(self.ms)
        if len(self.media_ms) > 2:
            assert self.media_ms[-1] - self.media_ms[-3] >= PTIME_MS, "no burst"

    def _mark(self, name: str) -> None:
        epoch, number, played_ms, *end = name.split(".")
        book = self.books[int(number)]
        assert int(epoch) == self.epoch
        assert name not in book.marks
        if not book.is_over:
            assert int(played_ms) == book.utterance.sent_ms
        book.marks.append(name)
        if end:
            assert book.is_all_sent
        else:
            assert len(book.sent) == 1 or int(played_ms) % EVERY_MS == 0
        self.flying.append(name)

    # --- the carrier ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.flying)
    @rule(skip=st.sampled_from([0, 0, 0, 1, 2, 5]), is_doubled=st.booleans())
    def echo(self, skip: int, is_doubled: bool) -> None:
        """An echo; `skip` marks before it are lost, or come late."""
        skip = min(skip, len(self.flying) - 1)
        name = self.flying[skip]
        self.gone += self.flying[: skip + 1]
        self.flying = self.flying[skip + 1 :]
        self._echoed(name)
        if is_doubled:
            self._says_nothing(name)

    @precondition(lambda self: self.gone)
    @rule(back=st.integers(0, 10))
    def echo_late(self, back: int) -> None:
        self._says_nothing(self.gone[-1 - back % len(self.gone)])

    def _says_nothing(self, name: str) -> None:
        before = [(number, self.books[number].utterance.heard_at(self.now)) for number in self.order]
        assert self.play.mark_echoed(name, self.now) == []
        assert before == [(number, self.books[number].utterance.heard_at(self.now)) for number in self.order]

    def _echoed(self, name: str) -> None:
        _, number, played_ms, *end = name.split(".")
        book = self.books[int(number)]
        over = self.play.mark_echoed(name, self.now)
        if book.is_over:
            assert over == [], "late: it was over by time"
            return
        expected = [one for one in self.order if one < book.utterance.id]
        if end:
            expected.append(book.utterance.id)
        assert [utterance.id for utterance in over] == expected
        self._over(over)
        book.is_acknowledged = True
        if not end:
            heard = book.utterance.heard_at(self.now)
            assert heard == int(played_ms), "the mark, and no time since"
            assert heard >= book.acked_seen, "what was acknowledged never goes back"
            book.acked_seen = book.heard_seen = heard  # evidence corrects what was reckoned from the clock

    def tick(self) -> None:
        over = self.play.tick(self.now)
        expected = []
        for number in self.order:
            book = self.books[number]
            if not book.is_all_sent or self.ms < book.last_ms + END_WAIT_MS:
                break
            expected.append(number)
        if [utterance.id for utterance in over] != expected:  # the float of `now` may stand on either side of 600 ms
            edge = self.books[expected[len(over)]]
            assert abs(self.ms - edge.last_ms - END_WAIT_MS) <= ROUNDING_MS
            assert [utterance.id for utterance in over] == expected[: len(over)]
        self._over(over)

    def _over(self, over: list[Utterance]) -> None:
        for utterance in over:
            book = self.books[utterance.id]
            assert not book.is_over and book.is_all_sent, "over once, and only when all of it was sent"
            assert self.order.popleft() == utterance.id, "over in order"
            assert utterance.heard_ms == utterance.sent_ms == utterance.generated_ms
            ends = [name for name in book.marks if name.endswith(".end")]
            assert len(ends) <= 1
            book.is_over = True
            self._gone_with(utterance.id)

    def _gone_with(self, number: int) -> None:
        """Marks of an utterance that is over have no more to say."""
        self.gone += [name for name in self.flying if int(name.split(".")[1]) <= number]
        self.flying = [name for name in self.flying if int(name.split(".")[1]) > number]

    # --- the cut ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.order or not self.wants_clear)
    @rule(chance=st.integers(0, 2))
    def cut_at_times(self, chance: int) -> None:
        if chance == 0:
            self.cut()

    def cut(self) -> None:
        outlet = self.play.outlet
        held = outlet.tx_frames + outlet.backlog_frames
        heard = [self.books[number].utterance.heard_at(self.now) for number in self.order]
        flushed, cut = self.play.flush(self.now)
        assert [utterance.id for utterance in cut] == list(self.order)
        assert [utterance.heard_ms for utterance in cut] == heard
        assert flushed.tx_flushed + flushed.openai_flushed == held == flushed.tx_held + flushed.openai_held
        for utterance in cut:
            book = self.books[utterance.id]
            assert utterance.was_cut and utterance.is_closed
            book.is_over = book.was_cut = True
        self.order.clear()
        self.open = None
        self.gone += self.flying
        self.flying = []
        self.epoch += 1
        self.wants_clear = True

    # --- always -----------------------------------------------------------------------------------------------

    @invariant()
    def the_ledger_holds(self) -> None:
        for book in self.books.values():
            utterance = book.utterance
            heard = utterance.heard_at(self.now)
            assert 0 <= heard <= utterance.sent_ms <= utterance.generated_ms == len(book.fed) // 8
            assert heard >= book.heard_seen, "what was heard stays heard, unless an echo sets it right"
            book.heard_seen = heard
            if not book.is_acknowledged and (not book.is_over or book.was_cut):
                assert heard == 0, "0 before the first mark"
            assert utterance.sent_frames == len(book.sent)
            assert utterance.is_closed == (book.is_finished or book.was_cut)

    @invariant()
    def marks_are_where_they_belong(self) -> None:
        for book in self.books.values():
            if book.sent and not book.was_cut:
                firsts = [name for name in book.marks if not name.endswith(".end")]
                whole = len(book.sent) * PTIME_MS
                due = {PTIME_MS, *range(EVERY_MS, whole + 1, EVERY_MS)}
                told = {int(name.split(".")[2]) for name in firsts}
                assert told <= due and due - told <= {whole}, "only the last frame's mark may be the end mark"

    @invariant()
    def frames_in_are_sent_flushed_or_held(self) -> None:
        outlet = self.play.outlet
        rest = 1 if self.open is not None and len(self.open.fed) % FRAME_BYTES else 0
        assert outlet.pushed == outlet.popped + outlet.flushed + outlet.tx_frames + outlet.backlog_frames - rest
        assert outlet.popped == sum(len(book.sent) for book in self.books.values())
        assert outlet.backlog_frames <= BACKLOG_FRAMES

    @invariant()
    def who_speaks(self) -> None:
        assert [utterance.id for utterance in self.play.live()] == list(self.order)
        assert self.play.is_idle == (not self.order)
        assert self.play.is_speaking == any(self.books[number].sent for number in self.order)
        current = self.play.current
        assert (current.id if current else None) == (self.order[0] if self.order else None)
        first = self.books[self.order[0]] if self.order else None
        end_at = self.play.next_end_at()
        if first is not None and first.is_all_sent:
            assert end_at == pytest.approx(1000.0 + (first.last_ms + END_WAIT_MS) / 1000)
        else:
            assert end_at is None

    @invariant()
    def every_echo_and_mark_is_counted(self) -> None:
        marks = self.play.marks
        assert marks.sent >= marks.echoed + marks.lost
        assert marks.epoch == self.epoch

    def teardown(self) -> None:
        """Time alone ends everything, and whatever was fed and not cut was sent whole."""
        if self.open is not None:
            self.finish(0)
        for _ in range(20_000):
            self._written(self.play.take(self.now, self.ms))
            wait_s = self.play.wait_s(self.now)
            if wait_s is None:
                break
            self.ms += math.ceil(wait_s * 1000 - 1e-9)
        self.ms += END_WAIT_MS + 1
        self.tick()
        assert self.play.is_idle and not self.order
        for book in self.books.values():
            if not book.was_cut:
                assert b"".join(book.sent)[: len(book.fed)] == bytes(book.fed)
                assert len(book.sent) == book.frames
                ends = [name for name in book.marks if name.endswith(".end")]
                assert len(ends) == (1 if book.sent else 0), "one end mark"
        assert not self.wants_clear


PlayoutMachine.TestCase.settings = settings(stateful_step_count=40)
test_playout = PlayoutMachine.TestCase
