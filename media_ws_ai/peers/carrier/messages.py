"""Media-stream messages: those the carrier sends, built, and those it receives, judged to the letter.

Every counter and time goes out as a string. In comes exactly `media`, `mark` or `clear` with exactly their keys; all
else is ignored with warning 31951 (31950 for binary frames), as the carrier does, which then says no more about it.
"""

import binascii
from dataclasses import dataclass
from typing import Final

import orjson

BINARY: Final = "31950"
INVALID: Final = "31951"
EXAMPLE_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Media:
    """Audio from the worker, decoded."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """The worker asks to be told when the audio so far has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """The worker throws away what is buffered."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """A message the carrier ignores: the warning's code and what is wrong with it."""

    code: str
    fault: str


Incoming = Media | Mark | Clear | Invalid

_CLEAR: Final = Clear()
_KEYS: Final = {
    "media": {"event", "streamSid", "media"},
    "mark": {"event", "streamSid", "mark"},
    "clear": {"event", "streamSid"},
}


def judge(data: bytes, stream_sid: str) -> Incoming:
    """What a text frame of the worker means on the stream `stream_sid`."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Invalid(INVALID, f"not JSON: {error}")
    if not isinstance(message, dict):
        return Invalid(INVALID, "not an object")
    event = message.get("event")
    keys = _KEYS.get(event) if isinstance(event, str) else None
    if keys is None:
        return Invalid(INVALID, f"unknown event {event!r}")
    if message.keys() != keys:
        odd = sorted(message.keys() ^ keys)
        return Invalid(INVALID, f"{event}: extra or missing {', '.join(odd)}")
    if message["streamSid"] != stream_sid:
        return Invalid(INVALID, f"{event}: wrong streamSid {message['streamSid']!r}")
    if event == "clear":
        return _CLEAR
    body = message[event]
    wanted = "payload" if event == "media" else "name"
    if not isinstance(body, dict) or body.keys() != {wanted}:
        found = ", ".join(sorted(map(str, body))) if isinstance(body, dict) else repr(body)[:40]
        return Invalid(INVALID, f"{event}: an object with exactly {wanted} expected, found {found}")
    value = body[wanted]
    if not isinstance(value, str) or not value:
        return Invalid(INVALID, f"{event}.{wanted}: a non-empty string expected, found {value!r:.40}")
    if event == "mark":
        return Mark(value)
    try:
        return Media(binascii.a2b_base64(value, strict_mode=True))
    except ValueError as error:
        return Invalid(INVALID, f"media.payload: bad base64: {error}")


def connected() -> bytes:
    """The first message, without counter and streamSid."""
    return orjson.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})


class Outgoing:
    """The messages of one stream with their running `sequenceNumber`; `start` is number 1."""

    def __init__(self, stream_sid: str, account_sid: str, call_sid: str) -> None:
        self.stream_sid = stream_sid
        self.sequence = 0
        self.chunk = 0
        self._account_sid, self._call_sid = account_sid, call_sid
        self._media = (
            b'{"event":"media","sequenceNumber":"%%d","streamSid":"%s","media":'
            b'{"track":"inbound","chunk":"%%d","timestamp":"%%d","payload":"%%s"}}' % stream_sid.encode()
        )

    def _message(self, event: str, key: str, body: object) -> bytes:
        self.sequence += 1
        return orjson.dumps(
            {"event": event, "sequenceNumber": str(self.sequence), "streamSid": self.stream_sid, key: body}
        )

    def start(self, parameters: dict[str, str], call_sid: str = "", account_sid: str = "") -> bytes:
        """`start`, with the `<Parameter>`s; another call_sid or account_sid than the call's for forged streams."""
        body = {
            "streamSid": self.stream_sid,
            "accountSid": account_sid or self._account_sid,
            "callSid": call_sid or self._call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        return self._message("start", "start", body)

    def media(self, payload: bytes, timestamp_ms: int) -> bytes:
        """One caller frame; `payload` is base64 already."""
        self.sequence += 1
        self.chunk += 1
        return self._media % (self.sequence, self.chunk, timestamp_ms, payload)

    def mark(self, name: str) -> bytes:
        """The echo of a mark."""
        return self._message("mark", "mark", {"name": name})

    def dtmf(self, digit: str) -> bytes:
        """A key pressed."""
        return self._message("dtmf", "dtmf", {"track": "inbound_track", "digit": digit})

    def stop(self) -> bytes:
        """The stream is over: the caller hung up, or the call was redirected."""
        return self._message("stop", "stop", {"accountSid": self._account_sid, "callSid": self._call_sid})

    def rubbish(self, kind: str) -> bytes:
        """What no carrier sends: see CHOICES["rubbish"] of the plan (`binary` is sent as a binary frame)."""
        foreign = {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": "/" * 212 + "8="}
        if kind == "malformed":
            return b'{"event":"media","sequenceNumber":'
        if kind == "not_an_object":
            return b'["media", 1, null]'
        if kind == "foreign_stream":
            return orjson.dumps(
                {"event": "media", "sequenceNumber": "1", "streamSid": "MZ" + "f" * 32, "media": foreign}
            )
        if kind == "unknown_event":
            return self._message("weather", "weather", {"sky": "blue", "new_field": [1, 2]})
        if kind == "bad_base64":
            return self._message("media", "media", foreign | {"payload": "*not base64*"})
        if kind == "binary":
            return b"\x00\x01\xff"
        return self._message("media", "media", foreign | {"payload": "/" * 80_000})
