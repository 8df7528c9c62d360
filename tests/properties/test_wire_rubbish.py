"""Whatever comes over either wire: the parsers never raise, and neither do the rules that are fed with the result."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.wire.realtime import RealtimeDialect
from media_ws_ai.wire.twilio import StreamStarted, TwilioParser, TwilioWriter
from tests.paper_call import PaperCall
from tests.unit.test_wire_realtime import GOLDEN, updated

SID = "MZ0123"
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["inbound", "AAAA", "inf", "duration", "function_call", "audio/pcmu", "failed", "completed", SID])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CARRIER = (
    {
        "event": "start",
        "start": {
            "streamSid": SID,
            "callSid": "CA0",
            "accountSid": "AC0",
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
            "customParameters": {"tok": "x"},
        },
    },
    {"event": "media", "streamSid": SID, "media": {"track": "inbound", "timestamp": "20", "payload": "/////w=="}},
    {"event": "dtmf", "streamSid": SID, "dtmf": {"track": "inbound_track", "digit": "5"}},
    {"event": "mark", "streamSid": SID, "mark": {"name": "0.1.20"}},
    {"event": "stop", "streamSid": SID, "stop": {"callSid": "CA0"}},
)
MODEL = tuple(event for event, _ in GOLDEN) + (updated(),)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into a message."""
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in steps:
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn, messages: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """A message with up to two of its values replaced by anything, or taken out."""
    message: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(messages))))
    for _ in range(draw(st.integers(0, 2))):
        *path, last = draw(st.sampled_from(sorted(places(message), key=repr) or [("x",)]))
        node: Any = message
        for key in path:
            node = node[key]
        if draw(st.booleans()):
            node[last] = draw(ANYTHING)
        else:
            del node[last]
        if not message:
            break
    return message


def live_call() -> PaperCall:
    call = PaperCall(tools=({"type": "function", "name": "check"},))
    call.ready()
    call.speak("completed", 100)
    return call


@given(st.lists(spoilt(MODEL), min_size=1, max_size=6))
def test_spoilt_model_events_are_parsed_or_counted_and_the_rules_bear_them(frames: list[dict[str, Any]]) -> None:
    dialect, call = RealtimeDialect(), live_call()
    made = 0
    for frame in frames:
        events = dialect.feed(json.dumps(frame))
        made += len(events)
        call.feed(*events)
    assert made + dialect.malformed + dialect.unknown == len(frames)
    call.run(0.2)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_bytes_of_any_kind_are_counted(frame: bytes | str) -> None:
    dialect, parser = RealtimeDialect(), TwilioParser()
    assert dialect.feed(frame) == [] and parser.feed(frame) == []
    assert dialect.malformed + dialect.unknown == 1 and parser.malformed + parser.unknown + parser.foreign == 1


@given(st.lists(spoilt(CARRIER), min_size=1, max_size=6))
def test_spoilt_carrier_messages_are_parsed_or_counted_and_the_rules_bear_them(messages: list[dict[str, Any]]) -> None:
    parser, call = TwilioParser(), live_call()
    parser.feed(json.dumps(CARRIER[0]))
    for message in messages:
        events = parser.feed(json.dumps(message))
        call.feed(*[event for event in events if not isinstance(event, StreamStarted)])
    assert parser.stream_sid == SID
    call.run(0.2)


@given(st.text(max_size=60), st.binary(max_size=640), st.text(max_size=60))
def test_what_is_written_is_json_with_the_known_keys_only(sid: str, audio: bytes, name: str) -> None:
    sid, name = (text.encode("utf-8", "replace").decode() for text in (sid, name))
    writer = TwilioWriter(sid)
    media = json.loads(writer.media(audio))
    assert media.keys() == {"event", "streamSid", "media"} and media["media"].keys() == {"payload"}
    assert json.loads(writer.mark(name)) == {"event": "mark", "streamSid": sid, "mark": {"name": name}}
    assert json.loads(writer.clear) == {"event": "clear", "streamSid": sid}
