"""The carrier's routes when something is wrong: never an HTTP 500, and an answer within a second."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import create_app
from media_ws_ai import clips
from media_ws_ai.bench.freezing import frozen
from media_ws_ai.config import load
from media_ws_ai.store.database import Database
from media_ws_ai.store.seed import seed
from media_ws_ai.web import voice
from tests.waiting import eventually

CALL = {"CallSid": "CA" + "2" * 32, "From": "+972541234567", "To": "+97248000000", "CallStatus": "in-progress"}
TECHNICAL = "/twilio/clip/he/technical.wav"
SLACK_S = 0.4
"""What a machine that is busy with others may add."""


def application(url: str) -> Flask:
    settings = {"ENV": "development", "DATABASE_URL": url, "OPENAI_REALTIME_URL": "ws://127.0.0.1:9/v1/realtime"}
    return create_app(load(settings))


@pytest.fixture
def web(database_url: str) -> Iterator[Flask]:
    seed(database_url)
    made = application(database_url)
    try:
        yield made
    finally:
        made.extensions["worker"].close()


@pytest.fixture
def poor(database_url: str, poor_url: str) -> Iterator[Flask]:
    """A worker whom the database lets read nothing."""
    seed(database_url)
    made = application(poor_url)
    try:
        yield made
    finally:
        made.extensions["worker"].recorder.close(0.1)
        made.extensions["worker"].database.close()


def test_a_database_that_refuses_is_a_database_that_is_down(poor: Flask) -> None:
    client = poor.test_client()
    for path in ("/twilio/voice", "/twilio/stream-ended?attempt=1"):
        answer = client.post(path, data=CALL)
        assert answer.status_code == 200
        assert TECHNICAL in answer.get_data(as_text=True)
    assert client.post("/twilio/status", data=CALL).status_code == 204


def number_of_status(web: Flask, database_url: str) -> Any:
    worker = web.extensions["worker"]
    assert worker.recorder.flush(10)
    row = worker.database.run(lambda s: s.connection().exec_driver_sql("SELECT status_sequence FROM calls").one(), 10)
    return row[0]


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        ("7", 7),
        ("9" * 18, int("9" * 18)),
        ("9" * 19, None),
        ("1" * 5000, None),
        ("٣", None),
        ("-1", None),
        ("1e3", None),
        ("", None),
    ],
)
def test_any_sequence_number_is_borne(web: Flask, database_url: str, raw: str, stored: int | None) -> None:
    answer = web.test_client().post("/twilio/status", data={**CALL, "SequenceNumber": raw})
    assert answer.status_code == 204
    assert number_of_status(web, database_url) == stored
    assert web.extensions["worker"].recorder.counts().dropped == 0


class Broken(Exception):
    """A bug of ours."""


@pytest.fixture
def broken(web: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Every way into the worker raises; the settings alone are whole."""

    def fail(*_: object, **__: object) -> None:
        raise Broken("a bug")

    worker = web.extensions["worker"]
    for part, name in (
        (worker.businesses, "by_phone"),
        (worker.recorder, "submit"),
        (worker.registry, "intent"),
        (clips, "wav"),
    ):
        monkeypatch.setattr(part, name, fail)
    return web


@pytest.mark.parametrize("is_testing", [False, True])
def test_a_bug_of_ours_is_said_politely_and_logged(
    broken: Flask, caplog: pytest.LogCaptureFixture, is_testing: bool
) -> None:
    broken.testing = is_testing
    client = broken.test_client()
    for path in ("/twilio/voice", "/twilio/stream-ended?attempt=1"):
        caplog.clear()
        answer = client.post(path, data=CALL)
        body = answer.get_data(as_text=True)
        assert answer.status_code == 200 and answer.mimetype == "text/xml"
        assert TECHNICAL in body and "<Hangup" in body
        (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert record.exc_info is not None and record.exc_info[0] is Broken
        assert CALL["CallSid"] in record.getMessage()
    assert client.post("/twilio/status", data=CALL).status_code == 204
    assert client.get("/twilio/clip/he/hold.wav").status_code == 404
    assert client.get("/twilio/clip/he/nothing.wav").status_code == 404
    assert client.get("/twilio/voice").status_code == 405
    assert client.post("/twilio/nothing", data=CALL).status_code == 404


@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize("path", ["voice", "stream-ended?attempt=1", "status"])
def test_a_frozen_database_costs_less_than_a_second(web: Flask, database_url: str, path: str, is_warm: bool) -> None:
    worker = web.extensions["worker"]
    assert worker.database.ping(10)
    if is_warm:
        worker.warm_up()
    client = web.test_client()
    for number in ("+97248000000", "+97249999999"):
        with frozen(database_url):
            began = time.monotonic()
            answer = client.post(f"/twilio/{path}", data={**CALL, "To": number})
            took_s = time.monotonic() - began
        assert answer.status_code < 300
        assert took_s < voice.ANSWER_S + SLACK_S
        eventually(lambda: worker.database.ping(1.0))


def test_one_span_of_time_for_all_look_ups(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each look-up is given, all of them missing their deadline."""
    worker, given_s = web.extensions["worker"], []
    really = Database.run

    def run(self: Database, work: Any, deadline_s: float) -> Any:
        given_s.append(deadline_s)
        return really(self, lambda session: session.connection().exec_driver_sql("SELECT pg_sleep(20)"), deadline_s)

    monkeypatch.setattr(Database, "run", run)
    for path in ("voice", "stream-ended?attempt=1"):
        for number in ("+97248000000", "+97249999999"):
            given_s.clear()
            assert web.test_client().post(f"/twilio/{path}", data={**CALL, "To": number}).status_code == 200
            assert given_s and sum(given_s) <= voice.ANSWER_S + 0.01 < 1.0, given_s
    worker.recorder.close(0.1)
