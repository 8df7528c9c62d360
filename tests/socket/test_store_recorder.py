"""The recorder: off the caller's path, in order, nothing lost uncounted, nothing twice."""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from media_ws_ai.bench.freezing import frozen
from media_ws_ai.store import calls
from media_ws_ai.store import recorder as rooms
from media_ws_ai.store.database import Database, DatabaseUnavailable
from media_ws_ai.store.recorder import Recorder
from tests.waiting import eventually

SID = "CA" + "c" * 32
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    assert database.close()


@pytest.fixture
def recorder(database: Database) -> Iterator[Recorder]:
    recorder = Recorder(database)
    yield recorder
    recorder.close(5)


def offsets(database: Database) -> list[int]:
    return database.run(lambda s: list(s.execute(text("SELECT offset_ms FROM call_events ORDER BY seq")).scalars()), 10)


def fill(recorder: Recorder, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        recorder.put(SID, 1, number, "levels", [1, 2, 3])


def test_events_are_written_in_order_within_about_a_second(database: Database, recorder: Recorder) -> None:
    fill(recorder, 3)
    eventually(lambda: offsets(database) == [0, 1, 2])
    assert [t.name for t in threading.enumerate()].count("Recorder") == 1


def test_a_full_batch_does_not_wait(database: Database, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "BATCH_WAIT_S", 3600.0)
    assert database.ping(10)
    fill(recorder, rooms.BATCH_ROWS)
    eventually(lambda: recorder.counts().written == rooms.BATCH_ROWS)


def test_the_end_of_a_call_comes_after_its_events(database: Database, recorder: Recorder) -> None:
    seen: list[int] = []
    fill(recorder, 5)
    recorder.submit(lambda s: seen.append(s.execute(text("SELECT count(*) FROM call_events")).scalar_one()))
    fill(recorder, 5, start=5)
    recorder.finish(call_sid=SID, attempt=1, end_reason="stop", metrics={"x": float("nan")}, tokens={}, at=NOW)
    assert recorder.flush(10)
    assert seen == [5]
    assert database.run(lambda s: s.execute(text("SELECT end_reason FROM calls")).scalar_one(), 2) == "stop"
    counts = recorder.counts()
    assert (counts.written, counts.dropped, counts.queued) == (12, 0, 0)


def test_any_text_is_stored(database: Database, recorder: Recorder) -> None:
    recorder.put(SID, 1, 0, "caller_line", "שלום\x00 \ud800 \u202e 'quotes' :name %s")
    recorder.put(SID, 1, 1, "moment", None)
    assert recorder.flush(10)
    texts = database.run(lambda s: list(s.execute(text("SELECT payload FROM call_events ORDER BY seq")).scalars()), 2)
    assert texts == ["שלום ? \u202e 'quotes' :name %s", None]


def test_one_bad_item_costs_no_other(database: Database, recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    def broken(session: Session) -> None:
        session.execute(text("SELECT 1 / 0"))

    with caplog.at_level(logging.WARNING):
        fill(recorder, 3)
        recorder.put(SID, 1, 3, "rumour", "no such kind")  # type: ignore[arg-type]
        recorder.put(SID, 1, 2**40, "moment", "beyond an integer")
        recorder.submit(broken)
        fill(recorder, 3, start=4)
        assert recorder.flush(10)
    assert offsets(database) == [0, 1, 2, 4, 5, 6]
    counts = recorder.counts()
    assert (counts.written, counts.dropped, counts.queued) == (6, 3, 0)
    assert sum("is dropped" in record.message for record in caplog.records) == 3
    assert "division by zero" in caplog.text
    assert "no such kind" not in caplog.text


def test_while_the_database_is_down_puts_do_not_wait_and_the_oldest_go(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "WRITE_DEADLINE_S", 0.3)
    recorder = Recorder(database, queued_rows=50)
    fill(recorder, 1)
    assert recorder.flush(10)
    with frozen(database_url):
        fill(recorder, 10, start=1)
        eventually(lambda: recorder.counts().failed_batches > 0)
        in_hand = recorder.counts().queued
        assert in_hand == 10
        start = time.monotonic()
        fill(recorder, 130, start=100)
        assert time.monotonic() - start < 130 * rooms.WRITE_DEADLINE_S / 10, "not one of them waited for a write"
        counts = recorder.counts()
        assert (counts.dropped, counts.queued) == (80, 60)
        assert not recorder.flush(0.3)
    assert recorder.flush(10)
    assert offsets(database) == [*range(11), *range(180, 230)]
    assert recorder.counts().written == 61
    assert recorder.close(10)


def texts_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("[DB]")]


def test_the_end_of_a_call_outlives_its_levels_and_each_change_is_told_once(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(rooms, "WRITE_DEADLINE_S", 0.2)
    monkeypatch.setattr(rooms, "BATCH_ROWS", 5)
    recorder = Recorder(database, queued_rows=40)
    assert database.ping(10)
    with frozen(database_url):
        fill(recorder, 5)
        eventually(lambda: recorder.counts().failed_batches > 2, within_s=30)
        for number in range(30):
            recorder.put(SID, 1, 1000 + number, "caller_line", {"text": "x"})
        recorder.submit(lambda s: calls.record_intent(s, call_sid=SID, intent="hangup", at=NOW))
        recorder.put(SID, 1, 2000, "moment", {})
        recorder.finish(call_sid=SID, attempt=1, end_reason="stop", metrics={}, tokens={}, at=NOW)
        fill(recorder, 100, start=3000)
        assert recorder.counts().dropped == 93
    assert recorder.flush(30)
    kept = offsets(database)
    assert kept == [*range(5), *range(1000, 1030), 2000, *range(3093, 3100)]
    row = database.run(lambda s: s.execute(text("SELECT end_intent, end_reason FROM calls")).one(), 10)
    assert tuple(row) == ("hangup", "stop")
    told = texts_of(caplog)
    assert len(told) == 3, told
    assert told[0].startswith("[DB] unavailable: record after ")
    assert told[1].startswith("[DB] available again after ")
    assert told[2] == "[DB] events lost 93"
    caplog.clear()
    fill(recorder, 3, start=4000)
    assert recorder.close(10)
    assert texts_of(caplog) == []


def test_a_batch_whose_commit_was_not_heard_of_is_not_written_twice(
    database: Database, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = database.run
    deaf: list[int] = [1]

    def run(work: object, deadline_s: float) -> object:
        result = really(work, deadline_s)  # type: ignore[arg-type, var-annotated]
        if deaf:
            deaf.pop()
            raise DatabaseUnavailable("the answer was lost")
        return result

    monkeypatch.setattr(database, "run", run)
    fill(recorder, 4)
    assert recorder.flush(10)
    assert recorder.counts().failed_batches == 1
    assert offsets(database) == [0, 1, 2, 3]


def test_close_while_down_is_bounded_and_tells(caplog: pytest.LogCaptureFixture) -> None:
    database = Database("postgresql://u@127.0.0.1:1/none")
    recorder = Recorder(database)
    fill(recorder, 5)
    start = time.monotonic()
    assert not recorder.close(2.0)
    assert time.monotonic() - start < 2.0 + 3
    eventually(lambda: "Recorder" not in [t.name for t in threading.enumerate()])
    assert recorder.counts().queued == 5
    assert "5 items of the recorder stay unwritten" in caplog.text
    assert texts_of(caplog)[-1] == "[DB] events lost 5"
    assert [each for each in texts_of(caplog) if "unavailable" in each] == texts_of(caplog)[:1]
    recorder.put(SID, 1, 9, "moment", "too late")
    assert recorder.counts().dropped == 1
    assert database.close()


def test_a_recorder_never_used_has_no_thread(database: Database) -> None:
    before = threading.active_count()
    recorder = Recorder(database)
    assert recorder.flush(0.1)
    assert recorder.close(0.1)
    assert threading.active_count() == before
