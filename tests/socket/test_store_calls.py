"""What is kept of a call, written in any order, and read back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from media_ws_ai.store import calls
from media_ws_ai.store.businesses import Businesses
from media_ws_ai.store.database import Database
from media_ws_ai.store.recorder import Recorder
from media_ws_ai.store.seed import seed

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SID = "CA" + "a" * 32


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    assert database.close()


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def column(database: Database, name: str) -> object:
    statement = text(f"SELECT {name} FROM calls WHERE call_sid = :sid")
    return database.run(lambda s: s.execute(statement, {"sid": SID}).scalar_one(), 2)


def test_a_call_from_webhook_to_end(database: Database, database_url: str) -> None:
    seed(database_url)
    business = Businesses(database).demo()
    assert business.id > 0
    steps = [
        partial(calls.upsert, call_sid=SID, business_id=business.id, caller="+972501", called=business.phone, at=at(0)),
        partial(calls.stream_started, call_sid=SID, stream_sid="MZ1", attempt=1, at=at(1)),
        partial(calls.record_intent, call_sid=SID, intent="hangup", at=at(50)),
        partial(
            calls.finish,
            call_sid=SID,
            attempt=1,
            end_reason="goodbye",
            metrics={"avg_fps": 50.0},
            tokens={"input_audio": 10},
            at=at(60),
        ),
    ]
    for step in [*steps, *steps]:
        database.run(step, 2)
    (call,) = database.run(calls.last_calls, 2)
    assert (call.call_sid, call.business, call.attempts, call.end_reason) == (SID, business.name, 1, "goodbye")
    assert (call.started_at, call.ended_at, call.tokens) == (at(0), at(60), {"input_audio": 10})
    assert column(database, "metrics") == {"1": {"avg_fps": 50.0}}


def test_whatever_comes_first_makes_the_row(database: Database) -> None:
    database.run(
        partial(calls.finish, call_sid=SID, attempt=2, end_reason="stop", metrics={}, tokens={"text": 2}, at=at(9)), 2
    )
    database.run(
        partial(calls.finish, call_sid=SID, attempt=1, end_reason="lost", metrics={}, tokens={"text": 5}, at=at(5)), 2
    )
    database.run(partial(calls.stream_started, call_sid=SID, stream_sid="MZ1", attempt=1, at=at(1)), 2)
    database.run(partial(calls.upsert, call_sid=SID, business_id=0, caller="+972501", at=at(0)), 2)
    (call,) = database.run(calls.last_calls, 2)
    assert (call.attempts, call.end_reason, call.ended_at, call.started_at) == (2, "stop", at(9), at(0))
    assert (call.caller, call.business, call.tokens) == ("+972501", None, {"text": 7})
    assert column(database, "stream_sid") is None


def test_status_is_ordered_and_never_leaves_a_final_state(database: Database) -> None:
    reports = [("in-progress", 1, True), ("ringing", 0, False), ("completed", 3, True), ("in-progress", 9, False)]
    for status, number, taken in reports:
        apply = partial(calls.apply_status, call_sid=SID, status=status, sequence_number=number, at=at(number))
        assert database.run(apply, 2) is taken
    assert column(database, "status") == "completed"
    assert column(database, "status_sequence") == 3
    assert column(database, "ended_at") == at(3)
    state = database.run(partial(calls.resume_state, call_sid=SID), 2)
    assert state is not None
    assert state.is_over


def test_a_call_is_resumed_with_its_lines_in_order(database: Database) -> None:
    assert database.run(partial(calls.resume_state, call_sid=SID), 2) is None
    recorder = Recorder(database)
    for attempt, offset_ms, kind, payload in [
        (1, 100, "agent_line", "שלום, איך אפשר לעזור?"),
        (1, 2500, "caller_line", {"text": "אני רוצה לקבוע תור", "ms": 900}),
        (1, 2500, "moment", {"name": "barge_in"}),
        (1, 2500, "agent_line", "לאיזה יום?"),
        (2, 10, "agent_line", "חזרתי."),
    ]:
        recorder.put(SID, attempt, offset_ms, kind, payload)  # type: ignore[arg-type]
    assert recorder.close(5)
    state = database.run(partial(calls.resume_state, call_sid=SID), 2)
    assert state is not None
    assert (state.business_id, state.attempts, state.intent, state.is_over) == (None, 2, None, False)
    assert [(line.speaker, line.text) for line in state.lines] == [
        ("agent", "שלום, איך אפשר לעזור?"),
        ("caller", "אני רוצה לקבוע תור"),
        ("agent", "לאיזה יום?"),
        ("agent", "חזרתי."),
    ]
    database.run(partial(calls.stream_started, call_sid=SID, stream_sid="MZ2", attempt=2, at=at(1)), 2)
    database.run(partial(calls.record_intent, call_sid=SID, intent="transfer:+97231234567", at=at(2)), 2)
    state = database.run(partial(calls.resume_state, call_sid=SID), 2)
    assert state is not None
    assert (state.attempts, state.intent, len(state.lines)) == (2, "transfer:+97231234567", 4)


def test_seed_upserts_by_phone(database: Database, database_url: str) -> None:
    assert [line.split(":")[0] for line in seed(database_url)] == ["added", "added"]
    businesses = Businesses(database)
    demo = businesses.demo()
    with_id = businesses.by_phone(demo.phone)
    assert with_id == demo
    assert businesses.by_id(demo.id) == demo
    assert demo.opening_hours["fri"] == [["08:30", "12:30"]]
    assert [line.split(":")[0] for line in seed(database_url)] == ["updated", "updated"]
    assert database.run(lambda s: s.execute(text("SELECT count(*) FROM businesses")).scalar_one(), 2) == 2
