"""Places for calls, counted under real threads; what a call meant to do next, remembered within a bound."""

import sys
import threading
from collections.abc import Iterator

import pytest

from media_ws_ai.runtime.registry import MAX_INTENTS, LiveCall, Registry

CALLERS = 40


@pytest.fixture(autouse=True)
def restless() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(work: object) -> None:
    ready = threading.Barrier(CALLERS)

    def run(number: int) -> None:
        ready.wait(30)
        work(number)  # type: ignore[operator]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_as_many_come_in_as_there_are_places() -> None:
    registry = Registry(10)
    said: list[str] = []
    together(lambda number: said.append(registry.enter()))
    assert (said.count(""), said.count("full")) == (10, CALLERS - 10)
    assert (registry.active, registry.started, registry.is_full) == (10, 10, True)
    assert registry.refused == {"full": CALLERS - 10}


def test_places_come_back_however_many_come_and_go() -> None:
    registry = Registry(CALLERS)

    def come_and_go(number: int) -> None:
        for _ in range(50):
            assert registry.enter() == ""
            live = LiveCall(f"CA{number}", "MZ", 1, lambda event: None)
            registry.add(live)
            assert registry.get(live.call_sid) is live
            registry.live()
            registry.remove(live)
            registry.leave("stop")

    together(come_and_go)
    assert (registry.active, registry.started, registry.ended) == (0, 50 * CALLERS, {"stop": 50 * CALLERS})
    assert registry.live() == []


def test_nobody_comes_in_while_draining_and_it_is_counted() -> None:
    registry = Registry(1)
    registry.is_draining = True
    assert registry.enter() == "draining"
    assert (registry.refused, registry.active) == ({"draining": 1}, 0)


def test_a_stream_that_was_replaced_does_not_take_its_successor_away() -> None:
    registry = Registry(2)
    first, second = (LiveCall("CA1", stream, 1, lambda event: None) for stream in ("MZ1", "MZ2"))
    registry.add(first)
    registry.add(second)
    registry.remove(first)
    assert registry.get("CA1") is second


def test_intents_are_bounded_and_the_oldest_goes() -> None:
    registry = Registry(1)
    for number in range(MAX_INTENTS + 5):
        registry.intend(f"CA{number}", "hangup")
    assert len(registry._intents) == MAX_INTENTS
    assert [registry.intent(f"CA{number}") for number in (0, 4, 5, MAX_INTENTS + 4)] == ["", "", "hangup", "hangup"]
