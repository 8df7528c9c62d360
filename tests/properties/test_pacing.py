"""The pacer: no negative wait, no burst, and lateness told apart from starvation, whenever the thread wakes.

A frame that was late by less than 20 ms leaves the schedule standing, so the next may follow closer than 20 ms: no
more than that one is ever made up.
"""

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.audio.frame import FRAME_SEC
from media_ws_ai.audio.pacing import Pacer

EPSILON_S = 1e-6

Send = tuple[float, bool]
"""How long after it was due [s], and whether more was there."""

LATENESS = st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.019, 0.0199, 0.0201, 0.1, 3.0]) | st.floats(0.0, 0.2)


@given(st.lists(st.tuples(LATENESS, st.booleans()), min_size=10, max_size=60), st.floats(0.0, 1e6))
def test_schedule(sends: list[Send], start: float) -> None:
    pacer, now, sent, late = Pacer(), start, [], 0
    is_fed = False  # whether the frame now due was there when the one before it left
    for late_s, has_more in sends:
        due = pacer.due_at(now)
        assert due >= now, "no negative wait"
        if due > now:
            assert not pacer.is_due(now)
        now = due + late_s
        assert pacer.is_due(now)
        assert pacer.due_at(now) == now
        if is_fed and now - due >= FRAME_SEC:
            late += 1
        pacer.sent(now, has_more)
        is_fed = has_more
        sent.append(now)
    assert pacer.resyncs == late, "counted from one frame of lateness on, and not for starvation"
    for first, third in zip(sent, sent[2:], strict=False):
        assert third - first > FRAME_SEC - EPSILON_S, "no three within one frame's time"
    for i, first in enumerate(sent):
        for j in range(i + 2, len(sent)):
            assert sent[j] - first > (j - i - 1) * FRAME_SEC - EPSILON_S, "no ground is made up beyond one frame"


@given(st.lists(st.floats(0.0, 0.0199), min_size=2, max_size=200))
def test_jitter_below_a_frame_never_moves_the_schedule(jitter: list[float]) -> None:
    pacer, start = Pacer(), 1000.0
    pacer.sent(start, True)
    for i, late_s in enumerate(jitter, start=1):
        due = start + i * FRAME_SEC
        assert abs(pacer.due_at(start) - due) < EPSILON_S
        pacer.sent(due + late_s, True)
    assert pacer.resyncs == 0


@given(st.lists(st.tuples(st.floats(0.0, 2.0), st.sampled_from(["poll", "send", "emptied"])), min_size=10, max_size=80))
def test_polled_at_any_time(steps: list[tuple[float, str]]) -> None:
    pacer, now = Pacer(), 50.0
    last: list[float] = []
    for pause_s, what in steps:
        now += pause_s
        assert pacer.due_at(now) >= now
        if what == "emptied":
            pacer.emptied()
        elif pacer.is_due(now):
            assert len(last) < 2 or now - last[0] > FRAME_SEC - EPSILON_S, "no three within one frame's time"
            pacer.sent(now, what == "send")
            last = [*last[-1:], now]
        assert pacer.due_at(now) - now <= FRAME_SEC + EPSILON_S, "nor a wait longer than a frame"
