"""A whole call's threads on real sockets, with a carrier that reads no more or a part that fails: it ends by itself."""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from media_ws_ai.logs import CallLog
from media_ws_ai.rules.history import Said
from media_ws_ai.rules.params import Clip
from media_ws_ai.runtime import carrier_socket, handler
from media_ws_ai.runtime.handler import CallDeps, CallHandler
from media_ws_ai.runtime.health import ModelHealth
from media_ws_ai.runtime.model import ModelAccess
from media_ws_ai.runtime.model_socket import Endpoint
from media_ws_ai.runtime.resolver import Resolver
from media_ws_ai.wire.twilio import TwilioParser
from tests.paper_call import params
from tests.socket.carrier_ends import CarrierEnds, carrier_ends
from tests.socket.ws_frames import CLOSE, TEXT
from tests.waiting import eventually

SID = "CA00000000abcdef"
START = (
    f'{{"event":"start","streamSid":"MZ1","start":{{"streamSid":"MZ1","callSid":"{SID}",'
    '"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}}}'
)
LONG = {name: Clip(b"\x12" * 160 * 3000, name) for name in ("hold", "apology", "goodbye")}
"""A minute each."""


class Keeper:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def record(self, kind: str, offset_ms: int, payload: Mapping[str, object]) -> None:
        pass

    def intend_hangup(self) -> None:
        pass

    def hand_on(self, lines: tuple[Said, ...]) -> None:
        pass

    def finished(self, reason: str, metrics: Mapping[str, Any], tokens: Mapping[str, int]) -> None:
        self.reasons.append(reason)


class Call:
    """A handler on its own thread, as a route runs it; the model never answers, so that a clip is played."""

    def __init__(self, ends: CarrierEnds, silent_model: socket.socket) -> None:
        parser = TwilioParser()
        parser.feed(START)
        url = f"ws://127.0.0.1:{silent_model.getsockname()[1]}/"
        access = ModelAccess(Endpoint(url, "m", "k"), ssl.create_default_context(), Resolver(), ModelHealth())
        self.keeper = Keeper()
        deps = CallDeps(access, lambda sid, meanwhile=None: "none", self.keeper, tools={})
        given = params(clips=LONG, first_sound_s=0.1)
        self.handler = CallHandler(ends.carrier, parser, given, CallLog(SID, "MZ1"), deps, time.monotonic())
        self.thread = threading.Thread(target=self.handler.run, name="route", daemon=True)
        self.thread.start()


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.endswith("-abcdef")]


def test_a_carrier_that_reads_no_more_is_given_up_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier_socket, "SEND_BUFFER_BYTES", 1024)
    monkeypatch.setattr(handler, "SEND_LIMIT_S", 1.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as model, carrier_ends(1024) as ends:
        call = Call(ends, model)
        eventually(lambda: call.handler._tx.blocked_s() > 0.3, within_s=30)
        began = time.monotonic()
        call.thread.join(20)
        assert not call.thread.is_alive()
        assert time.monotonic() - began < 8.0, "before the kernel gives up by itself"
        assert call.handler.reason.endswith("blocked")
        assert call.keeper.reasons == [call.handler.reason]
        assert names() == []


def test_a_part_that_fails_ends_the_call_and_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as model, carrier_ends(64 * 1024) as ends:

        def fault(message: str) -> None:
            raise ZeroDivisionError("planted")

        monkeypatch.setattr(ends.carrier, "send", fault)
        call = Call(ends, model)
        call.thread.join(20)
        assert not call.thread.is_alive()
        assert call.handler.reason.endswith("fault_TwilioTx")
        assert names() == []
        closes = [payload for opcode, payload in ends.reading.frames() if opcode == CLOSE]
        assert len(closes) == 1, "a proper close, not a broken line"


def test_a_send_that_is_under_way_ends_before_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as model, carrier_ends(64 * 1024) as ends:
        really, sending = ends.carrier.send, threading.Event()

        def slowly(message: str) -> None:
            sending.set()
            threading.Event().wait(0.2)
            really(message)

        monkeypatch.setattr(ends.carrier, "send", slowly)
        call = Call(ends, model)
        assert sending.wait(20)
        ends.say(TEXT, b'{"event":"stop","streamSid":"MZ1","stop":{}}')
        frames = list(ends.reading.frames())
        call.thread.join(20)
        assert not call.thread.is_alive()
        assert [opcode for opcode, _ in frames][-1] == CLOSE, "a proper close, not a broken line"


def test_closed_twice_is_closed_once_and_a_caller_who_hangs_up_is_heard() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as model, carrier_ends(64 * 1024) as ends:
        call = Call(ends, model)
        assert ends.reading.next()[0] == TEXT, "the clip plays"
        ends.say(TEXT, b'{"event":"stop","streamSid":"MZ1","stop":{}}')
        closes = []
        for opcode, payload in ends.reading.frames():
            if opcode == CLOSE:
                closes.append(payload)
                ends.say(CLOSE, payload)
        call.thread.join(20)
        assert not call.thread.is_alive()
        call.handler.close()
        assert len(call.keeper.reasons) == len(closes) == 1
        assert names() == []
