"""The caller's timeline: stamps in, frames of silence to put before each."""

import pytest

from media_ws_ai.audio.continuity import MAX_FILL_MS, Continuity
from media_ws_ai.audio.frame import SILENCE


@pytest.mark.parametrize(
    ("stamps_ms", "fills", "filled_ms", "skipped_ms", "backward"),
    [
        pytest.param([0, 20, 40], [0, 0, 0], 0, 0, 0, id="even"),
        pytest.param([700, 720], [0, 0], 0, 0, 0, id="the_first_stamp_is_where_it_begins"),
        pytest.param([0, 40], [0, 1], 20, 0, 0, id="one_frame_missing"),
        pytest.param([0, 55], [0, 1], 20, 15, 0, id="part_of_a_frame_is_skipped"),
        pytest.param([0, 30], [0, 0], 0, 10, 0, id="less_than_a_frame"),
        pytest.param([0, 520], [0, 25], 500, 0, 0, id="the_longest_hole_filled_whole"),
        pytest.param([0, 521], [0, 25], 500, 1, 0, id="a_longer_hole_is_filled_in_part"),
        pytest.param([0, 60_020], [0, 25], 500, 59_500, 0, id="a_minute"),
        pytest.param([0, 10**300], [0, 25], 500, 10**300 - 520, 0, id="a_stamp_from_nowhere"),
        pytest.param([0, 20, 20, 40, 60], [0] * 5, 0, 0, 1, id="doubled"),
        pytest.param([0, 20, 40, 20, 60, 80], [0] * 6, 0, 0, 1, id="late_copy_makes_no_hole"),
        pytest.param([0, 40, 20, 60], [0, 1, 0, 0], 20, 0, 1, id="two_frames_changed_places"),
        pytest.param([0, 20, 39, 60], [0] * 4, 0, 1, 1, id="a_stamp_a_little_early"),
        pytest.param([9_000, 0, 20, 60], [0, 0, 0, 1], 20, 0, 1, id="a_count_that_begins_anew"),
    ],
)
def test_stamps(stamps_ms: list[int], fills: list[int], filled_ms: int, skipped_ms: int, backward: int) -> None:
    continuity = Continuity()
    frames = [continuity.missing_before(stamp) for stamp in stamps_ms]
    assert [len(some) for some in frames] == fills
    assert all(frame == SILENCE for some in frames for frame in some)
    assert (continuity.filled_ms, continuity.skipped_ms, continuity.backward) == (filled_ms, skipped_ms, backward)


def test_the_bound() -> None:
    assert MAX_FILL_MS == 500
