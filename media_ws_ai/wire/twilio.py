"""Twilio media streams: JSON text ↔ our events and outgoing messages. No socket here.

Inbound: connected, start, media, dtmf, mark, stop; unknown kinds are ignored. Outbound: media, mark, clear, with
exactly the keys the carrier knows: anything else is ignored by it and reported once per stream (31951).
Source: twilio.com/docs/voice/media-streams/websocket-messages.
"""

import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from media_ws_ai.audio.frame import FRAME_BYTES, PTIME_MS
from media_ws_ai.audio.framer import Framer
from media_ws_ai.events import CallerFrame, CarrierEnded, DtmfPressed, Event, MarkEchoed

DIGITS: Final = frozenset("0123456789*#ABCD")
MAX_TIMESTAMP_MS: Final = 25 * 3600 * 1000
"""A stream lives as long as its call: 24 h at most. What is later is no time."""


@dataclass(frozen=True, slots=True)
class StreamStarted(Event):
    """The first message that says which call this is. `parameters` are ours, from the TwiML."""

    stream_sid: str
    call_sid: str
    account_sid: str
    is_pcmu: bool
    parameters: Mapping[str, str] = field(default_factory=dict)


class TwilioParser:
    """Parses one stream's messages and counts what it cannot use."""

    def __init__(self) -> None:
        self.stream_sid = ""
        self.malformed = 0
        self.foreign = 0
        self.unknown = 0
        self._framer = Framer()

    def feed(self, message: str | bytes) -> list[Event]:
        """One message from the socket; mostly one event. Never raises: rubbish is counted in `malformed`."""
        if isinstance(message, bytes):
            self.malformed += 1
            return []
        try:
            data = orjson.loads(message)
            kind = data["event"]
            if kind == "media":
                return self._media(data)
            if kind == "connected":
                return []
            parse = self._PARSERS.get(kind)
            if parse is None:
                self.unknown += 1
                return []
            if kind != "start" and data["streamSid"] != self.stream_sid:
                self.foreign += 1
                return []
            return [parse(self, data)]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            self.malformed += 1
            return []

    def _media(self, data: Mapping[str, Any]) -> list[Event]:
        if data["streamSid"] != self.stream_sid or not self.stream_sid:
            self.foreign += 1
            return []
        media = data["media"]
        if media.get("track", "inbound") != "inbound":
            self.foreign += 1
            return []
        audio = binascii.a2b_base64(media["payload"], strict_mode=True)
        at_ms = int(media["timestamp"])
        if not audio or not 0 <= at_ms <= MAX_TIMESTAMP_MS:
            raise ValueError("no audio, or of no time in a call")
        if len(audio) == FRAME_BYTES and not self._framer.held_bytes:
            return [CallerFrame(audio, at_ms)]
        frames = self._framer.push(audio)
        return [CallerFrame(frame, at_ms + i * PTIME_MS) for i, frame in enumerate(frames)]

    def _start(self, data: Mapping[str, Any]) -> Event:
        start = data["start"]
        form = start.get("mediaFormat")
        parameters = start.get("customParameters")
        event = StreamStarted(
            stream_sid=str(start["streamSid"]),
            call_sid=str(start["callSid"]),
            account_sid=str(start.get("accountSid", "")),
            is_pcmu=isinstance(form, dict)
            and form.get("encoding") == "audio/x-mulaw"
            and int(form.get("sampleRate", 0)) == 8000,
            parameters={str(k): str(v) for k, v in parameters.items()} if isinstance(parameters, dict) else {},
        )
        if not self.stream_sid:
            self.stream_sid = event.stream_sid
        return event

    def _dtmf(self, data: Mapping[str, Any]) -> Event:
        digit = data["dtmf"]["digit"]
        if digit not in DIGITS:
            raise ValueError("no key of a telephone")
        return DtmfPressed(digit)

    def _mark(self, data: Mapping[str, Any]) -> Event:
        return MarkEchoed(str(data["mark"]["name"]))

    def _stop(self, data: Mapping[str, Any]) -> Event:
        return CarrierEnded("stop")

    _PARSERS: Mapping[str, Callable[["TwilioParser", Mapping[str, Any]], Event]] = {
        "start": _start,
        "dtmf": _dtmf,
        "mark": _mark,
        "stop": _stop,
    }


class TwilioWriter:
    """Makes the three messages the carrier takes, for one stream."""

    def __init__(self, stream_sid: str) -> None:
        sid = orjson.dumps(stream_sid).decode()
        self._media = f'{{"event":"media","streamSid":{sid},"media":{{"payload":"'
        self._mark = f'{{"event":"mark","streamSid":{sid},"mark":{{"name":'
        self.clear = f'{{"event":"clear","streamSid":{sid}}}'

    def media(self, audio: bytes) -> str:
        """One message of whole frames of μ-law."""
        return self._media + binascii.b2a_base64(audio, newline=False).decode("ascii") + '"}}'

    def mark(self, name: str) -> str:
        return self._mark + orjson.dumps(name).decode() + "}}"
