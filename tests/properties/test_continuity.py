"""Continuity: silence fits the hole and never exceeds 500 ms; frames out of place make none."""

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.audio.continuity import MAX_FILL_MS, Continuity
from media_ws_ai.audio.frame import PTIME_MS, SILENCE


@given(st.integers(0, 10**6), st.lists(st.integers(0, 3000), max_size=50))
def test_holes_are_filled_up_to_the_bound_and_all_is_counted(start_ms: int, gaps_ms: list[int]) -> None:
    continuity, at_ms = Continuity(), start_ms
    assert continuity.missing_before(at_ms) == []
    for gap_ms in gaps_ms:
        at_ms += PTIME_MS + gap_ms
        frames = continuity.missing_before(at_ms)
        assert len(frames) == min(gap_ms, MAX_FILL_MS) // PTIME_MS
        assert set(frames) <= {SILENCE}
    assert continuity.filled_ms + continuity.skipped_ms == sum(gaps_ms)
    assert continuity.backward == 0


@given(st.lists(st.integers(1, 20), max_size=20), st.integers(2, 60))
def test_copies_that_come_late_change_nothing(copies: list[int], frames: int) -> None:
    """Frame i comes on time; copies of earlier ones come in between."""
    continuity, doubled = Continuity(), 0
    for i in range(frames):
        assert continuity.missing_before(i * PTIME_MS) == []
        if i < len(copies):
            doubled += 1
            back = min(copies[i] - 1, i)
            assert continuity.missing_before((i - back) * PTIME_MS) == []
    assert (continuity.filled_ms, continuity.skipped_ms, continuity.backward) == (0, 0, doubled)


@given(st.lists(st.integers(), max_size=60))
def test_any_stamps(stamps_ms: list[int]) -> None:
    continuity, filled = Continuity(), 0
    for stamp in stamps_ms:
        frames = continuity.missing_before(stamp)
        assert len(frames) * PTIME_MS <= MAX_FILL_MS
        filled += len(frames)
        assert continuity.missing_before(stamp + PTIME_MS) == [] or continuity.backward, "the next on time needs none"
    assert continuity.filled_ms == filled * PTIME_MS
    assert continuity.skipped_ms >= 0
