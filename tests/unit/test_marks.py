"""Marks: names out, echoes in, and what each echo says."""

import pytest

from media_ws_ai.rules.marks import MAX_OUT, Echo, Marks


def counts(marks: Marks) -> dict[str, int]:
    names = ("sent", "echoed", "lost", "late", "cleared", "foreign")
    return {name: getattr(marks, name) for name in names if getattr(marks, name)}


def test_a_name_tells_epoch_utterance_and_ms() -> None:
    marks = Marks()
    assert marks.name(3, 20, is_end=False) == "0.3.20"
    marks.raise_epoch()
    assert marks.name(4, 640, is_end=True) == "1.4.640.end"


@pytest.mark.parametrize(
    ("echoes", "heard", "counted"),
    [
        pytest.param(["0.1.20", "0.1.200", "0.1.240.end"], [20, 200, 240], {"echoed": 3}, id="in_order"),
        pytest.param(["0.1.200", "0.1.240.end"], [200, 240], {"echoed": 2, "lost": 1}, id="one_lost"),
        pytest.param(["0.1.240.end"], [240], {"echoed": 1, "lost": 2}, id="only_the_end"),
        pytest.param(["0.1.200", "0.1.20"], [200, None], {"echoed": 1, "lost": 1, "late": 1}, id="late"),
        pytest.param(["0.1.20", "0.1.20"], [20, None], {"echoed": 1, "late": 1}, id="doubled"),
        pytest.param(["0.1.220"], [None], {"late": 1}, id="never_sent"),
        pytest.param(["0.1.240"], [None], {"late": 1}, id="the_end_without_its_end"),
        pytest.param(["7.1.20"], [None], {"cleared": 1}, id="another_epoch"),
        pytest.param(["9" * 5000 + ".1.20"], [None], {"cleared": 1}, id="an_epoch_too_long_for_a_number"),
        pytest.param(["00.1.20"], [None], {"cleared": 1}, id="an_epoch_not_as_we_write_it"),
        pytest.param(
            ["", ".", "r12:0007", "x.1.20", "0", "0.", "-0.1.20", "٠.1.20", "².1.20", " 0.1.20"],
            [None] * 10,
            {"foreign": 10},
            id="not_ours",
        ),
    ],
)
def test_echoes(echoes: list[str], heard: list[int | None], counted: dict[str, int]) -> None:
    marks = Marks()
    marks.name(1, 20, is_end=False)
    marks.name(1, 200, is_end=False)
    marks.name(1, 240, is_end=True)
    told = [marks.echo(name) for name in echoes]
    assert [echo and echo.played_ms for echo in told] == heard
    assert counts(marks) == {"sent": 3, **counted}


def test_what_an_echo_says() -> None:
    marks = Marks()
    marks.name(1, 20, is_end=False)
    marks.name(2, 40, is_end=True)
    assert marks.echo("0.1.20") == Echo(1, 20, False)
    assert marks.echo("0.2.40.end") == Echo(2, 40, True)


def test_after_a_flush_the_echoes_of_clear_are_not_heard() -> None:
    marks = Marks()
    old = [marks.name(1, 20, is_end=False), marks.name(1, 200, is_end=False)]
    marks.raise_epoch()
    new = marks.name(2, 20, is_end=False)
    assert [marks.echo(name) for name in old] == [None, None]
    assert marks.echo(new) == Echo(2, 20, False)
    assert counts(marks) == {"sent": 3, "echoed": 1, "cleared": 2}


def test_given_up_marks_are_lost_and_their_echoes_late() -> None:
    marks = Marks()
    names = [marks.name(utterance, 20, is_end=True) for utterance in (1, 2, 3)]
    marks.give_up(2)
    assert [marks.echo(name) for name in names] == [None, None, Echo(3, 20, True)]
    assert counts(marks) == {"sent": 3, "echoed": 1, "lost": 2, "late": 2}
    marks.give_up(9)
    assert marks.lost == 2


def test_a_carrier_that_never_answers_costs_no_memory() -> None:
    marks = Marks()
    for i in range(MAX_OUT + 5):
        marks.name(1, 20 * i, is_end=False)
    assert marks.lost == 5
    assert marks.echo("0.1.80") is None
    assert marks.echo("0.1.100") == Echo(1, 100, False)
    assert counts(marks) == {"sent": MAX_OUT + 5, "lost": 5, "late": 1, "echoed": 1}
