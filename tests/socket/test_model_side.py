"""Both halves of the model's side over real connections: renewed, silent, unreachable, ended; nothing is left over."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tenacity import RetryCallState, wait_fixed

from media_ws_ai.commands import AppendAudio, CancelResponse
from media_ws_ai.events import Event, ModelConnected, ModelLost
from media_ws_ai.logs import CallLog
from media_ws_ai.runtime import model, model_socket
from media_ws_ai.runtime.core import new_uplink
from media_ws_ai.runtime.health import ModelHealth
from media_ws_ai.runtime.model import ModelAccess, ModelSide
from media_ws_ai.runtime.resolver import Resolver
from tests.socket.model_end import UPGRADE, ModelEnd, model_end, refusal
from tests.socket.ws_frames import CLOSE, PING, PONG, TEXT
from tests.waiting import eventually

FRAME = b"\x55" * 160


class Core:
    """What the model's side needs of a call."""

    def __init__(self) -> None:
        self.uplink = new_uplink()
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        self.events.append(event)

    def seen(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Side:
    """A ModelSide with its two threads."""

    def __init__(self, end: ModelEnd) -> None:
        self.access = ModelAccess(end.endpoint, end.context, Resolver(), ModelHealth())
        self.stop = threading.Event()
        self.core = Core()
        self.side = ModelSide(self.access, CallLog("CA1", "MZ1"), self.stop)
        self.side.attach(self.core)  # type: ignore[arg-type]
        halves = (self.side.read, self.side.write)
        self.threads = [threading.Thread(target=half, name=f"half-{half.__name__}", daemon=True) for half in halves]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def end(self) -> float:
        """As the handler does; how long it took."""
        began = time.monotonic()
        self.stop.set()
        self.core.uplink.close()
        self.side.end()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        return time.monotonic() - began


@contextmanager
def side_to(end: ModelEnd) -> Iterator[Side]:
    side = Side(end)
    side.start()
    try:
        yield side
    finally:
        side.end()


def test_a_renewed_connection_replaces_the_one_whose_reader_is_blocked() -> None:
    with model_end() as end, side_to(end) as ours:
        first = end.next()
        eventually(lambda: ours.core.seen(ModelConnected), within_s=10)
        ours.core.uplink.put((1, CancelResponse("", "a")))
        assert b'"a"' in first.reading.next()[1]
        began = time.monotonic()
        ours.side.renew(1)
        second = end.next()
        assert time.monotonic() - began < model_socket.IO_S
        assert list(first.reading.frames()) == [], "the first is ended, without a word"
        ours.side.renew(1)  # late, from a fault of the first
        eventually(lambda: len(ours.core.seen(ModelConnected)) == 2, within_s=10)
        ours.core.uplink.put((1, CancelResponse("", "stale")))
        ours.core.uplink.put((1, AppendAudio(FRAME)))
        ours.core.uplink.put((2, CancelResponse("", "b")))
        assert b'"b"' in second.reading.next()[1]
        assert ours.side.stale_orders == 2
        assert [event.link for event in ours.core.seen(ModelConnected)] == [1, 2]
        assert not ours.core.seen(ModelLost)
        assert end.connections == 2


def test_orders_come_whole_and_audio_that_waited_goes_together() -> None:
    with model_end() as end:
        ours = Side(end)
        orders = [AppendAudio(FRAME), AppendAudio(FRAME), CancelResponse("", "c"), AppendAudio(FRAME)]
        ours.threads[0].start()
        connected = end.next()
        eventually(lambda: ours.core.seen(ModelConnected), within_s=10)
        for order in orders:
            ours.core.uplink.put((1, order))
        ours.threads[1].start()
        sizes = [len(connected.reading.next()[1]) for _ in range(3)]
        assert sizes[0] > 2 * len(FRAME) and sizes[1] < 100 and len(FRAME) < sizes[2] < 2 * len(FRAME)
        ours.end()


@pytest.mark.parametrize("is_answering", [True, False])
def test_a_model_is_gone_when_it_answers_no_ping(is_answering: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_socket, "IO_S", 0.2)
    monkeypatch.setattr(model, "SILENT_S", 1.5)
    with model_end() as end, side_to(end) as ours:
        connected = end.next()
        began = time.monotonic()
        if is_answering:
            while time.monotonic() - began < 2.5:
                opcode, payload = connected.reading.next()
                assert opcode == PING
                connected.say(PONG, payload)
            assert not ours.core.seen(ModelLost)
        else:
            eventually(lambda: ours.core.seen(ModelLost), within_s=15)
            assert [event.reason for event in ours.core.seen(ModelLost)] == ["silent"]


def test_a_close_of_the_model_is_told_once_and_nothing_is_tried_unasked() -> None:
    with model_end() as end, side_to(end) as ours:
        end.next().say(CLOSE, (1001).to_bytes(2, "big"))
        (lost,) = eventually(lambda: ours.core.seen(ModelLost), within_s=10)
        assert (lost.link, lost.reason) == (1, "expired")
        ours.side.renew(1)
        end.next()
        eventually(lambda: len(ours.core.seen(ModelConnected)) == 2, within_s=10)
        assert end.connections == 2 and len(ours.core.seen(ModelLost)) == 1


@pytest.mark.parametrize(
    ("status", "tries", "is_hopeless"),
    [("401 No", 1, True), ("429 Later", model.TRIES, None), ("500 Oh", model.TRIES, None)],
)
def test_what_may_pass_is_tried_a_few_times_and_what_stays_once(
    status: str, tries: int, is_hopeless: bool | None
) -> None:
    with model_end(answers=(refusal(status, b"why"),)) as end, side_to(end) as ours:
        (lost,) = eventually(lambda: ours.core.seen(ModelLost), within_s=20)
        assert end.connections == tries
        assert lost.reason == "refused" and "why" in lost.detail
        assert is_hopeless is None or lost.is_hopeless is is_hopeless
        assert ours.access.health.failures == 1


def test_pauses_between_tries_are_jittered_and_short() -> None:
    pauses: list[float] = []

    def note(state: RetryCallState) -> None:
        pauses.append(state.upcoming_sleep)

    with model_end(answers=(refusal("500 Oh"),)) as end:
        for _ in range(2):
            ours = Side(end)
            ours.side._note_failure = note  # type: ignore[method-assign]
            ours.start()
            eventually(lambda: ours.core.seen(ModelLost), within_s=20)  # noqa: B023
            ours.end()
    assert len(pauses) == 2 * (model.TRIES - 1)
    assert all(0 <= pause <= 2.0 for pause in pauses)
    assert len(set(pauses)) == len(pauses), "fifty calls that failed together do not come back together"


def test_a_try_that_succeeds_ends_the_tries() -> None:
    with model_end(answers=(refusal("503 Later"), UPGRADE)) as end, side_to(end) as ours:
        end.next(), end.next()
        eventually(lambda: ours.core.seen(ModelConnected), within_s=20)
        assert end.connections == 2 and ours.access.health.is_reachable


def test_the_end_of_a_call_ends_a_pause_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "wait_random_exponential", lambda **_: wait_fixed(60))
    with model_end(answers=(refusal("500 Oh"),)) as end:
        ours = Side(end)
        noted = threading.Event()
        ours.side._note_failure = lambda state: noted.set()  # type: ignore[method-assign]
        ours.start()
        assert noted.wait(10)
        assert ours.end() < 5.0
        assert not ours.core.seen(ModelLost), "broken off by us: it says nothing of the model"


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_nothing_survives_the_end(scheme: str) -> None:
    with model_end(scheme) as end:
        before = len(os.listdir("/proc/self/fd"))
        ours = Side(end)
        ours.start()
        connected = end.next()
        eventually(lambda: ours.core.seen(ModelConnected), within_s=10)
        ours.core.uplink.put((1, CancelResponse("", "a")))
        assert connected.reading.next()[0] == TEXT
        assert ours.end() < model_socket.IO_S
        eventually(lambda: len(os.listdir("/proc/self/fd")) == before + 1, within_s=10)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("half-")]
        assert not ours.core.seen(ModelLost)


def test_a_renewal_and_the_end_at_one_moment_leave_nothing() -> None:
    with model_end() as end:
        for _ in range(10):
            ours = Side(end)
            ours.start()
            end.next()
            eventually(lambda: ours.core.seen(ModelConnected), within_s=10)  # noqa: B023
            renewing = threading.Thread(target=ours.side.renew, args=(1,))
            renewing.start()
            assert ours.end() < model_socket.IO_S
            renewing.join(10)
            while not end.accepted.empty():
                end.accepted.get()
