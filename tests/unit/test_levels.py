"""Levels of a track: frames at given times, a number for each 100 ms, aligned whatever the stamps do."""

import pytest

from media_ws_ai.audio.frame import SILENCE
from media_ws_ai.audio.g711 import FLOOR_DBOV
from media_ws_ai.audio.levels import MAX_STEPS, Levels

LOUD = b"\x00" * 160
FLOOR = FLOOR_DBOV


def of(stamps_ms: list[int], audio: bytes = LOUD) -> Levels:
    levels = Levels()
    for at_ms in stamps_ms:
        levels.frame(audio, at_ms)
    return levels


@pytest.mark.parametrize(
    ("stamps_ms", "start_ms", "values"),
    [
        pytest.param([], 0, [], id="nothing"),
        pytest.param([0, 20, 40, 60, 80], 0, [], id="the_open_step_stays"),
        pytest.param([0, 20, 40, 60, 80, 100], 0, [0], id="one_step"),
        pytest.param([5000, 5020, 5100], 5000, [0], id="begins_where_the_first_frame_is"),
        pytest.param([99, 100, 200], 0, [0, 0], id="borders"),
        pytest.param([0, 500], 0, [0, FLOOR, FLOOR, FLOOR, FLOOR], id="silence_between_is_filled"),
        pytest.param([120, 140, 60, 200, 300], 100, [0, 0], id="a_frame_of_a_step_that_is_closed_shifts_nothing"),
        pytest.param([-40, 0, 100], 0, [0], id="before_the_stream"),
    ],
)
def test_steps(stamps_ms: list[int], start_ms: int, values: list[int]) -> None:
    assert of(stamps_ms).take() == (start_ms, values)


def test_takes_follow_each_other_without_a_hole() -> None:
    levels = of([0, 100, 200])
    assert levels.take() == (0, [0, 0])
    assert levels.take() == (200, [])
    levels.frame(SILENCE, 300)
    levels.frame(LOUD, 1000)
    assert levels.take() == (200, [0, *[FLOOR] * 7])
    levels.frame(LOUD, 1100)
    assert levels.take() == (1000, [0])


def test_a_step_back_is_left_out_and_the_rest_stays_in_place() -> None:
    levels = of([1000, 1100, 1000, 1200])
    assert levels.left_out == 1
    assert levels.take() == (1000, [0, 0])


def test_stamps_that_stand_still_hold_no_more_than_a_step() -> None:
    levels = of([0] * 5000)
    assert levels.left_out == 5000 - 10
    levels.frame(LOUD, 100)
    assert levels.take() == (0, [0])


@pytest.mark.parametrize("jump_ms", [10**9, 10**15, 10**40])
def test_a_stamp_from_nowhere_costs_no_memory(jump_ms: int) -> None:
    levels = of([0, jump_ms, jump_ms + 100])
    start_ms, values = levels.take()
    assert start_ms == 0 and len(values) == MAX_STEPS
    assert levels.steps_lost > 0
    levels.frame(LOUD, jump_ms + 200)
    start_ms, values = levels.take()
    assert (start_ms, values) == (jump_ms + 100 - jump_ms % 100 if jump_ms % 100 else jump_ms + 100, [0])
