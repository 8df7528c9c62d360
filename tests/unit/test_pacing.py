"""The pacer: sends at given times, and what it makes of lateness and of having nothing to send."""

import pytest

from media_ws_ai.audio.pacing import Pacer

T0 = 1000.0
MORE, DRY = True, False


@pytest.mark.parametrize(
    ("sends", "due", "resyncs"),
    [
        pytest.param([(0.000, MORE)], 0.020, 0, id="the_first_leaves_at_once"),
        pytest.param([(0.000, MORE), (0.020, MORE)], 0.040, 0, id="on_time"),
        pytest.param([(0.000, MORE), (0.039, MORE)], 0.040, 0, id="late_by_less_than_a_frame_keeps_the_schedule"),
        pytest.param([(0.000, MORE), (0.041, MORE)], 0.061, 1, id="late_by_a_frame_restarts_at_now"),
        pytest.param([(0.000, MORE), (5.000, MORE)], 5.020, 1, id="late_by_seconds_is_one_restart_and_no_burst"),
        pytest.param([(0.000, MORE), (0.041, MORE), (0.090, MORE)], 0.110, 2, id="each_restart_is_counted"),
        pytest.param([(0.000, DRY), (5.000, MORE)], 5.020, 0, id="starved_is_no_lateness"),
        pytest.param([(0.000, DRY), (0.021, MORE)], 0.041, 0, id="starved_shortly_restarts_at_the_frame"),
        pytest.param([(0.000, DRY), (0.020, MORE)], 0.040, 0, id="fed_just_in_time"),
        pytest.param([(0.000, DRY), (5.000, MORE), (5.100, MORE)], 5.120, 1, id="late_after_a_starvation"),
    ],
)
def test_schedule(sends: list[tuple[float, bool]], due: float, resyncs: int) -> None:
    pacer = Pacer()
    for at, has_more in sends:
        assert pacer.is_due(T0 + at)
        pacer.sent(T0 + at, has_more)
    assert pacer.due_at(T0) == pytest.approx(T0 + due)
    assert not pacer.is_due(T0 + due - 0.001)
    assert pacer.resyncs == resyncs


def test_nothing_sent_yet_is_due_now_and_no_wait_is_negative() -> None:
    pacer = Pacer()
    assert pacer.is_due(T0) and pacer.due_at(T0) == T0
    pacer.sent(T0, MORE)
    assert pacer.due_at(T0 + 9) == T0 + 9


def test_what_was_thrown_away_is_not_late() -> None:
    pacer = Pacer()
    pacer.sent(T0, MORE)
    pacer.emptied()
    assert not pacer.is_due(T0 + 0.019), "a flush is no reason for a frame before its time"
    pacer.sent(T0 + 2.0, MORE)
    assert pacer.resyncs == 0
    assert pacer.due_at(T0) == pytest.approx(T0 + 2.020)
