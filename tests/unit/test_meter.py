"""The meter: frames at given times, and what each second reads."""

import pytest

from media_ws_ai.audio.meter import Meter, Second

Step = tuple[str, float]


def even(first: float, frames: int) -> list[Step]:
    return [("frame", first + i * 0.020) for i in range(frames)]


def played(steps: list[Step]) -> tuple[Meter, list[Second]]:
    meter, seconds = Meter(), []
    for what, at in steps:
        if what == "frame":
            meter.frame(at)
        elif what == "end":
            meter.end()
        else:
            seconds.append(meter.second(at))
    return meter, seconds


@pytest.mark.parametrize(
    ("steps", "readings"),
    [
        pytest.param([("second", 1.0)], [(0.0, 0.0, 0)], id="silence"),
        pytest.param([*even(0.0, 50), ("second", 1.0)], [(50.0, 20.0, 50)], id="one_full_second"),
        pytest.param(
            [*even(0.5, 25), ("second", 1.0), *even(1.0, 50), ("second", 2.0)],
            [(50.0, 20.0, 25), (50.0, 20.0, 50)],
            id="begun_in_the_middle",
        ),
        pytest.param([*even(0.0, 10), ("end", 0.2), ("second", 1.0)], [(50.0, 20.0, 10)], id="ended_early_is_no_hole"),
        pytest.param(
            [*even(0.0, 10), ("end", 0.2), *even(0.8, 10), ("second", 1.0)],
            [(50.0, 20.0, 20)],
            id="pause_between_answers_is_no_gap",
        ),
        pytest.param(
            [*even(0.0, 20), *even(0.6, 20), ("second", 1.0)],
            [(40 / 1.0, 220.0, 40)],
            id="hole_within_an_answer",
        ),
        pytest.param(
            [*even(0.0, 25), ("second", 1.0), ("second", 2.0), *even(2.0, 50), ("second", 3.0)],
            [(25 / 1.02, 520.0, 25), (0.0, 1520.0, 0), (50 / 0.98, 1520.0, 50)],
            id="hole_over_two_borders",
        ),
        pytest.param(
            [*even(0.0, 49), ("second", 0.995), *even(1.005, 1), ("second", 2.0)],
            [(50.0, 20.0, 49), (1 / 1.04, 995.0, 1)],
            id="a_border_a_little_after_a_frame_is_no_hole_yet",
        ),
        pytest.param([("frame", 0.0), ("second", 1.0)], [(1 / 1.02, 1000.0, 1)], id="one_frame_then_nothing"),
    ],
)
def test_seconds(steps: list[Step], readings: list[tuple[float, float, int]]) -> None:
    _, seconds = played(steps)
    for second, (fps, max_gap_ms, frames) in zip(seconds, readings, strict=True):
        assert second.frames == frames
        assert second.fps == pytest.approx(fps)
        assert second.max_gap_ms == pytest.approx(max_gap_ms, abs=0.001)


def test_the_whole_call() -> None:
    meter, _ = played([*even(0.0, 50), ("second", 1.0), ("end", 1.0), ("second", 2.0), ("second", 3.0)])
    assert meter.frames == 50
    assert meter.average_fps() == pytest.approx(50.0)
    assert meter.max_gap_ms == pytest.approx(20.0)


def test_a_call_without_a_frame() -> None:
    assert Meter().average_fps() == 0.0
