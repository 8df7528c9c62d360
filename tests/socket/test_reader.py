"""When the carrier's half that listens says the line is over, and with which word."""

import base64
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from media_ws_ai.events import CallerFrame, CarrierEnded, Event, MarkEchoed
from media_ws_ai.logs import CallLog
from media_ws_ai.runtime import reader as reader_room
from media_ws_ai.runtime.reader import TwilioReader
from media_ws_ai.wire.twilio import TwilioParser
from tests.socket.carrier_ends import CarrierEnds, carrier_ends
from tests.socket.ws_frames import CLOSE, TEXT
from tests.waiting import eventually

PAYLOAD = base64.b64encode(b"\x12" * 160).decode()
START = {"streamSid": "MZ1", "callSid": "CA1", "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}


class Core:
    """Takes facts; the first of them may be held up."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def handle(self, event: Event) -> None:
        self.goes_on.wait(30)
        self.events.append(event)

    @property
    def ends(self) -> list[tuple[str, str]]:
        return [(event.reason, event.detail) for event in self.events if isinstance(event, CarrierEnded)]


class Listening:
    """A reader on its thread and the carrier that it listens to."""

    def __init__(self, ends: CarrierEnds) -> None:
        self.ends, self.core, self.stop = ends, Core(), threading.Event()
        parser = TwilioParser()
        parser.feed(json.dumps({"event": "start", "streamSid": "MZ1", "start": START}))
        reader = TwilioReader(ends.carrier, parser, self.core, CallLog("CA1", "MZ1"), self.stop)  # type: ignore[arg-type]
        self.thread = threading.Thread(target=reader.run, name="listening", daemon=True)

    def media(self, at_ms: int) -> None:
        media = {"track": "inbound", "timestamp": str(at_ms), "payload": PAYLOAD}
        self.ends.say(TEXT, json.dumps({"event": "media", "streamSid": "MZ1", "media": media}).encode())

    def mark(self) -> None:
        self.ends.say(TEXT, b'{"event":"mark","streamSid":"MZ1","mark":{"name":"m"}}')


@contextmanager
def listening() -> Iterator[Listening]:
    with carrier_ends(64 * 1024) as ends:
        ours = Listening(ends)
        try:
            yield ours
        finally:
            ours.stop.set()
            ours.core.goes_on.set()
            if ours.thread.ident is not None:
                ours.thread.join(10)
                assert not ours.thread.is_alive()


def test_a_line_without_media_is_dead_though_marks_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_room, "DEAD_LINE_S", 1.0)
    monkeypatch.setattr(reader_room, "RECEIVE_S", 0.1)
    with listening() as ours:
        ours.thread.start()

        def is_over() -> bool:
            ours.mark()
            return bool(ours.core.ends)

        eventually(is_over, within_s=15)
        assert ours.core.ends == [("silent", "")]
        assert any(isinstance(event, MarkEchoed) for event in ours.core.events)


def test_a_line_with_nothing_at_all_is_dead_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_room, "DEAD_LINE_S", 0.5)
    monkeypatch.setattr(reader_room, "RECEIVE_S", 0.1)
    with listening() as ours:
        ours.thread.start()
        eventually(lambda: ours.core.ends == [("silent", "")], within_s=15)


def test_a_line_with_media_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_room, "DEAD_LINE_S", 2.0)
    monkeypatch.setattr(reader_room, "RECEIVE_S", 0.1)
    pause = threading.Event()
    with listening() as ours:
        ours.thread.start()
        for number in range(30):
            ours.media(number * 100)
            pause.wait(0.1)
        eventually(lambda: len(ours.core.events) == 30, within_s=10)
        assert all(isinstance(event, CallerFrame) for event in ours.core.events)


def test_a_worker_that_is_far_behind_gives_the_line_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_room, "MAX_INBOX", 20)
    with listening() as ours:
        ours.core.goes_on.clear()
        ours.thread.start()
        for number in range(40):
            ours.media(number * 20)
        eventually(lambda: ours.ends.carrier.inbox > 20, within_s=10)
        ours.core.goes_on.set()
        ((reason, detail),) = eventually(lambda: ours.core.ends, within_s=10)
        assert reason == "overrun" and detail.endswith("messages unread")
        assert len(ours.core.events) < 30


def close(code: int) -> Callable[[Listening], None]:
    return lambda ours: ours.ends.say(CLOSE, struct.pack("!H", code))


def reset(ours: Listening) -> None:
    ours.ends.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ours.ends.peer.close()


def nonsense(ours: Listening) -> None:
    ours.ends.peer.sendall(b"\xff" * 20)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (close(1000), "closed"),
        (close(1001), "closed"),
        (close(1011), "lost"),
        (lambda ours: ours.ends.say(CLOSE, b""), "lost"),
        (reset, "lost"),
        (lambda ours: ours.ends.peer.shutdown(socket.SHUT_WR), "lost"),
        (nonsense, "lost"),
        (lambda ours: ours.ends.say(TEXT, b"x" * 70_000), "lost"),
        (lambda ours: ours.ends.carrier.abort(), "lost"),
    ],
    ids=["1000", "1001", "1011", "no code", "reset", "end of stream", "nonsense", "oversize", "abort"],
)
def test_how_a_line_ends_is_told_once_after_all_that_came_before(act: Callable[[Listening], None], reason: str) -> None:
    with listening() as ours:
        ours.media(0)
        ours.media(20)
        eventually(lambda: ours.ends.carrier.inbox == 2, within_s=10)
        act(ours)
        ours.thread.start()
        eventually(lambda: ours.core.ends, within_s=15)
        assert [end[0] for end in ours.core.ends] == [reason]
        assert [isinstance(event, CallerFrame) for event in ours.core.events] == [True, True, False]
        ours.thread.join(10)
        assert not ours.thread.is_alive()
