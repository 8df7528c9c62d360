"""The meter: a second of even speech reads 50.0 wherever its borders fall, a hole is told, silence is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.audio.frame import FRAME_SEC
from media_ws_ai.audio.meter import Meter, Second

Event = tuple[float, str]


def readings(frames: list[Event], first_border: float, seconds: int) -> tuple[Meter, list[Second]]:
    """Play the frames and ends, closing a second at `first_border` and each second after."""
    meter, out = Meter(), []
    borders = [(first_border + i, "second") for i in range(seconds)]
    for at, what in sorted([*frames, *borders]):
        if what == "frame":
            meter.frame(at)
        elif what == "end":
            meter.end()
        else:
            out.append(meter.second(at))
    return meter, out


@given(
    start=st.floats(0.0, 2.0),
    border=st.floats(0.5, 1.5),
    frames=st.integers(1, 250),
    jitter=st.lists(st.floats(0.0, 0.004), min_size=250, max_size=250),
)
def test_even_speech_reads_50(start: float, border: float, frames: int, jitter: list[float]) -> None:
    sent = [(start + i * FRAME_SEC, "frame") for i in range(frames)]
    end = (sent[-1][0] + 1e-6, "end")
    _, seconds = readings([*sent, end], border, 9)
    for second in seconds:
        if second.frames:
            assert second.fps == pytest.approx(50.0, abs=0.001)
            assert second.max_gap_ms <= 20.001
        else:
            assert second == Second(0.0, 0.0, 0)
    assert sum(second.frames for second in seconds) == frames
    late = [(at + jitter[i], "frame") for i, (at, _) in enumerate(sent)]
    meter, seconds = readings([*late, (late[-1][0] + 1e-6, "end")], border, 9)
    for second in seconds:
        if second.frames >= 45:
            assert 49.5 <= second.fps <= 50.5
            assert second.max_gap_ms <= 24.001
    assert meter.frames == frames


@given(
    before=st.integers(1, 100),
    after=st.integers(1, 100),
    hole_s=st.floats(0.061, 3.0),
    border=st.floats(0.3, 1.3),
)
def test_a_hole_lowers_the_rate_and_shows(before: int, after: int, hole_s: float, border: float) -> None:
    first = [(i * FRAME_SEC, "frame") for i in range(before)]
    resumed = first[-1][0] + hole_s
    second = [(resumed + i * FRAME_SEC, "frame") for i in range(after)]
    meter, seconds = readings([*first, *second, (second[-1][0] + 1e-6, "end")], border, 12)
    assert meter.max_gap_ms == pytest.approx(hole_s * 1000, abs=0.001)
    assert max(s.max_gap_ms for s in seconds) == meter.max_gap_ms
    span_s = second[-1][0] + FRAME_SEC
    assert meter.average_fps() == pytest.approx((before + after) / span_s)
    assert meter.average_fps() < 50.0
    assert min(s.fps for s in seconds if s.max_gap_ms > 0) < 49.5


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0.02, 1.5)), min_size=1, max_size=8), st.floats(0.1, 1.1))
def test_pauses_between_answers_are_no_holes(answers: list[tuple[int, float]], border: float) -> None:
    events: list[Event] = []
    at = 0.0
    for frames, pause_s in answers:
        events += [(at + i * FRAME_SEC, "frame") for i in range(frames)]
        at += (frames - 1) * FRAME_SEC
        events.append((at + 1e-6, "end"))
        at += pause_s
    meter, seconds = readings(events, border, 25)
    assert all(s.max_gap_ms <= 20.001 for s in seconds)
    assert all(s.fps == pytest.approx(50.0, abs=0.001) for s in seconds if s.frames)
    assert all(s == Second(0.0, 0.0, 0) for s in seconds if not s.frames)
    assert meter.frames == sum(frames for frames, _ in answers)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 1.0), st.sampled_from(["frame", "frame", "end", "second"])), min_size=10, max_size=80
    )
)
def test_any_order_keeps_the_sums(steps: list[tuple[float, str]]) -> None:
    meter, now, sent, closed = Meter(), 0.0, 0, []
    for pause_s, what in steps:
        now += pause_s
        if what == "frame":
            meter.frame(now)
            sent += 1
        elif what == "end":
            meter.end()
        else:
            closed.append(meter.second(now))
    closed.append(meter.second(now))
    assert sum(s.frames for s in closed) == meter.frames == sent
    assert all(s.fps >= 0 and s.max_gap_ms >= 0 for s in closed)
    assert (meter.average_fps() > 0) == (sent > 0)
