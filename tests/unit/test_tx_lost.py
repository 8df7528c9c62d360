"""A send that fails tells only that the line is gone; why it went, the reader knows, who has the last words."""

import threading
import time

from simple_websocket import ConnectionClosed

from media_ws_ai.events import CarrierEnded
from media_ws_ai.rules.playout import Out
from media_ws_ai.runtime.tx import TwilioTx
from media_ws_ai.wire.twilio import TwilioWriter


class _Socket:
    def send(self, message):
        raise ConnectionClosed(1000)


class _Core:
    def __init__(self) -> None:
        self.tx_wake = threading.Event()
        self.events: list[CarrierEnded] = []
        self.taken = threading.Event()

    def take(self):
        self.taken.set()
        return [Out("media", b"\xff" * 160)], time.monotonic()

    def handle(self, event):
        self.events.append(event)


def started() -> tuple[_Core, threading.Event, threading.Thread]:
    core, stop = _Core(), threading.Event()
    tx = TwilioTx(_Socket(), TwilioWriter("MZ1"), core, stop)  # type: ignore[arg-type]  # what it needs of them
    thread = threading.Thread(target=tx.run, daemon=True)
    thread.start()
    assert core.taken.wait(15.0)
    return core, stop, thread


def test_the_reader_is_let_go_first():
    core, stop, thread = started()
    stop.set()  # the reader found the caller's `stop`, and the call ends
    thread.join(15.0)
    assert not thread.is_alive()
    assert core.events == []


def test_where_the_reader_finds_nothing_the_line_is_lost():
    core, _, thread = started()
    thread.join(15.0)
    assert not thread.is_alive()
    assert [event.reason for event in core.events] == ["lost"]
