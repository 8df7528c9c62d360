"""A call's threads: one deadline for all of them, survivors by name, and a fault that becomes the call's end."""

import logging
import threading
import time

import pytest

from media_ws_ai import markers
from media_ws_ai.logs import CallLog
from media_ws_ai.runtime import threads as threads_room
from media_ws_ai.runtime.threads import CallThreads
from tests.waiting import eventually


def made(failed: list[tuple[str, Exception]]) -> CallThreads:
    return CallThreads(
        "CA00000abcdef", CallLog("CA00000abcdef", "MZ1"), lambda role, error: failed.append((role, error))
    )


def waiting(event: threading.Event) -> None:
    event.wait(60)


def test_survivors_are_named_within_one_deadline(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads_room, "JOIN_S", 1.0)
    caplog.set_level(logging.INFO)
    release = threading.Event()
    ours = made([])
    stuck = [f"Stuck{number}" for number in range(6)]
    ours.start([*((role, lambda: waiting(release)) for role in stuck), ("Good", lambda: waiting(ours.stop))])
    try:
        assert {f"{role}-abcdef" for role in stuck} <= {thread.name for thread in threading.enumerate()}
        ours.stop.set()
        began = time.monotonic()
        assert ours.join_all() == stuck
        assert 0.9 <= time.monotonic() - began < 4.0, "one deadline, not one for each"
        seen = [parsed for parsed in map(markers.parse, caplog.messages) if parsed is not None]
        assert [p.fields["role"] for p in seen if p.marker == "thread_stuck"] == stuck
        assert [p.fields["index"] for p in seen if p.marker == "thread_completed"] == [6]
        assert [(p.fields["alive"], p.fields["threads"]) for p in seen if p.marker == "threads_alive"] == [(6, 7)]
    finally:
        release.set()
    eventually(lambda: not any(ours.is_alive(role) for role in stuck), within_s=10)


def test_all_that_end_are_joined_as_soon_as_they_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ours = made([])
    ours.start((role, lambda: waiting(ours.stop)) for role in ("A", "B", "C"))
    ours.stop.set()
    began = time.monotonic()
    assert ours.join_all() == []
    assert time.monotonic() - began < threads_room.JOIN_S
    seen = [parsed.marker for parsed in map(markers.parse, caplog.messages) if parsed is not None]
    assert seen == ["threads_waiting", *["thread_completed"] * 3, "threads_complete"]


def test_a_fault_in_a_loop_is_told_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    failed: list[tuple[str, Exception]] = []
    ours = made(failed)

    def fault() -> None:
        raise ZeroDivisionError("planted")

    ours.start([("Bad", fault)])
    ((role, error),) = eventually(lambda: failed, within_s=10)
    assert (role, type(error)) == ("Bad", ZeroDivisionError)
    assert any(record.exc_info for record in caplog.records)
    seen = [parsed for parsed in map(markers.parse, caplog.messages) if parsed is not None]
    assert [(p.fields["role"], p.fields["error"]) for p in seen if p.marker == "thread_failed"] == [
        ("Bad", "ZeroDivisionError: planted")
    ]
    assert ours.join_all() == []


def test_a_fault_after_the_end_is_how_sockets_end() -> None:
    failed: list[tuple[str, Exception]] = []
    ours = made(failed)
    ours.stop.set()

    def fault() -> None:
        raise OSError("aborted")

    ours.start([("Bad", fault)])
    assert ours.join_all() == []
    assert failed == []
