"""`media-ws-ai judge`: every line answered, broken ones by a sentence, and thousands in seconds."""

import json
import time
from typing import Any

import pytest
from click.testing import CliRunner

from media_ws_ai.cli.judge import KINDS, judge
from tests.judge_scores import items


def run(kind: str, *lines: str) -> tuple[int, list[dict[str, Any]]]:
    result = CliRunner().invoke(judge, [kind], input="\n".join(lines))
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_each_item_comes_back_with_verdict_and_reason(kind: str) -> None:
    found = items("first", kind)
    status, answers = run(kind, *(json.dumps(item, ensure_ascii=False) for item in found))
    assert status == 0
    assert [answer["id"] for answer in answers] == [item["id"] for item in found]
    assert all(answer["verdict"] and answer["reason"] for answer in answers)


def test_a_broken_line_is_answered_and_the_rest_is_judged() -> None:
    status, answers = run(
        "goodbye",
        '{"text": "ביי"}',
        "{",
        "[1]",
        '{"text": 7}',
        '{"turn": "first"}',
        '{"text": "ביי", "turn": "last"}',
        '{"text": "\\ud800"}',
        '{"text": "ביי"}',
    )
    assert status == 1
    assert [answer.get("verdict", "error") for answer in answers] == [
        "goodbye",
        *["error"] * 5,
        "not_goodbye",
        "goodbye",
    ]
    assert [answer["line"] for answer in answers if "error" in answer] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("kind", ["horoscope", "transcript", "booking_claim", "datetime"])
def test_a_kind_that_is_not_there_is_said_so(kind: str) -> None:
    status, answers = run(kind, '{"text": "ביי"}')
    assert status == 1
    assert len(answers) == 1
    assert kind in answers[0]["error"]


def test_the_context_decides() -> None:
    line = '{{"text": "עדי", "context": "{}"}}'
    _, answers = run("locality", line.format("in_city_slot"), line.format("outside_city_slot"), '{"text": "עדי"}')
    assert [answer["verdict"] for answer in answers] == ["confirm", "not_city", "confirm"]
    assert answers[0]["localities"] == ["עדי"]


@pytest.mark.parametrize("kind", KINDS)
def test_two_thousand_lines_take_a_second_or_so(kind: str) -> None:
    found = items("second", kind)
    lines = [json.dumps(found[index % len(found)], ensure_ascii=False) for index in range(2000)]
    started = time.process_time()
    status, answers = run(kind, *lines)
    assert status == 0
    assert len(answers) == 2000
    assert time.process_time() - started < 2.0
