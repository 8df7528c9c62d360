"""SIGTERM's phases: calls run on, are handed over, and what is left is told; the signal handler itself does nothing."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from media_ws_ai import markers
from media_ws_ai.events import DrainStarted, Event
from media_ws_ai.runtime import drain as drain_room
from media_ws_ai.runtime.drain import Drain
from media_ws_ai.runtime.registry import LiveCall, Registry
from tests.waiting import eventually

DRAIN_S = 5.0
"""With the margins below: handed over after 0.5 s, done after 2 s."""


class Room:
    """A registry, its drain and what they were told."""

    def __init__(self) -> None:
        self.registry = Registry(10)
        self.flushed: list[float] = []
        self.orders: list[tuple[str, Event, float]] = []
        self.asked_at = 0.0
        self.drain = Drain(self.registry, DRAIN_S, self.flush)

    def flush(self) -> bool:
        self.flushed.append(time.monotonic())
        return True

    def call(self, sid: str, is_obedient: bool = True) -> LiveCall:
        assert self.registry.enter() == ""

        def order(event: Event) -> None:
            self.orders.append((sid, event, time.monotonic() - self.asked_at))
            if is_obedient:
                self.leave(live)

        live = LiveCall(sid, f"MZ{sid}", 1, order)
        self.registry.add(live)
        return live

    def leave(self, live: LiveCall) -> None:
        self.registry.remove(live)
        self.registry.leave("drain")

    def ask(self) -> None:
        self.asked_at = time.monotonic()
        self.drain.ask()


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Room]:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(drain_room, "STOPS_ACCEPTING_S", 0.5)
    monkeypatch.setattr(drain_room, "POLL_S", 0.02)
    made = Room()
    made.drain.watch()
    yield made
    made.drain.close()
    made.drain.finish()
    eventually(lambda: not any(thread.name == "Drain" for thread in threading.enumerate()), within_s=10)


def seen(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    parsed = [each for each in map(markers.parse, caplog.messages) if each is not None]
    return [(each.marker, dict(each.fields)) for each in parsed if each.marker.startswith("drain")]


def test_asking_sets_flags_and_waits_for_no_lock(room: Room) -> None:
    """It may interrupt the very code that holds the registry's lock."""
    with room.registry._lock:
        room.ask()
        room.ask()
    assert room.registry.enter() == "draining"
    room.drain.finish()
    assert len(room.flushed) == 1


def test_without_calls_it_is_done_at_once(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.ask()
    room.drain.finish()
    assert room.flushed and room.flushed[0] - room.asked_at < 5.0
    assert [marker for marker, _ in seen(caplog)] == ["drain_started", "drain_done"]


def test_calls_that_end_by_themselves_are_left_alone_and_the_rest_handed_over(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    short, _, stubborn = room.call("CA1"), room.call("CA2"), room.call("CA3", is_obedient=False)
    room.ask()
    assert room.orders == [], "not in the signal handler"
    room.leave(short)
    room.drain.finish()
    assert [sid for sid, _, _ in room.orders[:2]] == ["CA2", "CA3"]
    assert {sid for sid, _, _ in room.orders} == {"CA2", "CA3"}, "CA1 went by itself"
    assert all(isinstance(event, DrainStarted) for _, event, _ in room.orders)
    assert all(at >= 0.5 for _, _, at in room.orders), "gunicorn would give them back to this worker"
    (flushed,) = room.flushed
    assert 2.0 <= flushed - room.asked_at < DRAIN_S + 3.0, "CA3 never ends"
    ((_, started), (_, handed), (_, done)) = seen(caplog)
    assert handed["calls"] == 2
    assert (done["left"], done["ended"]) == (1, int(str(started["calls"])) - 1)
    room.leave(stubborn)


def test_it_does_not_wait_for_calls_that_have_gone(room: Room) -> None:
    room.call("CA1")
    room.ask()
    room.drain.finish()
    assert len(room.orders) == 1
    assert room.flushed[0] - room.orders[0][2] - room.asked_at < 1.4, "done as soon as the last has left"


def test_nothing_is_waited_for_when_nobody_asked(room: Room) -> None:
    room.call("CA1")
    began = time.monotonic()
    room.drain.finish()
    assert time.monotonic() - began < 1.0
    assert room.flushed == []
