"""The routes of one worker over a real database: what each answers, to whom, in which state."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator

from app import create_app
from media_ws_ai.config import load
from media_ws_ai.store.seed import seed
from media_ws_ai.store.tokens import Claim
from tests.waiting import eventually

CALL = {"CallSid": "CA" + "1" * 32, "From": "+972541234567", "To": "+97248000000", "CallStatus": "ringing"}
NOBODY = "ws://127.0.0.1:9/v1/realtime"


@pytest.fixture
def settings(database_url: str) -> dict[str, str]:
    seed(database_url)
    return {"ENV": "development", "DATABASE_URL": database_url, "OPENAI_REALTIME_URL": NOBODY, "MAX_CALLS": "1"}


@pytest.fixture
def web(settings: dict[str, str]) -> Iterator[Flask]:
    application = create_app(load(settings))
    try:
        yield application
    finally:
        application.extensions["worker"].close()


@pytest.fixture
def production(settings: dict[str, str]) -> Iterator[FlaskClient]:
    application = create_app(
        load(
            {
                **settings,
                "ENV": "production",
                "PUBLIC_URL": "https://agent.example.com",
                "TWILIO_AUTH_TOKEN": "token",
                "SECRET_KEY": "secret",
                "OPENAI_API_KEY": "key",
            }
        )
    )
    try:
        yield application.test_client()
    finally:
        application.extensions["worker"].close()


def test_a_call_gets_a_stream_with_a_token_and_is_written_down(web: Flask, database_url: str) -> None:
    answer = web.test_client().post("/twilio/voice", data=CALL)
    assert answer.status_code == 200 and answer.mimetype == "text/xml"
    body = answer.get_data(as_text=True)
    assert 'url="ws://localhost/twilio/media"' in body
    assert 'name="tok"' in body and "stream-ended?attempt=1" in body
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:

        def written() -> Any:
            connection.rollback()
            cursor.execute("SELECT caller FROM calls WHERE call_sid = %s", (CALL["CallSid"],))
            return cursor.fetchone()

        assert eventually(written, within_s=10) == ("+972541234567",)


@pytest.mark.parametrize("sid", ["", "CA\0", "x" * 65, "CA 1", "ש"])
def test_a_call_without_a_proper_sid_is_declined_and_nothing_breaks(web: Flask, sid: str) -> None:
    for route in ("voice", "stream-ended", "status"):
        assert web.test_client().post(f"/twilio/{route}", data={**CALL, "CallSid": sid}).status_code < 300


@pytest.mark.parametrize(
    ("form", "has"),
    [
        ({"CallStatus": "completed"}, "<Response />"),
        ({"CallStatus": "in-progress"}, "attempt=3"),
    ],
)
def test_a_stream_that_ended(web: Flask, form: dict[str, str], has: str) -> None:
    answer = web.test_client().post("/twilio/stream-ended?attempt=2", data={**CALL, **form})
    assert has in answer.get_data(as_text=True)


def test_after_three_fresh_streams_the_caller_hears_an_apology(web: Flask) -> None:
    answer = web.test_client().post("/twilio/stream-ended?attempt=4", data={**CALL, "CallStatus": "in-progress"})
    body = answer.get_data(as_text=True)
    assert "/twilio/clip/he/apology.wav" in body and "<Hangup" in body


def test_an_intended_end_gets_a_hangup(web: Flask) -> None:
    web.extensions["worker"].registry.intend(CALL["CallSid"], "hangup")
    answer = web.test_client().post("/twilio/stream-ended?attempt=1", data={**CALL, "CallStatus": "in-progress"})
    assert "<Hangup" in answer.get_data(as_text=True)


def test_while_draining_a_new_caller_is_declined_and_a_running_one_asked_to_hold_on(web: Flask) -> None:
    web.extensions["worker"].registry.is_draining = True
    client = web.test_client()
    assert "decline_busy" in client.post("/twilio/voice", data=CALL).get_data(as_text=True)
    running = client.post("/twilio/stream-ended?attempt=1", data={**CALL, "CallStatus": "in-progress"})
    body = running.get_data(as_text=True)
    assert "hold.wav" in body and "attempt=1&amp;asked=1" in body and "<Redirect" in body
    last = client.post("/twilio/stream-ended?attempt=1&asked=4", data={**CALL, "CallStatus": "in-progress"})
    assert "apology" in last.get_data(as_text=True)


def test_readiness_says_why_not(web: Flask) -> None:
    client, worker = web.test_client(), web.extensions["worker"]
    assert client.get("/readyz").get_json() == {"ready": True, "reason": ""}
    for _ in range(3):
        worker.model.health.failed()
    assert client.get("/readyz").get_json() == {"ready": False, "reason": "model_unreachable"}
    worker.model.health.reached()
    assert worker.registry.enter() == ""
    assert client.get("/readyz").get_json()["reason"] == "full"
    worker.registry.leave("test")
    worker.registry.is_draining = True
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["reason"]) == (503, "draining")
    assert client.get("/healthz").status_code == 200


def test_metrics_tell_calls_and_losses(web: Flask) -> None:
    worker = web.extensions["worker"]
    worker.registry.enter()
    text = web.test_client().get("/metrics").get_data(as_text=True)
    assert 'media_ws_ai_calls{state="closing"} 1.0' in text
    for name in ("threads", "greenlets", "descriptors", "database_connections", "log_lines_lost_total"):
        assert f"media_ws_ai_{name} " in text
    worker.registry.leave("test")


def test_clips_are_served_and_nothing_else(web: Flask) -> None:
    client = web.test_client()
    answer = client.get("/twilio/clip/he/apology.wav")
    assert answer.mimetype == "audio/wav" and answer.data[:4] == b"RIFF"
    for path in ("he/nothing.wav", "xx/apology.wav", "..%2f..%2fapp.py"):
        assert client.get(f"/twilio/clip/{path}").status_code == 404


def test_the_page_lists_calls_in_development_only(web: Flask, production: FlaskClient) -> None:
    web.test_client().post("/twilio/voice", data=CALL)
    eventually(lambda: "***4567" in web.test_client().get("/").get_data(as_text=True), within_s=10)
    page = production.get("/").get_data(as_text=True)
    assert "4567" not in page and "Last calls" not in page


def test_in_production_a_form_without_its_signature_is_refused(production: FlaskClient) -> None:
    assert production.post("/twilio/voice", data=CALL).status_code == 403
    assert production.post("/twilio/status", data=CALL, headers={"X-Twilio-Signature": "x"}).status_code == 403
    url = "https://agent.example.com/twilio/stream-ended?attempt=1"
    sign = RequestValidator("token").compute_signature(url, CALL)
    signed = {"X-Twilio-Signature": sign}
    assert production.post("/twilio/stream-ended?attempt=1", data=CALL, headers=signed).status_code == 200
    assert production.post("/twilio/stream-ended?attempt=9", data=CALL, headers=signed).status_code == 403
    assert production.get("/twilio/media").status_code == 403


def test_a_resumed_call_keeps_its_lines_and_the_time_it_has_used(web: Flask, database_url: str) -> None:
    worker = web.extensions["worker"]
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO calls (call_sid, started_at, attempts) VALUES (%s, now() - interval '600 s', 1)",
            (CALL["CallSid"],),
        )
        connection.commit()
    worker.recorder.put(CALL["CallSid"], 1, 1500, "caller_line", {"text": "שלום"})
    assert worker.recorder.flush(10)
    claim = Claim(CALL["CallSid"], 1, 2, "+97248000000", "+972541234567", "database")
    params = worker.params(worker.businesses.demo(), claim)
    assert [(said.role, said.text) for said in params.history] == [("user", "שלום")]
    assert params.max_call_s == pytest.approx(1200, abs=30)
