"""The carrier's messages to the letter of twilio.md §2, in and out."""

import base64
import json
from typing import Any

import pytest

from media_ws_ai import events as e
from media_ws_ai.wire.twilio import StreamStarted, TwilioParser, TwilioWriter

SID = "MZ0123"
START = (
    '{"event":"start","sequenceNumber":"1","streamSid":"MZ0123","start":{"streamSid":"MZ0123","accountSid":"AC0123",'
    '"callSid":"CA0123","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},'
    '"customParameters":{"tok":"…","attempt":"1"}}}'
)
FRAME = bytes(range(160))


def media(audio: bytes = FRAME, at: object = "20", sid: object = SID, **more: object) -> str:
    payload = base64.b64encode(audio).decode()
    inner = {"track": "inbound", "chunk": "2", "timestamp": at, "payload": payload, **more}
    return json.dumps({"event": "media", "sequenceNumber": "3", "streamSid": sid, "media": inner})


def started() -> TwilioParser:
    parser = TwilioParser()
    parser.feed(START)
    return parser


# --- in -------------------------------------------------------------------------------------------------------------


def test_every_message_of_a_stream_in_its_order() -> None:
    parser = TwilioParser()
    assert parser.feed('{"event":"connected","protocol":"Call","version":"1.0.0"}') == []
    assert parser.feed(START) == [
        StreamStarted(SID, "CA0123", "AC0123", is_pcmu=True, parameters={"tok": "…", "attempt": "1"})
    ]
    assert parser.feed(media()) == [e.CallerFrame(FRAME, 20)]
    assert parser.feed(
        '{"event":"dtmf","sequenceNumber":"57","streamSid":"MZ0123","dtmf":{"track":"inbound_track","digit":"5"}}'
    ) == [e.DtmfPressed("5")]
    assert parser.feed('{"event":"mark","sequenceNumber":"90","streamSid":"MZ0123","mark":{"name":"r12:end"}}') == [
        e.MarkEchoed("r12:end")
    ]
    assert parser.feed(
        '{"event":"stop","sequenceNumber":"500","streamSid":"MZ0123","stop":{"accountSid":"AC0123","callSid":"CA0123"}}'
    ) == [e.CarrierEnded("stop")]
    assert (parser.malformed, parser.foreign, parser.unknown) == (0, 0, 0)


@pytest.mark.parametrize(
    ("form", "is_pcmu"),
    [
        ({"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}, True),
        ({"encoding": "audio/x-mulaw", "sampleRate": "8000"}, True),
        ({"encoding": "audio/l16", "sampleRate": 16000}, False),
        ({"encoding": "audio/x-mulaw"}, False),
        ("audio/x-mulaw", False),
        (None, False),
    ],
)
def test_the_format_is_read_defensively(form: object, is_pcmu: bool) -> None:
    start = {"streamSid": SID, "callSid": "CA0", "mediaFormat": form, "customParameters": ["odd"]}
    [event] = TwilioParser().feed(json.dumps({"event": "start", "start": start}))
    assert isinstance(event, StreamStarted)
    assert (event.is_pcmu, event.parameters, event.account_sid) == (is_pcmu, {}, "")


def test_a_second_start_does_not_change_whose_stream_it_is() -> None:
    parser = started()
    [event] = parser.feed(START.replace(SID, "MZ9999"))
    assert isinstance(event, StreamStarted) and parser.stream_sid == SID
    assert parser.feed(media(sid="MZ9999")) == [] and parser.foreign == 1


@pytest.mark.parametrize(
    ("message", "count"),
    [
        (media(sid="MZ9999"), "foreign"),
        (media(sid=None), "foreign"),
        (media(track="outbound"), "foreign"),
        ('{"event":"stop","streamSid":"MZ9999","stop":{}}', "foreign"),
        ('{"event":"mark","streamSid":"","mark":{"name":"x"}}', "foreign"),
        ('{"event":"transcription","streamSid":"MZ0123"}', "unknown"),
        ('{"event":null}', "unknown"),
        ('{"event":{}}', "malformed"),
        ('{"event":"media"}', "malformed"),
        ('{"event":"mark","streamSid":"MZ0123"}', "malformed"),
        ('{"event":"mark"}', "malformed"),
        ('{"event":"dtmf","streamSid":"MZ0123","dtmf":{"digit":""}}', "malformed"),
        ('{"event":"dtmf","streamSid":"MZ0123","dtmf":{"digit":"55"}}', "malformed"),
        ('{"event":"dtmf","streamSid":"MZ0123","dtmf":{"digit":"א"}}', "malformed"),
        ('{"event":"dtmf","streamSid":"MZ0123","dtmf":{"digit":[]}}', "malformed"),
        ('{"event":"start"}', "malformed"),
        ('{"event":"start","start":{"streamSid":"MZ1"}}', "malformed"),
        ('{"event":"start","start":"now"}', "malformed"),
        ("", "malformed"),
        ("not json", "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
        ('"media"', "malformed"),
        ("{}", "malformed"),
        ('{"event":"media"', "malformed"),
        ("\ud800", "malformed"),
        ("[" * 5000, "malformed"),
        (b"\x00\x01", "malformed"),
        (media(payload="!!!"), "malformed"),
        (media(payload="א"), "malformed"),
        (media(payload=""), "malformed"),
        (media(payload=5), "malformed"),
        (media(payload=None), "malformed"),
        (media(at="soon"), "malformed"),
        (media(at="-20"), "malformed"),
        (media(at="9" * 30), "malformed"),
        (media(at="9" * 5000), "malformed"),
        (media(at=None), "malformed"),
        (media(at=[]), "malformed"),
        ('{"event":"media","streamSid":"MZ0123","media":"x"}', "malformed"),
        ('{"event":"media","streamSid":"MZ0123","media":[]}', "malformed"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_no_use_is_counted_and_survived(message: str | bytes, count: str) -> None:
    parser = started()
    assert parser.feed(message) == []
    counts = {"malformed": parser.malformed, "foreign": parser.foreign, "unknown": parser.unknown}
    assert counts == {**dict.fromkeys(counts, 0), count: 1}
    assert parser.feed(media()) == [e.CallerFrame(FRAME, 20)]


def test_nothing_is_believed_before_the_start() -> None:
    parser = TwilioParser()
    assert parser.feed(media()) == [] and parser.feed(media(sid="")) == []
    assert parser.foreign == 2


def test_unknown_fields_are_ignored() -> None:
    assert started().feed(media(loudness=3)) == [e.CallerFrame(FRAME, 20)]


@pytest.mark.parametrize("sizes", [[80, 80], [320], [100, 220, 160], [1, 159, 160], [480], [640, 0 + 160]])
def test_odd_sizes_of_payload_become_whole_frames(sizes: list[int]) -> None:
    parser = started()
    audio = bytes(n * 7 % 256 for n in range(sum(sizes)))
    events: list[Any] = []
    start = 0
    for size in sizes:
        events += parser.feed(media(audio[start : start + size], at=str(20 * len(events))))
        start += size
    assert b"".join(event.audio for event in events) == audio
    assert {len(event.audio) for event in events} == {160}
    assert [event.timestamp_ms for event in events] == [20 * n for n in range(len(events))]


# --- out ------------------------------------------------------------------------------------------------------------


def test_the_three_messages_to_the_letter() -> None:
    writer = TwilioWriter(SID)
    payload = base64.b64encode(FRAME).decode()
    assert writer.media(FRAME) == f'{{"event":"media","streamSid":"MZ0123","media":{{"payload":"{payload}"}}}}'
    assert writer.mark("0.12.200") == '{"event":"mark","streamSid":"MZ0123","mark":{"name":"0.12.200"}}'
    assert writer.clear == '{"event":"clear","streamSid":"MZ0123"}'


@pytest.mark.parametrize("sid", ['MZ"}', "MZ\\", "מז", "MZ\n"])
def test_whatever_the_ids_hold_it_is_json_with_exactly_the_known_keys(sid: str) -> None:
    writer = TwilioWriter(sid)
    assert json.loads(writer.media(b"\xff" * 160)) == {
        "event": "media",
        "streamSid": sid,
        "media": {"payload": base64.b64encode(b"\xff" * 160).decode()},
    }
    assert json.loads(writer.mark('a"b')) == {"event": "mark", "streamSid": sid, "mark": {"name": 'a"b'}}
    assert json.loads(writer.clear) == {"event": "clear", "streamSid": sid}
