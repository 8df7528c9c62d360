"""The webhook as production has it: https origin, signatures, unknown numbers, a full worker, no database."""

from collections.abc import Iterator

import pytest

from media_ws_ai.bench.freezing import frozen
from tests.integration.conftest import Line, line_of
from tests.waiting import eventually

ORIGIN = "https://agent.example.com"
DEMO = "+97248000000"
TALK = {"greeting": {"text": "שלום", "numbered": 1.0}, "default": {"text": "כן", "numbered": 1.0}}
HANG_UP = {"hangup": True, "after": "agent_done"}


@pytest.fixture(scope="module")
def production() -> Iterator[Line]:
    settings = {"ENV": "production", "PUBLIC_URL": ORIGIN, "SECRET_KEY": "a secret of this test"}
    with line_of("gevent", env=settings, max_calls=2, drain_s=4) as line:
        line.carrier.aim(line.stack.url, ORIGIN)
        line.stack.model.scenario(TALK)
        yield line


def played(report: dict[str, object]) -> list[str]:
    heard = report["heard"]
    assert isinstance(heard, list)
    return [str(entry["url"]) for entry in heard if entry["verb"] == "play"]


def test_a_known_number_is_answered_over_wss_without_a_warning(production: Line) -> None:
    report = production.call(HANG_UP, to=DEMO)
    assert report["streams"][0]["url"] == "wss://agent.example.com/twilio/media"
    assert report["warnings"] == {}
    assert len(report["utterances"]) == 1


def test_an_unknown_number_is_declined_in_words(production: Line) -> None:
    report = production.call(to="+97249999999")
    assert played(report) == [f"{ORIGIN}/twilio/clip/he/decline_unknown.wav"]
    assert "<Hangup" in report["webhooks"][0]["twiml"]
    assert report["streams"] == []


def test_a_full_worker_declines_in_the_language_of_the_business(production: Line) -> None:
    production.carrier.start({"calls": [{"to": DEMO, "steps": [{"wait": 30_000}], "repeat": 2, "max_s": 60}]})
    production.stack.wait_metrics(lambda figures: figures['calls{state="live"}'] == 2, within_s=10)
    first = production.carrier._run  # noqa: SLF001  the two that hold their places
    reports = production.calls({"to": DEMO, "max_s": 20}, {"to": "+97248000001", "max_s": 20})
    assert [played(report) for report in reports] == [
        [f"{ORIGIN}/twilio/clip/he/decline_busy.wav"],
        [f"{ORIGIN}/twilio/clip/en/decline_busy.wav"],
    ]
    status, body = production.stack.get("/readyz")
    assert (status, b"full" in body) == (503, True)
    production.carrier.act({"hangup": True})
    production.carrier.wait(30, run=first)
    eventually(lambda: production.stack.get("/readyz")[0] == 200, within_s=10)


def test_the_first_sound_comes_in_time_with_no_database_and_a_mute_model(production: Line) -> None:
    assert production.call(HANG_UP, to=DEMO)["utterances"], "the worker knows the business from here on"
    production.stack.model.next({**TALK, "silent": True})
    with frozen(production.stack.database_url):
        report = production.call(HANG_UP, to=DEMO)
    (sound,) = production.fields(report["call_sid"], "first_sound")
    assert sound["source"] == "clip"
    assert sound["after_ms"] <= 3000
    assert report["first_sound_ms"] == pytest.approx(sound["after_ms"], abs=400), "both clocks begin at `start`"


def test_a_frozen_database_costs_a_caller_nothing(production: Line) -> None:
    assert production.call(HANG_UP, to=DEMO)["utterances"], "the worker knows the business from here on"
    with frozen(production.stack.database_url):
        assert production.stack.get("/readyz")[0] == 503
        assert production.stack.get("/healthz")[0] == 200
        known, unknown = production.calls(
            {"to": DEMO, "steps": [HANG_UP], "max_s": 30}, {"to": "+97249999999", "max_s": 20}
        )
    assert len(known["utterances"]) == 1
    assert known["end"]["by"] == "caller"
    assert len(played(unknown)) == 1
    for report in (known, unknown):
        assert all(webhook["status"] < 300 for webhook in report["webhooks"])
    eventually(lambda: production.stack.get("/readyz")[0] == 200, within_s=15)
