"""Play-out: what is written to the line and when, what counts as heard, when it is over, what a cut leaves."""

import pytest

from media_ws_ai.audio.outlet import BACKLOG_FRAMES, TX_CAPACITY_FRAMES
from media_ws_ai.clock import ManualClock
from media_ws_ai.errors import ContractError
from media_ws_ai.rules.playout import CLEAR, END_WAIT_S, Out, Playout, Utterance

F = 160


class Line:
    """A play-out with a clock, and TX as it would take: everything that is due, tick by tick."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.began = self.clock.at
        self.play = Playout()
        self.wire: list[tuple[int, Out]] = []

    @property
    def ms(self) -> int:
        return round((self.clock.at - self.began) * 1000)

    def take(self) -> list[Out]:
        out = self.play.take(self.clock.at, self.ms)
        self.wire += [(self.ms, message) for message in out]
        return out

    def run(self, ms: int) -> list[Out]:
        """Take every 5 ms, for so long."""
        out = []
        for _ in range(ms // 5):
            out += self.take()
            self.clock.advance(0.005)
        return out

    def say(self, frames: int, source: str = "model") -> Utterance:
        utterance = self.play.begin(source)
        assert self.play.feed(utterance, bytes([utterance.id]) * (frames * F))
        self.play.finish(utterance)
        return utterance

    def echo(self, name: str) -> list[Utterance]:
        return self.play.mark_echoed(name, self.clock.at)


@pytest.fixture
def line() -> Line:
    return Line()


def state(line: Line) -> str:
    return "idle" if line.play.is_idle else "speaking" if line.play.is_speaking else "waiting"


def names(out: list[Out]) -> list[str]:
    return [message.name for message in out if message.kind == "mark"]


def media(out: list[Out]) -> list[bytes]:
    return [message.audio for message in out if message.kind == "media"]


def kinds(out: list[Out]) -> str:
    return "".join({"media": "a", "mark": "m", "clear": "C"}[message.kind] for message in out)


# --- what is written -------------------------------------------------------------------------------------------


def test_a_frame_leaves_when_it_is_due_and_not_before(line: Line) -> None:
    line.say(5)
    line.run(100)
    assert [at for at, message in line.wire if message.kind == "media"] == [0, 20, 40, 60, 80]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        pytest.param(1, ["0.1.20.end"], id="one_frame_has_only_its_end"),
        pytest.param(2, ["0.1.20", "0.1.40.end"], id="first_and_end"),
        pytest.param(10, ["0.1.20", "0.1.200.end"], id="the_end_stands_for_the_mark_at_its_place"),
        pytest.param(11, ["0.1.20", "0.1.200", "0.1.220.end"], id="200_ms"),
        pytest.param(32, ["0.1.20", "0.1.200", "0.1.400", "0.1.600", "0.1.640.end"], id="every_200_ms"),
    ],
)
def test_marks(line: Line, frames: int, expected: list[str]) -> None:
    line.say(frames)
    out = line.run(frames * 20 + 100)
    assert names(out) == expected
    assert kinds(out)[-1] == "m", "the end mark follows the last frame"


def test_the_first_mark_follows_the_first_frame(line: Line) -> None:
    line.say(3)
    assert kinds(line.take()) == "am"


def test_utterances_play_whole_and_in_order(line: Line) -> None:
    line.say(3)
    line.say(2, "hold")
    line.say(1)
    assert kinds(line.run(300)) == "amaam" + "amam" + "am"
    assert [frame[0] for frame in media([m for _, m in line.wire])] == [1, 1, 1, 2, 2, 3]


def test_beginning_the_next_finishes_the_one_before(line: Line) -> None:
    first = line.play.begin("model")
    line.play.feed(first, b"\x01" * 170)
    second = line.play.begin("model")
    assert first.is_closed and first.frames == 2
    assert not second.is_closed
    with pytest.raises(ContractError):
        line.play.feed(first, b"\x01")
    line.play.finish(first)
    assert line.play.newest is second and line.play.current is first
    assert list(line.play.live()) == [first, second]


def test_audio_of_odd_length_is_padded_and_not_counted_as_said(line: Line) -> None:
    utterance = line.play.begin("model")
    for size in (161, 0, 7):
        line.play.feed(utterance, b"\x05" * size)
    line.play.finish(utterance)
    out = line.run(100)
    assert media(out) == [b"\x05" * 160, b"\x05" * 8 + b"\xff" * 152]
    assert names(out) == ["0.1.20", "0.1.21.end"]
    assert (utterance.generated_ms, utterance.sent_ms) == (21, 21)


def test_the_end_that_is_known_after_the_last_frame_left(line: Line) -> None:
    utterance = line.play.begin("model")
    line.play.feed(utterance, b"\x01" * (2 * F))
    line.run(100)
    assert line.play.wait_s(line.clock.at) is None
    line.play.finish(utterance)
    assert line.play.wait_s(line.clock.at) == 0.0
    assert [m.name for m in line.take()] == ["0.1.40.end"]
    assert line.play.wait_s(line.clock.at) is None


def test_how_long_tx_may_sleep(line: Line) -> None:
    assert line.play.wait_s(line.clock.at) is None
    line.say(2)
    assert line.play.wait_s(line.clock.at) == 0.0
    line.take()
    line.clock.advance(0.005)
    assert line.play.wait_s(line.clock.at) == pytest.approx(0.015)
    assert line.take() == []
    line.clock.advance(9)
    assert line.play.wait_s(line.clock.at) == 0.0


@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
def test_an_utterance_without_audio_is_over_at_once(line: Line, pieces: list[bytes]) -> None:
    utterance = line.play.begin("model", text="never spoken")
    for piece in pieces:
        assert line.play.feed(utterance, piece)
    assert state(line) == "waiting"
    line.play.finish(utterance)
    assert state(line) == "idle"
    assert utterance.heard_ms == 0, "whoever waits for its end must not wait for ever"
    assert line.run(100) == []
    assert line.play.tick(line.clock.at + 10) == []


def test_what_has_no_room_is_refused_whole(line: Line) -> None:
    utterance = line.play.begin("model")
    assert line.play.feed(utterance, b"\x01" * (F * TX_CAPACITY_FRAMES))
    assert line.play.feed(utterance, b"\x01" * (F * BACKLOG_FRAMES))
    assert not line.play.feed(utterance, b"\x01" * F)
    assert utterance.frames == TX_CAPACITY_FRAMES + BACKLOG_FRAMES
    assert utterance.generated_ms == utterance.frames * 20
    assert line.play.remaining_s() == pytest.approx(140.0)


def test_levels_of_what_was_said(line: Line) -> None:
    line.say(15)
    line.run(400)
    start_ms, values = line.play.levels.take()
    assert start_ms == 0 and len(values) == 2


# --- late, dry ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late_ms", "resyncs"), [pytest.param(15, 0, id="less_than_a_frame"), pytest.param(65, 1, id="more")]
)
def test_a_late_thread(line: Line, late_ms: int, resyncs: int) -> None:
    line.say(20)
    line.run(100)
    line.clock.advance(late_ms / 1000)
    line.run(500)
    assert line.play.resyncs == resyncs
    assert line.play.underruns == 0


@pytest.mark.parametrize(
    ("pause_ms", "underruns"),
    [
        pytest.param(15, 0, id="the_next_frame_came_in_time"),
        pytest.param(35, 0, id="late_by_less_than_a_frame"),
        pytest.param(45, 1, id="a_frame_was_missing"),
        pytest.param(900, 1, id="a_long_hole_is_one"),
    ],
)
def test_a_model_slower_than_speech(line: Line, pause_ms: int, underruns: int) -> None:
    utterance = line.play.begin("model")
    line.play.feed(utterance, b"\x01" * F)
    line.run(pause_ms)
    line.play.feed(utterance, b"\x01" * F)
    line.run(40)
    line.play.finish(utterance)
    assert (line.play.underruns, line.play.resyncs) == (underruns, 0)


def test_a_pause_between_answers_is_no_underrun_and_no_gap(line: Line) -> None:
    first = line.play.begin("model")
    line.play.feed(first, b"\x01" * F)
    line.run(100)
    line.play.finish(first)
    line.run(900)
    line.say(3)
    line.run(100)
    assert (line.play.underruns, line.play.resyncs) == (0, 0)
    assert line.play.meter.second(line.clock.at).max_gap_ms == pytest.approx(20, abs=0.01)


def test_the_frame_after_a_cut_is_not_late(line: Line) -> None:
    line.say(50)
    line.run(200)
    line.play.flush(line.clock.at)
    line.run(1000)
    line.say(5)
    line.run(100)
    assert (line.play.resyncs, line.play.underruns) == (0, 0)
    assert line.play.meter.second(line.clock.at).max_gap_ms == pytest.approx(20, abs=0.01)


# --- heard ----------------------------------------------------------------------------------------------------


def test_nothing_is_heard_before_the_first_mark(line: Line) -> None:
    utterance = line.say(100)
    line.run(1000)
    assert utterance.sent_ms == 1000
    assert utterance.heard_at(line.clock.at) == 0


def test_heard_is_the_last_mark_and_the_time_since_its_echo(line: Line) -> None:
    utterance = line.say(100)
    line.run(60)
    assert line.echo("0.1.20") == []
    assert utterance.heard_at(line.clock.at) == 20
    line.run(100)
    assert utterance.heard_at(line.clock.at) == pytest.approx(120, abs=1)
    line.run(160)
    line.echo("0.1.200")
    assert utterance.heard_at(line.clock.at) == 200, "the echo corrects what was reckoned (280)"
    assert utterance.heard_at(line.clock.at + 0.0601) == 260
    assert utterance.heard_at(line.clock.at + 60) == utterance.sent_ms == 320, "never more than was sent"


def test_heard_stands_still_while_a_late_frame_leaves_the_line_silent(line: Line) -> None:
    utterance = line.say(100)
    line.run(60)
    line.echo("0.1.20")
    late_at = line.clock.at + 0.095
    assert len(line.play.take(late_at, 155)) == 1
    reckoned_ms = 20 + int((late_at + 0.010 - line.clock.at) * 1000)
    assert reckoned_ms > utterance.heard_at(late_at + 0.010) == utterance.sent_ms - 10, "half of the last frame"
    assert utterance.heard_at(late_at + 0.020) == utterance.sent_ms


def test_a_late_or_doubled_echo_says_nothing(line: Line) -> None:
    utterance = line.say(100)
    line.run(420)
    line.echo("0.1.400")
    assert utterance.acked_ms == 400
    assert [line.echo(name) for name in ("0.1.200", "0.1.400", "0.1.20")] == [[], [], []]
    assert utterance.acked_ms == 400
    assert (line.play.marks.lost, line.play.marks.late) == (2, 3)


def test_over_by_the_echo_of_the_end_mark(line: Line) -> None:
    utterance = line.say(3)
    line.run(100)
    assert state(line) == "speaking"
    assert line.echo("0.1.60.end") == [utterance]
    assert utterance.heard_ms == utterance.heard_at(line.clock.at + 9) == 60
    assert state(line) == "idle"
    assert line.play.next_end_at() is None
    assert (line.play.current, line.play.newest) == (None, None)


def test_over_600_ms_after_the_last_frame(line: Line) -> None:
    utterance = line.say(3)
    assert line.play.next_end_at() is None
    line.run(100)
    last_frame_at = line.began + 0.040
    assert line.play.next_end_at() == pytest.approx(last_frame_at + END_WAIT_S)
    assert line.play.tick(last_frame_at + 0.599) == []
    assert line.play.tick(last_frame_at + 0.6001) == [utterance]
    assert utterance.heard_ms == 60
    assert line.play.marks.lost == 2
    assert line.echo("0.1.60.end") == []
    assert line.play.marks.late == 1


def test_whichever_is_first_counts_once(line: Line) -> None:
    utterance = line.say(3)
    line.run(100)
    assert line.echo("0.1.60.end") == [utterance]
    assert line.play.tick(line.clock.at + 5) == []
    assert line.echo("0.1.60.end") == []


def test_an_open_utterance_does_not_end_by_time(line: Line) -> None:
    utterance = line.play.begin("model")
    line.play.feed(utterance, b"\x01" * F)
    line.run(100)
    assert line.play.tick(line.clock.at + 60) == []
    assert line.play.next_end_at() is None
    line.play.finish(utterance)
    assert line.play.tick(line.clock.at + 60) == [utterance]


def test_one_that_is_still_being_sent_does_not_end_by_time(line: Line) -> None:
    line.say(100)
    line.run(100)
    assert line.play.tick(line.clock.at + 60) == []


def test_a_mark_of_the_next_ends_the_one_before(line: Line) -> None:
    first, second = line.say(2), line.say(50)
    line.run(100)
    assert line.echo("0.2.20") == [first]
    assert first.heard_ms == 40 and second.acked_ms == 20
    assert line.play.current is second
    assert line.play.marks.lost == 2


def test_a_lost_end_mark_of_two_utterances(line: Line) -> None:
    first, second = line.say(2), line.say(3)
    line.run(200)
    assert line.echo("0.2.60.end") == [first, second]


def test_time_ends_several_at_once(line: Line) -> None:
    first, second = line.say(2), line.say(3)
    line.run(200)
    assert line.play.tick(line.clock.at + 1) == [first, second]


def test_a_mark_for_an_utterance_that_is_over_says_nothing(line: Line) -> None:
    line.say(2)
    second = line.say(50)
    line.run(60)
    line.echo("0.1.40.end")
    line.play.marks.name(1, 40, is_end=True)  # as if it had been written twice
    assert line.echo("0.1.40.end") == []
    assert second.acked_ms is None


@pytest.mark.parametrize("name", ["", "x", "0.9.20", "9" * 5000 + ".1.20", "r12:0007"])
def test_an_echo_that_is_not_ours(line: Line, name: str) -> None:
    utterance = line.say(20)
    line.run(100)
    assert line.echo(name) == []
    assert utterance.heard_at(line.clock.at) == 0


# --- the text of what was heard ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "generated_ms", "heard_ms", "was_cut", "heard"),
    [
        pytest.param("שלום וברוכים הבאים", 1800, 1800, False, "שלום וברוכים הבאים", id="whole"),
        pytest.param("שלום וברוכים הבאים", 1800, 1800, True, "שלום וברוכים הבאים", id="cut_after_the_last_word"),
        pytest.param("שלום וברוכים הבאים", 1800, 900, True, "שלום", id="cut_within_a_word"),
        pytest.param("שלום וברוכים הבאים", 1800, 100, True, "", id="cut_within_the_first_word"),
        pytest.param("hello there", 1100, 0, True, "", id="nothing_heard"),
        pytest.param("hello there", 0, 0, True, "", id="nothing_generated_yet"),
        pytest.param("", 1000, 500, True, "", id="no_text"),
    ],
)
def test_text_heard(text: str, generated_ms: int, heard_ms: int, was_cut: bool, heard: str) -> None:
    utterance = Utterance(1, "model", text=text, generated_bytes=generated_ms * 8, heard_ms=heard_ms, was_cut=was_cut)
    assert utterance.text_heard() == heard


# --- the cut --------------------------------------------------------------------------------------------------


def test_after_a_cut_clear_is_first_and_nothing_of_the_old_follows(line: Line) -> None:
    old, waiting = line.say(100), line.say(100)
    line.run(300)
    line.echo("0.1.200")
    flushed, cut = line.play.flush(line.clock.at)
    assert cut == [old, waiting]
    assert (old.heard_ms, waiting.heard_ms) == (200, 0)
    assert old.was_cut and waiting.was_cut
    assert flushed == (0, 0, 185, 185)
    assert line.play.is_idle and not line.play.is_speaking
    new = line.say(3)
    out = line.run(200)
    assert kinds(out) == "Camaam"
    assert names(out) == ["1.3.20", "1.3.60.end"]
    assert {frame[0] for frame in media(out)} == {new.id}


def test_echoes_of_clear_are_not_heard(line: Line) -> None:
    line.say(100)
    old = names(line.run(500))
    line.play.flush(line.clock.at)
    new = line.say(20)
    line.run(100)
    assert [line.echo(name) for name in old] == [[]] * len(old)
    assert new.heard_at(line.clock.at) == 0
    assert line.play.marks.cleared == len(old) == 3


def test_a_cut_while_audio_still_comes(line: Line) -> None:
    utterance = line.play.begin("model")
    line.play.feed(utterance, b"\x01" * (600 * F + 5))
    line.run(20)
    flushed, cut = line.play.flush(line.clock.at)
    assert cut == [utterance] and utterance.is_closed
    assert flushed == (100, 100, 500, 500)
    with pytest.raises(ContractError):
        line.play.feed(utterance, b"\x01" * F)
    line.play.finish(utterance)
    assert line.run(100) == [CLEAR]
    assert line.play.outlet.pushed == line.play.outlet.popped + line.play.outlet.flushed


def test_two_cuts_write_one_clear_and_two_epochs(line: Line) -> None:
    line.say(10)
    line.take()
    line.play.flush(line.clock.at)
    line.say(10)
    line.play.flush(line.clock.at)
    assert line.run(100) == [CLEAR]
    assert line.play.marks.epoch == 2


def test_a_cut_takes_back_an_end_mark_that_was_not_written(line: Line) -> None:
    utterance = line.play.begin("model")
    line.play.feed(utterance, b"\x01" * F)
    line.run(40)
    line.play.finish(utterance)
    line.play.flush(line.clock.at)
    assert line.run(100) == [CLEAR]


def test_a_cut_of_nothing(line: Line) -> None:
    flushed, cut = line.play.flush(line.clock.at)
    assert (flushed, cut) == ((0, 0, 0, 0), [])
    assert line.run(40) == [CLEAR]


def test_a_frame_after_a_cut_keeps_its_distance(line: Line) -> None:
    line.say(10)
    line.take()
    line.play.flush(line.clock.at)
    line.say(10)
    line.run(100)
    assert [at for at, message in line.wire if message.kind == "media"][:2] == [0, 20]


# --- the end of the call --------------------------------------------------------------------------------------


def test_reset_leaves_nothing(line: Line) -> None:
    waiting = line.say(20)
    utterance = line.play.begin("model")
    line.play.feed(utterance, b"\x01" * 170)
    line.run(100)
    line.play.flush(line.clock.at)
    utterance = line.play.begin("model")
    line.play.feed(utterance, b"\x01" * 170)
    line.play.reset()
    assert line.play.is_idle and not line.play.is_speaking
    assert line.play.wait_s(line.clock.at) is None
    assert line.play.remaining_s() == 0.0
    assert line.run(100) == []
    line.play.finish(utterance)
    line.play.finish(waiting)
    assert line.echo("0.1.20") == []
    outlet = line.play.outlet
    assert outlet.pushed == outlet.popped + outlet.flushed


def test_a_clip_is_said_whole(line: Line) -> None:
    utterance = line.play.say("hold", b"\x02" * 400, "רגע")
    assert (utterance.source, utterance.text, utterance.frames) == ("hold", "רגע", 3)
    assert utterance.is_closed
    assert kinds(line.run(100)) == "amaam"
