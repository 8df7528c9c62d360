"""The model stand-in as a client sees it: behaviours 1 to 12 of its README.md. The number is in each name."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from media_ws_ai.audio.frame import FRAME_BYTES
from media_ws_ai.peers import numbered, speech
from media_ws_ai.peers.model.process import ModelPeer
from tests.socket.model_client import Client, connected

QUICK: dict[str, Any] = {"created_ms": 5, "ttfb_ms": 5, "first_audio_ms": 5}
"""Fields of a reply that is under way at once."""

MESSAGE_ORDER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
DELTAS = ("response.output_audio.delta", "response.output_audio_transcript.delta")


@pytest.fixture(scope="module")
def peer() -> Iterator[ModelPeer]:
    with ModelPeer({"greeting": {"text": "שלום", "seconds": 1, **QUICK}, "speed": 50}) as running:
        yield running
        assert running.stderr() == ""


@pytest.fixture
def client(peer: ModelPeer) -> Iterator[Client]:
    """A connection under the module's scenario; every event of ours must have been a valid one."""
    with connected(peer.url) as one:
        yield one
    for session in peer.log():
        assert not [fault for fault in session["schema_errors"] if fault.startswith("server")]


def slow_reply(**fields: Any) -> dict[str, Any]:
    """A scenario whose first reply takes about a second, time enough to disturb it."""
    return {"greeting": {"text": "אחת שתיים שלוש ארבע חמש", "seconds": 5, "speed": 5, **QUICK, **fields}}


# -- 1, 2: the session ------------------------------------------------------------------------------------


def test_1_session_created_comes_first_and_says_pcm(client: Client) -> None:
    first = client.receive()
    assert first is not None and first["type"] == "session.created"
    audio = first["session"]["audio"]
    assert audio["input"]["format"] == audio["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert audio["input"]["transcription"] is None
    assert audio["input"]["turn_detection"]["create_response"] is True


def test_1_a_client_that_forgets_its_update_gets_pcm(client: Client) -> None:
    client.until("session.created")
    client.respond()
    assert len(client.audio()) == 48 * 1000


def test_2_update_is_merged_and_echoed_whole(client: Client) -> None:
    session = client.configure()["session"]
    assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {"type": "audio/pcmu"}
    assert session["audio"]["output"]["voice"] == "marin"
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500
    client.send("session.update", session={"type": "realtime", "audio": {"input": {"transcription": None}}})
    session = client.until("session.updated")["session"]
    assert session["audio"]["input"]["transcription"] is None
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert session["instructions"] == "אתה נציג שירות"


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"instructions": "x"}, "missing_required_parameter", "session.type"),
        ({"type": "realtime", "voice": "marin"}, "unknown_parameter", "session.voice"),
        (
            {"type": "realtime", "audio": {"output": {"format": "g711_ulaw"}}},
            "invalid_type",
            "session.audio.output.format",
        ),
        (
            {"type": "realtime", "audio": {"output": {"format": {"type": "g711_ulaw"}}}},
            "invalid_value",
            "session.audio.output.format.type",
        ),
        ({"type": "realtime", "audio": {"output": {"voice": "nova"}}}, "invalid_value", "session.audio.output.voice"),
        ({"type": "realtime", "max_output_tokens": 5000}, "invalid_value", "session.max_output_tokens"),
        ({"type": "realtime", "output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_ms": 3}}}},
            "unknown_parameter",
            "session.audio.input.turn_detection.silence_ms",
        ),
        (
            {"type": "realtime", "tools": [{"type": "function", "function": {"name": "x"}}]},
            "missing_required_parameter",
            "session.tools[0].name",
        ),
    ],
)
def test_2_a_bad_update_is_refused_whole(client: Client, session: dict[str, Any], code: str, param: str) -> None:
    client.until("session.created")
    client.send("session.update", event_id="mine", session={**session, "instructions": "changed"})
    error = client.error()
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
    client.send("session.update", session={"type": "realtime"})
    assert client.until("session.updated")["session"]["instructions"] != "changed"


def test_2_the_voice_is_locked_once_audio_was_made(client: Client) -> None:
    client.configure(audio={"output": {"voice": "cedar"}})
    client.respond()
    client.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "marin"}}})
    assert client.error()["code"] == "cannot_update_voice"


# -- 3, 4, 5: hearing -------------------------------------------------------------------------------------


def test_3_append_is_never_acknowledged_and_bad_base64_is_an_error(client: Client) -> None:
    client.configure()
    client.forget()
    client.append(speech.quiet_line(50))
    client.send("input_audio_buffer.append", event_id="bad", audio="***")
    assert client.error()["event_id"] == "bad"
    assert client.kinds() == ["error"]


def test_4_a_caller_turn_in_the_order_of_the_service(client: Client, peer: ModelPeer) -> None:
    client.configure()
    client.forget()
    client.say("he_book")
    done = client.until("conversation.item.input_audio_transcription.completed")
    assert client.kinds() == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert done["transcript"] == speech.CLIPS["he_book"].text
    started, stopped, *_ = client.events
    assert started["item_id"] == stopped["item_id"] == done["item_id"]
    assert started["audio_start_ms"] == 0 or (started["audio_start_ms"] + 300) % 32 == 0
    assert stopped["audio_end_ms"] % 32 == 0
    utterance = peer.session()["utterances"][-1]
    assert (utterance["clip"], utterance["share"], utterance["missing"]) == ("he_book", 1.0, 0)


def test_4_frames_lost_doubled_and_swapped_are_reported(client: Client, peer: ModelPeer) -> None:
    client.configure()
    frames = speech.frames("he_book")
    middle = len(frames) // 2
    del frames[middle + 10]
    frames[middle], frames[middle + 1] = frames[middle + 1], frames[middle]
    frames.insert(middle - 10, frames[middle - 10])
    client.append(b"".join(frames) + speech.quiet_line(40))
    client.until("conversation.item.input_audio_transcription.completed")
    utterance = peer.session()["utterances"][-1]
    assert (utterance["missing"], utterance["doubled"], utterance["reordered"]) == (1, 1, 1)
    assert 0.9 < utterance["share"] < 1


def test_4_offsets_count_appended_audio_less_the_padding(client: Client) -> None:
    client.configure()
    client.append(speech.quiet_line(100))
    client.say("he_book")
    start_ms = client.until("input_audio_buffer.speech_started")["audio_start_ms"]
    assert 1600 <= start_ms <= 2400
    assert (start_ms + 300) % 32 == 0


def test_4_english_clips_are_known_too(client: Client) -> None:
    client.configure()
    client.say("en_hours")
    done = client.until("conversation.item.input_audio_transcription.completed")
    assert done["transcript"] == speech.CLIPS["en_hours"].text


def test_5_both_flags_true_answer_by_themselves(client: Client) -> None:
    client.configure(turn_detection={"type": "server_vad"})
    client.forget()
    client.say("he_yes")
    client.until("response.done")
    kinds = client.kinds(*DELTAS, "conversation.item.input_audio_transcription.delta")
    assert kinds[:6] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]


def test_5_manual_turns_need_100_ms_and_make_no_speech_events(client: Client) -> None:
    client.configure(turn_detection=None)
    client.forget()
    client.append(speech.frames("he_yes")[0] * 4)
    client.send("input_audio_buffer.commit", event_id="short")
    error = client.error()
    assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "short")
    assert "80.00ms" in error["message"]
    client.say("he_yes")
    client.send("input_audio_buffer.commit")
    client.until("conversation.item.done")
    assert client.kinds() == [
        "error",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    client.send("input_audio_buffer.clear")
    client.until("input_audio_buffer.cleared")
    client.send("input_audio_buffer.commit")
    assert client.error()["code"] == "input_audio_buffer_commit_empty"


def test_5_idle_timeout_speaks_for_a_silent_caller(client: Client) -> None:
    client.configure(turn_detection={"type": "server_vad", "idle_timeout_ms": 5000})
    client.respond()
    client.forget()
    client.append(speech.quiet_line(320))
    client.until("response.created")
    kinds = client.kinds("conversation.item.input_audio_transcription.completed")
    assert kinds == [
        "input_audio_buffer.timeout_triggered",
        "conversation.item.added",
        "conversation.item.done",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert client.of("conversation.item.added")[0]["item"]["role"] == "system"


# -- 6: responses -----------------------------------------------------------------------------------------


def test_6_a_greeting_in_the_order_of_the_service(client: Client) -> None:
    client.configure()
    client.forget()
    done = client.respond(metadata={"asked": "greeting-1"})["response"]
    assert client.kinds(*DELTAS) == MESSAGE_ORDER
    assert client.of("response.created")[0]["response"]["metadata"] == done["metadata"] == {"asked": "greeting-1"}
    assert done["status"] == "completed" and done["status_details"] is None
    assert len(client.audio()) == 8 * 1000
    text = "".join(event["delta"] for event in client.of("response.output_audio_transcript.delta"))
    assert text == "שלום" == client.of("response.output_audio_transcript.done")[0]["transcript"]
    assert client.until("rate_limits.updated")["rate_limits"][0]["name"] == "tokens"


def test_6_text_runs_ahead_of_audio_and_audio_ahead_of_time(client: Client, peer: ModelPeer) -> None:
    peer.next({"greeting": {"clip": "he_agent_long", "speed": 100, **QUICK}})
    with connected(peer.url) as one:
        one.configure()
        one.respond()
        first = next(event for event in one.events if event["type"] in DELTAS)
        assert first["type"] == "response.output_audio_transcript.delta"
        assert one.audio() == speech.load("he_agent_long")
    response = peer.session()["responses"][0]
    assert response["audio_ms"] >= 30_000
    assert response["done_at_s"] - response["created_at_s"] < 10
    assert response["text"] == speech.CLIPS["he_agent_long"].text


@pytest.mark.parametrize("odd", [False, True])
def test_6_numbered_audio_is_whole_and_in_order(client: Client, peer: ModelPeer, odd: bool) -> None:
    peer.next({"greeting": {"text": "x", "numbered": 12, "odd_deltas": odd, "speed": 100, **QUICK}})
    with connected(peer.url) as one:
        one.configure()
        one.respond()
        audio = one.audio()
        sizes = {len(event["delta"]) for event in one.of("response.output_audio.delta")}
    assert (len(sizes) > 4) == odd
    frames = [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]
    said = peer.session()["responses"][0]["sound"]["numbered"]
    assert said["frames"] == len(frames) == 600
    assert [numbered.read(frame) for frame in frames] == [(said["session"], said["utterance"], n) for n in range(600)]


def test_6_out_of_band_leaves_the_conversation_alone(client: Client, peer: ModelPeer) -> None:
    peer.next(slow_reply())
    with connected(peer.url) as one:
        one.configure()
        one.send("response.create")
        one.until("response.output_audio.delta")
        one.forget()
        aside = {"conversation": "none", "output_modalities": ["text"], "metadata": {"aside": "1"}, "input": []}
        one.send("response.create", response=aside)
        while (done := one.until("response.done")["response"])["metadata"] != {"aside": "1"}:
            pass
        assert done["conversation_id"] is None and done["status"] == "completed"
        assert done["output"][0]["content"][0] == {"type": "output_text", "text": "סיכום השיחה."}
        assert not [e for e in one.of("conversation.item.added") if e["item"]["id"] == done["output"][0]["id"]]


def test_6_replies_follow_clip_regex_and_order(client: Client, peer: ModelPeer) -> None:
    peer.next(
        {
            "turns": [
                {"clip": "he_book", "reply": {"text": "by clip", **QUICK}},
                {"regex": "פתוחים", "reply": {"text": "by regex", **QUICK}},
                {"reply": [{"text": "in order", **QUICK}, {"text": "again", **QUICK}]},
                {"instructions": "farewell", "reply": {"text": "by instructions", **QUICK}},
            ],
            "default": {"text": "default", **QUICK},
            "hearing": {"delay_ms": 1},
            "speed": 100,
        }
    )
    with connected(peer.url) as one:
        one.configure()
        for clip in ("he_hours", "he_price", "he_book", "he_city"):
            one.say(clip)
            one.until("conversation.item.input_audio_transcription.completed")
            one.respond()
        one.respond(instructions="say the farewell")
    replies = [entry["text"] for entry in peer.session()["responses"]]
    assert replies == ["by regex", "in order", "by clip", "default", "by instructions"]


def test_6_the_built_in_demo_speaks_the_language_of_the_session(client: Client, peer: ModelPeer) -> None:
    for language in ("he", "en"):
        peer.next({"base": "demo", "speed": 200})
        with connected(peer.url) as one:
            one.configure()
            transcription = {"model": "gpt-realtime-whisper", "language": language}
            one.configure(audio={"input": {"format": {"type": "audio/pcmu"}, "transcription": transcription}})
            one.respond()
            for clip in ("hours", "thanks_bye"):
                one.say(f"{language}_{clip}")
                one.until("conversation.item.input_audio_transcription.completed")
                one.respond()
        clips = [entry["sound"]["clip"] for entry in peer.session()["responses"]]
        assert clips == [f"{language}_agent_{name}" for name in ("greeting", "hours", "bye")]


# -- 7, 8, 9: cancelling ----------------------------------------------------------------------------------


def test_7_a_client_cancels_in_the_order_of_the_service(client: Client, peer: ModelPeer) -> None:
    peer.next(slow_reply())
    with connected(peer.url) as one:
        one.configure()
        one.send("response.create")
        created = one.until("response.created")["response"]
        for _ in range(3):
            one.until("response.output_audio.delta")
        one.forget()
        one.send("response.cancel", response_id=created["id"])
        done = one.until("response.done")["response"]
        assert one.kinds(*DELTAS) == [kind for kind in MESSAGE_ORDER if kind.endswith(".done")]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert done["output"][0]["status"] == "incomplete"
        transcript = done["output"][0]["content"][0]["transcript"]
        assert transcript and len(transcript) < len("אחת שתיים שלוש ארבע חמש")
        assert done["usage"]["output_token_details"]["audio_tokens"] > 0


def test_7_caller_speech_cancels_when_the_session_wants_it(client: Client, peer: ModelPeer) -> None:
    peer.next(slow_reply())
    with connected(peer.url) as one:
        one.configure(turn_detection={"type": "server_vad", "create_response": False})
        one.send("response.create")
        one.until("response.output_audio.delta")
        one.forget()
        one.say("he_wait")
        done = one.until("response.done")["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        kinds = one.kinds(*DELTAS)
        assert kinds.index("input_audio_buffer.speech_started") < kinds.index("response.output_audio.done")


def test_7_caller_speech_cancels_nothing_when_the_session_does_not(client: Client, peer: ModelPeer) -> None:
    peer.next(slow_reply())
    with connected(peer.url) as one:
        one.configure()
        one.send("response.create")
        one.until("response.output_audio.delta")
        one.say("he_wait")
        assert one.until("response.done")["response"]["status"] == "completed"
        assert one.of("input_audio_buffer.speech_started")


def test_7_cancelled_before_any_output_it_is_empty_and_free(client: Client, peer: ModelPeer) -> None:
    peer.next({"greeting": {"text": "x", "created_ms": 1, "ttfb_ms": 5000}})
    with connected(peer.url) as one:
        one.configure()
        one.send("response.create")
        one.until("response.created")
        one.send("response.cancel")
        done = one.until("response.done")["response"]
        assert (done["status"], done["output"], done["usage"]["total_tokens"]) == ("cancelled", [], 0)


def test_8_late_deltas_of_a_dead_response_come_before_its_end(client: Client, peer: ModelPeer) -> None:
    peer.next(slow_reply(late_deltas=3))
    with connected(peer.url) as one:
        one.configure()
        one.send("response.create")
        one.until("response.output_audio.delta")
        one.send("response.cancel")
        one.until("response.done")
    assert peer.session()["responses"][0]["late_audio_ms"] == 750


def test_9_a_reply_generated_at_once_is_not_cancelled_by_speech(client: Client, peer: ModelPeer) -> None:
    peer.next({"greeting": {"text": "x", "seconds": 30, "burst": True, **QUICK}})
    with connected(peer.url) as one:
        one.configure(turn_detection={"type": "server_vad", "create_response": False})
        assert one.respond()["response"]["status"] == "completed"
        one.forget()
        one.say("he_wait")
        one.until("conversation.item.done")
        assert "response.done" not in one.kinds()


# -- 10, 11: errors, truncation ---------------------------------------------------------------------------


def test_10_a_second_create_is_refused_and_disturbs_nothing(client: Client, peer: ModelPeer) -> None:
    peer.next(slow_reply())
    with connected(peer.url) as one:
        one.configure()
        one.send("response.create", event_id="first")
        one.send("response.create", event_id="second")
        error = one.error()
        assert error["code"] == "conversation_already_has_active_response"
        assert error["event_id"] == "second"
        created = one.until("response.created")["response"]
        assert created["id"] in error["message"]
        assert one.until("response.done")["response"]["status"] == "completed"
        assert len(one.of("response.created")) == 1


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "response.cancel"}, "response_cancel_not_active"),
        ({"type": "response.cancel", "response_id": "resp_none"}, "response_cancel_not_active"),
        ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty"),
        (
            {"type": "conversation.item.truncate", "item_id": "item_none", "content_index": 0, "audio_end_ms": 5},
            "item_truncate_invalid_item_id",
        ),
        ({"type": "conversation.item.delete", "item_id": "item_none"}, "item_delete_invalid_item_id"),
        ({"type": "conversation.item.retrieve", "item_id": "item_none"}, "item_retrieve_invalid_item_id"),
        ({"type": "no.such.event"}, "invalid_value"),
        ({"type": "response.create", "response": {"modalities": ["audio"]}}, "unknown_parameter"),
        ({"type": "response.create", "response": {"metadata": {"n": 1}}}, "invalid_value"),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "c", "output": ""},
            },
            "invalid_tool_call_id",
        ),
    ],
)
def test_10_errors_carry_the_service_code_and_the_client_event_id(
    client: Client, event: dict[str, Any], code: str
) -> None:
    client.configure()
    client.ws.send(json.dumps({**event, "event_id": "mine"}))
    error = client.error()
    assert (error["type"], error["code"], error["event_id"]) == ("invalid_request_error", code, "mine")


def test_10_frames_that_are_no_events_are_survived(client: Client) -> None:
    client.until("session.created")
    client.ws.send("{broken")
    assert client.error()["code"] == "invalid_json"
    client.ws.send("[]")
    assert client.error()["param"] == "type"
    client.configure()


def test_11_truncate_checks_and_erases(client: Client, peer: ModelPeer) -> None:
    client.configure()
    item_id = client.respond()["response"]["output"][0]["id"]
    client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=2000)
    error = client.error()
    assert (error["code"], error["message"]) == (None, "Audio content of 1000ms is already shorter than 2000ms")
    client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=400)
    assert client.until("conversation.item.truncated")["audio_end_ms"] == 400
    client.send("conversation.item.retrieve", item_id=item_id)
    assert client.until("conversation.item.retrieved")["item"]["content"][0]["transcript"] is None
    client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=500)
    assert "400ms" in client.error()["message"]
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}], "id": "item_mine"}
    client.send("conversation.item.create", item=user)
    client.send("conversation.item.truncate", item_id="item_mine", content_index=0, audio_end_ms=0)
    assert client.error()["code"] == "unsupported_content_type"


def test_11_over_length_may_have_a_code(client: Client, peer: ModelPeer) -> None:
    peer.next({"greeting": {"text": "x", "seconds": 1, **QUICK}, "truncate_code": "invalid_value"})
    with connected(peer.url) as one:
        one.configure()
        item_id = one.respond()["response"]["output"][0]["id"]
        one.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=9000)
        assert one.error()["code"] == "invalid_value"


def test_history_is_replayed_as_text_items_and_deleted(client: Client, peer: ModelPeer) -> None:
    peer.next({"resumed": {"text": "שוב כאן", **QUICK}})
    with connected(peer.url) as one:
        one.configure()
        said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "שלום"}]}
        told = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "היי"}]}
        one.send("conversation.item.create", item={**said, "id": "item_one"})
        one.send("conversation.item.create", item={**told, "id": "item_two"})
        one.send("conversation.item.create", previous_item_id="root", item={**told, "id": "item_zero"})
        one.until("conversation.item.done")
        one.until("conversation.item.done")
        one.until("conversation.item.done")
        assert [event["previous_item_id"] for event in one.of("conversation.item.added")] == [None, "item_one", None]
        one.respond()
        one.send("conversation.item.delete", item_id="item_one")
        assert one.until("conversation.item.deleted")["item_id"] == "item_one"
        spoken = {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "audio": "AAAA"}]}
        one.send("conversation.item.create", item=spoken)
        assert one.error()["code"] == "invalid_value"
    assert peer.session()["responses"][0]["place"] == "resumed"


# -- 12: functions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("interleave", [False, True])
def test_12_a_message_and_two_calls_in_one_response(client: Client, peer: ModelPeer, interleave: bool) -> None:
    calls = [
        {"name": "check", "arguments": {"day": "ראשון"}},
        {"name": "book", "arguments": "{ }", "call_id": "call_b"},
    ]
    reply = {"text": "רגע", "seconds": 0.5, "calls": calls, "interleave": interleave, **QUICK}
    peer.next({"greeting": {**reply, "then": {"text": "נקבע", **QUICK}}})
    with connected(peer.url) as one:
        one.configure()
        one.forget()
        one.send("response.create")
        one.until("response.function_call_arguments.delta")
        one.send("response.create", event_id="early")
        assert one.error()["code"] == "conversation_already_has_active_response"
        done = one.until("response.done")["response"]
        message, check, book = done["output"]
        assert (message["type"], check["name"], book["call_id"]) == ("message", "check", "call_b")
        assert json.loads(check["arguments"]) == {"day": "ראשון"} and "\n" in check["arguments"]
        pieces = [e for e in one.of("response.function_call_arguments.delta") if e["item_id"] == check["id"]]
        assert len(pieces) > 1 and "".join(e["delta"] for e in pieces) == check["arguments"]
        full = one.of("response.function_call_arguments.done")
        assert [(e["name"], e["output_index"]) for e in full] == [("check", 1), ("book", 2)]
        items_done = [e["item"]["id"] for e in one.of("response.output_item.done")]
        assert items_done == [message["id"], check["id"], book["id"]]
        order = one.kinds()
        assert (order.index("response.function_call_arguments.delta") < order.index("response.output_item.done")) == (
            interleave
        )
        assert peer.session()["unanswered_calls"] == [check["call_id"], "call_b"]
        for call in (check, book):
            output = {"type": "function_call_output", "call_id": call["call_id"], "output": "{}"}
            one.send("conversation.item.create", item=output)
        one.respond()
    log = peer.session()
    assert log["unanswered_calls"] == []
    assert [entry["text"] for entry in log["responses"]] == ["רגע", "נקבע"]
