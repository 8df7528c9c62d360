"""Plans: what is read, and what is refused with which sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from media_ws_ai.peers.carrier.plan import Plan, PlanError, Step, Trigger


def step(data: dict[str, Any]) -> Step:
    return Plan.of([{"steps": [data]}]).calls[0].steps[0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"say": "he_book"}, Step("say", "he_book")),
        ({"say": "a.wav", "at_ms": 500}, Step("say", "a.wav", when=Trigger("start", 500))),
        ({"say": "he_yes", "after": "+200ms"}, Step("say", "he_yes", when=Trigger("previous", 200))),
        ({"say": "he_yes", "after": "+200"}, Step("say", "he_yes", when=Trigger("previous", 200))),
        ({"dtmf": "5", "after": "agent_done", "nth": 2}, Step("dtmf", "5", when=Trigger("agent_done", nth=2))),
        ({"hangup": True, "after": "caller_starts", "ms": 700}, Step("hangup", when=Trigger("caller_starts", 700))),
        ({"reset": True}, Step("reset", "call")),
        ({"reset": "stream"}, Step("reset", "stream")),
        ({"rubbish": "oversize", "times": 3}, Step("rubbish", "oversize", times=3)),
        ({"await_end": 8000}, Step("await_end", ms=8000)),
        ({"wait": 100, "after": "clear", "within_ms": 5}, Step("wait", ms=100, when=Trigger("clear", within_ms=5))),
    ],
)
def test_steps(data: dict[str, Any], expected: Step) -> None:
    assert step(data) == expected


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "plan.calls: a list"),
        ({"calls": [], "x": 1}, "unknown key 'x'"),
        ([{"sayy": 1}], "plan.calls[0]: unknown key 'sayy'; known are"),
        ([{"steps": [{"sya": "x"}]}], "plan.calls[0].steps[0]: unknown key 'sya'; actions are say"),
        ([{"steps": [{"say": "a", "dtmf": "5"}]}], "exactly one action is expected, found say, dtmf"),
        ([{"steps": [{"after": "agent_done"}]}], "found none"),
        ([{"steps": [{"say": ""}]}], "steps[0].say: a text expected"),
        ([{"steps": [{"wait": "1"}]}], "steps[0].wait: whole milliseconds expected"),
        ([{"steps": [{"hangup": 1}]}], "steps[0].hangup: true expected"),
        ([{"steps": [{"rubbish": "x"}]}], "malformed or"),
        ([{"steps": [{"say": "a", "after": "tomorrow"}]}], "agent_done"),
        ([{"steps": [{"say": "a", "after": "+x"}]}], "'+500ms'"),
        ([{"steps": [{"say": "a", "at_ms": 1, "after": "start"}]}], "at_ms excludes"),
        ([{"steps": [{"say": "a", "nth": 2}]}], "nth: only with"),
        ([{"steps": [{"say": "a", "within_ms": -1}]}], "0 or more"),
        ([{"max_s": 0}], "greater than 0"),
        ([{"max_s": True}], "a number expected"),
        ([{"repeat": 2, "call_sid": "CA1"}], "exclude each other"),
        ([{"call_sid": "CA1"}, {"call_sid": "CA1"}], "twice"),
        ([{"stream": {"signature": "maybe"}}], "plan.calls[0].stream.signature: right or wrong or none"),
        ([{"marks": {"late": 5}}], "unknown key 'late'"),
        ("x", "a plan is an object"),
    ],
)
def test_refusals_say_where_and_what(data: Any, sentence: str) -> None:
    with pytest.raises(PlanError) as refused:
        Plan.of(data)
    assert sentence in str(refused.value)


def test_repeat_makes_calls_with_seeds_of_their_own() -> None:
    plan = Plan.of({"stagger_ms": 50, "calls": [{"repeat": 3, "seed": 7, "from": "+1", "to": "+2"}]})
    assert [call.seed for call in plan.calls] == [7, 8, 9]
    assert (plan.stagger_ms, plan.calls[0].caller, plan.calls[0].called) == (50, "+1", "+2")


def test_a_file_is_read_and_a_broken_one_named(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps([{"steps": [{"say": "he_book"}]}]), encoding="utf-8")
    assert Plan.load(file).calls[0].steps[0].text == "he_book"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(PlanError, match="plan.json is not JSON"):
        Plan.load(file)
