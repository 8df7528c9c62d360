"""Levels: each lies in its place on the time axis, whatever the stamps do and whenever they are taken."""

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.audio.g711 import FLOOR_DBOV
from media_ws_ai.audio.levels import MAX_FRAMES, MAX_STEPS, STEP_MS, Levels

LOUD = b"\x00" * 160


@given(st.lists(st.tuples(st.integers(-300, 1500), st.booleans()), min_size=10, max_size=60), st.integers(0, 5000))
def test_every_level_in_its_place(steps: list[tuple[int, bool]], start_ms: int) -> None:
    levels, at_ms, newest = Levels(), start_ms, -1
    loud: set[int] = set()
    told: dict[int, int] = {}

    def take() -> None:
        begin_ms, values = levels.take()
        for i, value in enumerate(values):
            place = begin_ms // STEP_MS + i
            assert begin_ms % STEP_MS == 0
            assert place not in told, "no step is told twice"
            told[place] = value

    for move_ms, is_taken in steps:
        at_ms += move_ms
        levels.frame(LOUD, at_ms)
        if at_ms // STEP_MS >= newest and at_ms >= 0:
            newest = at_ms // STEP_MS
            loud.add(newest)
        if is_taken:
            take()
    take()
    loud.discard(newest)  # the open step stays
    assert {place for place, value in told.items() if value > FLOOR_DBOV} == loud
    if told:
        assert sorted(told) == list(range(min(told), max(told) + 1)), "no hole between the steps"
    assert levels.steps_lost == 0


@given(st.lists(st.integers() | st.integers(-(10**30), 10**30), max_size=30))
def test_no_stamp_costs_memory(stamps_ms: list[int]) -> None:
    levels = Levels()
    for at_ms in stamps_ms:
        levels.frame(LOUD, at_ms)
        assert len(levels._block) <= MAX_FRAMES * len(LOUD)
    assert len(levels.take()[1]) <= MAX_STEPS
