"""A file of businesses: complete with defaults, or refused with every fault at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from media_ws_ai.store.seed_file import SeedError, check, demo_businesses, e164, read_businesses

GOOD = {"name": "Garage", "phone": "+972 4-800-0002", "greeting": "Hello.", "prompt": "Be kind."}


def written(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "businesses.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_defaults_and_e164(tmp_path: Path) -> None:
    (business,) = read_businesses(written(tmp_path, GOOD))
    assert business["phone"] == "+97248000002"
    assert business["timezone"] == "Asia/Jerusalem"
    assert business["language"] == "he"
    assert business["call_goal"] == "lead_only"


def test_the_demo_is_hebrew_first_and_books() -> None:
    demo, second = demo_businesses()
    assert (demo["language"], demo["call_goal"], demo["enable_calendar_scheduling"]) == ("he", "appointment", True)
    assert demo["auto_end_on_goodbye"] is True
    assert 1500 <= len(demo["prompt"]) <= 2000
    assert demo["opening_hours"]["fri"] == [["08:30", "12:30"]]
    assert (second["language"], second["call_goal"]) == ("en", "lead_only")


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"phone": "048000002"}, "phone must be an international number"),
    ({"phone": "+97212"}, "wrong length for its country"),
    ({"phone": "+999x"}, "is not a phone number"),
    ({"name": " "}, "name must be a text that is not empty"),
    ({"timezone": "Asia/Haifa"}, "'Asia/Haifa' is not a time zone"),
    ({"timezone": "../etc"}, "is not a time zone"),
    ({"language": "hebrew"}, "language must be two small letters"),
    ({"voice": "nova"}, "voice must be one of alloy"),
    ({"call_goal": "sell"}, "call_goal must be one of appointment, lead_only"),
    ({"auto_end_on_goodbye": "yes"}, "auto_end_on_goodbye must be true or false"),
    ({"enable_calendar_scheduling": True}, "needs call_goal appointment"),
    ({"response": {"max_output_tokens": 0}}, "max_output_tokens must be a whole number from 1 to 4096"),
    ({"response": {"speed": 3}}, "speed must be a number from 0.25 to 1.5"),
    ({"response": {"heat": 3}}, "knows max_output_tokens and speed"),
    ({"opening_hours": {"sunday": []}}, "opening_hours has the days sun"),
    ({"opening_hours": {"sun": [["9:00", "12:00"]]}}, "pairs of times"),
    ({"opening_hours": {"sun": [["12:00", "09:00"]]}}, "forward in time"),
    ({"opening_hours": {"sun": [["09:00", "12:00"], ["11:00", "13:00"]]}}, "not overlap"),
    ({"forward_phone": "0501234567"}, "forward_phone must be an international number"),
    ({"prompt": "a\x00b"}, "U+0000"),
    ({"colour": "red"}, "colour is not a setting of a business"),
]


@pytest.mark.parametrize(("change", "fault"), FAULTS)
def test_one_fault(change: dict[str, Any], fault: str) -> None:
    _, faults = check({**GOOD, **change})
    assert len(faults) == 1
    assert fault in faults[0]


def test_all_faults_at_once(tmp_path: Path) -> None:
    entries = [{"name": "A", "voice": "nova"}, {**GOOD, "language": 7}, GOOD, 5]
    with pytest.raises(SeedError) as refusal:
        read_businesses(written(tmp_path, entries))
    assert refusal.value.faults == [
        "Business 1 (A): phone is missing.",
        "Business 1 (A): voice must be one of alloy, ash, ballad, cedar, coral, echo, marin, sage, shimmer, verse,"
        " not 'nova'.",
        "Business 1 (A): greeting is missing.",
        "Business 1 (A): prompt is missing.",
        "Business 2 (Garage): language must be two small letters such as he or en, not 7.",
        "Business 4 is not an object.",
        "The phone +97248000002 belongs to more than one business.",
    ]


@pytest.mark.parametrize("content", ["{", "[]", "5"])
def test_no_businesses(tmp_path: Path, content: str) -> None:
    with pytest.raises(SeedError, match=r"businesses\.json"):
        read_businesses(written(tmp_path, content))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="cannot be read"):
        read_businesses(tmp_path / "none.json")


def test_e164_refuses_what_is_no_text() -> None:
    with pytest.raises(ValueError, match="not 5"):
        e164(5)
