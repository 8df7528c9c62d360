"""The Realtime dialect: what we send is valid to the letter, what comes is understood, rubbish is survived."""

import base64
import json
from typing import Any

import orjson
import pytest

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai.wire.realtime import RealtimeDialect
from media_ws_ai.wire.usage import tokens_of_response, tokens_of_transcript
from tests.realtime_types import check_client, check_server

PROMPT = c.Prompt("היי", "עסק", "בלי יומן")
TOOL = {
    "type": "function",
    "name": "check_availability",
    "description": "Free slots",
    "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
}
CONFIGURE = c.Configure("session-1", PROMPT, "he", "marin", "gpt-realtime-whisper", 2400)
AUDIO = bytes(range(250))


def encoded(command: c.ModelCommand) -> dict[str, Any]:
    frame = RealtimeDialect().encode(command)
    check_client(frame)
    data: dict[str, Any] = json.loads(frame)
    return data


# --- out ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        CONFIGURE,
        c.Configure("session-2", PROMPT, "en", "cedar", "whisper-1", 4096, speed=1.1, tools=(TOOL,)),
        c.Reprompt("prompt-1", PROMPT),
        c.Transcribe("session-3", "whisper-1", "he"),
        c.AppendAudio(AUDIO),
        c.AppendAudio(b""),
        c.RequestResponse("ask-1"),
        c.RequestResponse("ask-2", "אמרי שלום"),
        c.CancelResponse("cancel-1", "resp_1"),
        c.TruncateItem("truncate-1", "item_1", 0),
        c.DeleteItem("delete-1", "item_1"),
        c.AddText("line-1", "user", "שלום"),
        c.AddText("line-2", "assistant", "היי"),
        c.AddText("line-3", "system", "נשארה דקה"),
        c.AnswerTool("tool-1", "call_1", '{"ok":true}'),
    ],
    ids=lambda command: f"{type(command).__name__}",
)
def test_every_frame_is_valid_without_an_unknown_key_and_names_itself(command: c.ModelCommand) -> None:
    data = encoded(command)
    if not isinstance(command, c.AppendAudio):
        assert data["event_id"] == command.ref  # type: ignore[attr-defined]


def test_one_session_update_holds_every_value_that_we_rely_on() -> None:
    assert encoded(c.Configure("s", PROMPT, "he", "marin", "gpt-realtime-whisper", 2400, 0.9, (TOOL,))) == {
        "type": "session.update",
        "event_id": "s",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "היי\n\nעסק\n\nבלי יומן",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "noise_reduction": None,
                    "transcription": {"model": "gpt-realtime-whisper", "language": "he"},
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.5,
                        "prefix_padding_ms": 300,
                        "silence_duration_ms": 500,
                        "idle_timeout_ms": None,
                        "create_response": False,
                        "interrupt_response": False,
                    },
                },
                "output": {"format": {"type": "audio/pcmu"}, "voice": "marin", "speed": 0.9},
            },
            "tools": [TOOL],
            "tool_choice": "auto",
            "max_output_tokens": 2400,
        },
    }
    assert "speed" not in encoded(CONFIGURE)["session"]["audio"]["output"]


def test_the_upgrade_changes_the_instructions_only() -> None:
    session = encoded(c.Reprompt("p", PROMPT))["session"]
    assert session == {"type": "realtime", "instructions": PROMPT.joined()}


def test_audio_goes_through_unchanged() -> None:
    assert base64.b64decode(encoded(c.AppendAudio(AUDIO))["audio"]) == AUDIO


def test_instructions_of_one_answer_extend_the_prompt_in_force_they_do_not_replace_it() -> None:
    dialect = RealtimeDialect()
    dialect.encode(CONFIGURE)
    first = json.loads(dialect.encode(c.RequestResponse("ask-1", "Greet.")))
    assert first["response"] == {"metadata": {"ref": "ask-1"}, "instructions": f"{PROMPT.joined()}\n\nGreet."}
    dialect.encode(c.Reprompt("p", c.Prompt("a", "b", "c")))
    second = json.loads(dialect.encode(c.RequestResponse("ask-2", "Go on.")))
    assert second["response"]["instructions"] == "a\n\nb\n\nc\n\nGo on."
    plain = json.loads(dialect.encode(c.RequestResponse("ask-3")))
    assert plain["response"] == {"metadata": {"ref": "ask-3"}}


@pytest.mark.parametrize(
    ("role", "kind"), [("user", "input_text"), ("system", "input_text"), ("assistant", "output_text")]
)
def test_history_lines_are_text_of_their_role(role: str, kind: str) -> None:
    item = encoded(c.AddText("l", role, "שלום"))["item"]
    assert item == {"type": "message", "role": role, "content": [{"type": kind, "text": "שלום"}]}


def test_what_is_no_order_of_this_dialect_is_our_bug() -> None:
    with pytest.raises(TypeError, match="no frame for ModelCommand"):
        RealtimeDialect().encode(c.ModelCommand())


# --- in: the golden sequences of the reference, §3 --------------------------------------------------------------------

MESSAGE = {"id": "item_a", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
CALL = {"id": "item_f", "type": "function_call", "name": "check", "call_id": "call_1", "arguments": '{"d": 1}'}
USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_token_details": {
        "text_tokens": 12,
        "audio_tokens": 8,
        "image_tokens": 0,
        "cached_tokens": 5,
        "cached_tokens_details": {"text_tokens": 4, "audio_tokens": 1, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 3, "audio_tokens": 7, "reasoning_tokens": 1},
}
TOKENS = {
    "input_text": 12,
    "input_audio": 8,
    "cached_text": 4,
    "cached_audio": 1,
    "output_text": 3,
    "output_audio": 7,
    "total": 30,
}
PART = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0}


def response(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "realtime.response", "status": status, "output": [], **more}


def failed(code: str | None) -> dict[str, Any]:
    return {"type": "failed", "error": {"type": "server_error", "code": code}}


GREETING: list[tuple[dict[str, Any], list[e.Event]]] = [
    (
        {"type": "response.created", "response": response("in_progress", metadata={"ref": "ask-1"})},
        [e.ResponseCreated("resp_1", "ask-1")],
    ),
    ({"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0, "item": MESSAGE}, []),
    (
        {"type": "conversation.item.added", "previous_item_id": "item_0", "item": {**MESSAGE, "phase": "final_answer"}},
        [e.ItemAdded("item_a", "assistant", "item_0")],
    ),
    ({"type": "response.content_part.added", **PART, "part": {"type": "audio", "transcript": ""}}, []),
    (
        {"type": "response.output_audio_transcript.delta", **PART, "delta": "שלום", "obfuscation": "x1"},
        [e.ModelText("resp_1", "item_a", "שלום")],
    ),
    (
        {"type": "response.output_audio.delta", **PART, "delta": base64.b64encode(AUDIO).decode()},
        [e.ModelAudio("resp_1", "item_a", AUDIO)],
    ),
    ({"type": "response.output_audio.done", **PART}, [e.ModelAudioDone("resp_1", "item_a")]),
    (
        {"type": "response.output_audio_transcript.done", **PART, "transcript": "שלום רב"},
        [e.ModelTextDone("resp_1", "item_a", "שלום רב")],
    ),
    ({"type": "response.content_part.done", **PART, "part": {"type": "audio", "transcript": "שלום רב"}}, []),
    ({"type": "conversation.item.done", "previous_item_id": None, "item": {**MESSAGE, "status": "completed"}}, []),
    (
        {"type": "response.done", "response": response("completed", usage=USAGE, metadata={"ref": "ask-1"})},
        [e.ResponseEnded("resp_1", "ask-1", "completed", tokens=TOKENS)],
    ),
    ({"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "limit": 1, "remaining": 1}]}, []),
]
TURN: list[tuple[dict[str, Any], list[e.Event]]] = [
    (
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 320, "item_id": "item_u"},
        [e.SpeechStarted("item_u", 320)],
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.delta",
            "item_id": "item_u",
            "content_index": 0,
            "delta": "כן",
        },
        [e.TranscriptPart("item_u", "כן")],
    ),
    (
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 960, "item_id": "item_u"},
        [e.SpeechStopped("item_u", 960)],
    ),
    (
        {"type": "input_audio_buffer.committed", "item_id": "item_u", "previous_item_id": None},
        [e.TurnCommitted("item_u", None)],
    ),
    (
        {
            "type": "conversation.item.added",
            "previous_item_id": None,
            "item": {
                "id": "item_u",
                "type": "message",
                "role": "user",
                "status": "completed",
                "content": [{"type": "input_audio", "transcript": None}],
            },
        },
        [e.ItemAdded("item_u", "user", None)],
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_u",
            "content_index": 0,
            "transcript": "כן",
            "usage": {"type": "duration", "seconds": 1.5},
        },
        [e.Transcript("item_u", "כן", {"transcribed_ms": 1500})],
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_v",
            "content_index": 0,
            "transcript": "",
            "usage": {"type": "tokens", "input_tokens": 9, "output_tokens": 2, "total_tokens": 11},
        },
        [e.Transcript("item_v", "", {"transcribed_tokens": 11})],
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.failed",
            "item_id": "item_w",
            "content_index": 0,
            "error": {"type": "server_error", "code": "DeploymentNotFound", "message": "no", "param": None},
        },
        [e.TranscriptFailed("item_w", "DeploymentNotFound")],
    ),
]
TOOLS: list[tuple[dict[str, Any], list[e.Event]]] = [
    (
        {"type": "conversation.item.added", "previous_item_id": "item_u", "item": {**CALL, "arguments": ""}},
        [e.ItemAdded("item_f", "tool_call", "item_u")],
    ),
    (
        {
            "type": "response.function_call_arguments.done",
            "response_id": "resp_1",
            "item_id": "item_f",
            "output_index": 0,
            "call_id": "call_1",
            "name": "check",
            "arguments": '{"d": 1}',
        },
        [],
    ),
    (
        {"type": "response.done", "response": response("completed", output=[MESSAGE, CALL])},
        [e.ResponseEnded("resp_1", None, "completed", calls=(e.ToolCall("call_1", "check", '{"d": 1}'),))],
    ),
    (
        {
            "type": "conversation.item.added",
            "previous_item_id": "item_f",
            "item": {"id": "item_o", "type": "function_call_output", "call_id": "call_1", "output": "{}"},
        },
        [e.ItemAdded("item_o", "tool_output", "item_f")],
    ),
]
ENDS: list[tuple[dict[str, Any], list[e.Event]]] = [
    (
        {
            "type": "response.done",
            "response": response("cancelled", status_details={"type": "cancelled", "reason": "turn_detected"}),
        },
        [e.ResponseEnded("resp_1", None, "cancelled", "turn_detected")],
    ),
    (
        {
            "type": "response.done",
            "response": response("incomplete", status_details={"type": "incomplete", "reason": "max_output_tokens"}),
        },
        [e.ResponseEnded("resp_1", None, "incomplete", "max_output_tokens")],
    ),
    (
        {"type": "response.done", "response": response("failed", status_details=failed("rate_limit_exceeded"))},
        [e.ResponseEnded("resp_1", None, "failed", code="rate_limit_exceeded")],
    ),
    (
        {"type": "response.done", "response": response("failed", status_details=failed(None))},
        [e.ResponseEnded("resp_1", None, "failed", code="server_error")],
    ),
    (
        {"type": "response.done", "response": response("failed", status_details=failed("insufficient_quota"))},
        [e.ResponseEnded("resp_1", None, "failed", code="insufficient_quota", is_hopeless=True)],
    ),
]


def error(code: str | None, message: str = "no", param: str | None = None, ref: str | None = None) -> dict[str, Any]:
    told = {"type": "invalid_request_error", "code": code, "message": message, "param": param, "event_id": ref}
    return {"type": "error", "error": told}


ERRORS: list[tuple[dict[str, Any], list[e.Event]]] = [
    (
        error("conversation_already_has_active_response", ref="ask-3"),
        [e.ModelError("conversation_already_has_active_response", "no", "ask-3", is_fatal=False)],
    ),
    (error(None, "Audio content of 1ms"), [e.ModelError("invalid_request_error", "Audio content of 1ms", None, False)]),
    (error("session_expired"), [e.ModelError("session_expired", "no", None, is_fatal=True)]),
    (
        error("invalid_value", param="session.audio.input.transcription.model", ref="session-1"),
        [e.ModelError("invalid_value", "no", "session-1", False, about="transcription")],
    ),
]
GOLDEN = [*GREETING, *TURN, *TOOLS, *ENDS, *ERRORS]


@pytest.mark.parametrize(("event", "expected"), GOLDEN, ids=[pair[0]["type"] for pair in GOLDEN])
def test_what_the_service_sends_is_understood(event: dict[str, Any], expected: list[e.Event]) -> None:
    event = {"event_id": "event_1", **event}
    check_server(event)
    dialect = RealtimeDialect()
    assert dialect.feed(orjson.dumps(event)) == expected
    assert dialect.feed(json.dumps(event)) == expected, "as text too"
    assert dialect.malformed == 0 and dialect.unknown == (0 if expected else 2)


def updated(**changes: Any) -> dict[str, Any]:
    turns = {"type": "server_vad", "create_response": False, "interrupt_response": False}
    listen = {"format": {"type": "audio/pcmu"}, "transcription": {"model": "whisper-1"}, "turn_detection": turns}
    audio = {"input": {**listen, **changes.pop("input", {})}, "output": {"format": {"type": "audio/pcmu"}, **changes}}
    return {"type": "session.updated", "session": {"type": "realtime", "audio": audio}}


PCM = {"type": "audio/pcm", "rate": 24000}


@pytest.mark.parametrize(
    ("id_", "event", "expected"),
    [
        ("as asked", updated(), (True, True, True)),
        ("pcm out", updated(format=PCM), (False, True, True)),
        ("pcm in", updated(input={"format": PCM}), (False, True, True)),
        ("format as in beta", updated(input={"format": "g711_ulaw"}), (False, True, True)),
        ("no format", updated(format=None), (False, True, True)),
        ("no turn detection", updated(input={"turn_detection": None}), (True, True, True)),
        (
            "it would answer by itself",
            updated(input={"turn_detection": {"create_response": True, "interrupt_response": False}}),
            (True, False, True),
        ),
        (
            "it would interrupt",
            updated(input={"turn_detection": {"create_response": False, "interrupt_response": True}}),
            (True, False, True),
        ),
        ("flags unknown", updated(input={"turn_detection": {"type": "server_vad"}}), (True, False, True)),
        ("no transcription", updated(input={"transcription": None}), (True, True, False)),
    ],
)
def test_the_echo_is_verified(id_: str, event: dict[str, Any], expected: tuple[bool, bool, bool]) -> None:
    assert RealtimeDialect().feed(orjson.dumps(event)) == [e.ModelConfigured(*expected)]


def test_the_first_message_greets() -> None:
    assert RealtimeDialect().feed(b'{"type":"session.created","session":{}}') == [e.ModelGreeted()]


DELTA = "response.output_audio.delta"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"{}",
        b"\xff\xfe",
        b'{"type":[]}',
        b'{"type":"response.created"}',
        b'{"type":"response.created","response":null}',
        b'{"type":"response.created","response":{"id":5}}',
        b'{"type":"response.created","response":{"id":"r","metadata":"x"}}',
        b'{"type":"response.done","response":{"id":"r"}}',
        b'{"type":"response.done","response":{"id":"r","status":[]}}',
        b'{"type":"response.done","response":{"id":"r","status":"failed","status_details":"x"}}',
        b'{"type":"response.done","response":{"id":"r","status":"completed","output":[5]}}',
        b'{"type":"response.done","response":{"id":"r","status":"completed","output":[{"type":"function_call"}]}}',
        b'{"type":"response.done","response":{"id":"r","status":"completed",'
        b'"output":[{"type":"function_call","call_id":[],"name":"x"}]}}',
        b'{"type":"response.done","response":{"id":"r","status":"completed","usage":"much"}}',
        b'{"type":"response.output_audio.delta","response_id":[],"item_id":"i","delta":""}',
        b'{"type":"response.output_audio.delta","response_id":"r","item_id":{},"delta":""}',
        b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"@@@"}',
        b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":5}',
        b'{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i","delta":5}',
        b'{"type":"response.output_audio_transcript.done","response_id":"r","item_id":"i","transcript":null}',
        b'{"type":"response.output_audio.done","response_id":"r"}',
        b'{"type":"conversation.item.added","item":"x"}',
        b'{"type":"conversation.item.added","item":{"id":7}}',
        b'{"type":"conversation.item.added","item":{"id":"i","type":[]}}',
        b'{"type":"input_audio_buffer.speech_started","item_id":"i","audio_start_ms":"now"}',
        b'{"type":"input_audio_buffer.speech_stopped","item_id":"i","audio_end_ms":null}',
        b'{"type":"input_audio_buffer.committed","item_id":[]}',
        b'{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":["x"]}',
        b'{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"x",'
        b'"usage":{"type":"duration","seconds":"inf"}}',
        b'{"type":"conversation.item.input_audio_transcription.failed","error":null}',
        b'{"type":"error"}',
        b'{"type":"error","error":null}',
        b'{"type":"error","error":{"event_id":[]}}',
        b'{"type":"session.updated","session":{}}',
        b'{"type":"session.updated","session":{"audio":{"input":[],"output":{}}}}',
    ],
    ids=lambda frame: frame[:70].decode("latin-1"),
)
def test_a_broken_frame_is_counted_never_raised(frame: bytes) -> None:
    dialect = RealtimeDialect()
    assert dialect.feed(frame) == []
    assert (dialect.malformed, dialect.unknown) == (1, 0)


def test_a_code_that_is_no_text_is_shown_as_text() -> None:
    [event] = RealtimeDialect().feed(b'{"type":"error","error":{"code":429,"message":{"a":1}}}')
    assert event == e.ModelError("429", "{'a': 1}", None, is_fatal=False)


def test_a_ref_that_is_not_ours_is_not_taken_for_none() -> None:
    [event] = RealtimeDialect().feed(b'{"type":"response.created","response":{"id":"r","metadata":{"ref":5}}}')
    assert event == e.ResponseCreated("r", "5")


# --- closes, refusals, usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (1001, "Your session hit the maximum duration of 60 minutes.", ("expired", False)),
        (1000, "maximum duration", ("expired", False)),
        (1001, "", ("expired", False)),
        (1011, "internal", ("closed", False)),
        (1005, "", ("closed", False)),
        (3000, "invalid_request_error.invalid_api_key", ("refused", True)),
        (4000, "invalid_request_error.beta_api_shape_disabled", ("refused", True)),
    ],
)
def test_a_close_is_read(code: int, reason: str, expected: tuple[str, bool]) -> None:
    lost = RealtimeDialect.closed(3, code, reason)
    assert (lost.link, lost.reason, lost.is_hopeless) == (3, *expected)
    assert lost.detail.startswith(str(code))


@pytest.mark.parametrize(
    ("status", "is_hopeless"), [(400, True), (401, True), (403, True), (404, True), (429, False), (503, False)]
)
def test_a_refused_upgrade_is_read(status: int, is_hopeless: bool) -> None:
    assert RealtimeDialect.refused(2, status, "") == e.ModelLost(2, "refused", f"HTTP {status}", is_hopeless)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, {}),
        ({}, {}),
        (USAGE, TOKENS),
        ({"total_tokens": 3, "input_token_details": None, "output_token_details": None}, {"total": 3}),
        ({"total_tokens": 0, "input_token_details": {"cached_tokens_details": None}}, {}),
    ],
)
def test_tokens_of_a_response(usage: Any, expected: dict[str, int]) -> None:
    assert tokens_of_response(usage) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, {}),
        ({"type": "duration", "seconds": 2}, {"transcribed_ms": 2000}),
        ({"type": "duration", "seconds": None}, {"transcribed_ms": 0}),
        ({"type": "tokens", "total_tokens": 7}, {"transcribed_tokens": 7}),
        ({"type": "tokens"}, {"transcribed_tokens": 0}),
    ],
)
def test_cost_of_a_transcript(usage: Any, expected: dict[str, int]) -> None:
    assert tokens_of_transcript(usage) == expected


def test_the_rules_may_cancel_and_truncate_and_the_model_does_not_pace() -> None:
    capabilities = RealtimeDialect.capabilities
    assert (capabilities.can_cancel, capabilities.can_truncate, capabilities.is_paced) == (True, True, False)
