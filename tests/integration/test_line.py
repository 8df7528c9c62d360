"""A call from webhook to last log line on the real stack, judged by both peers and by the log."""

import signal
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2
import pytest

from tests.integration.conftest import Line, both, green
from tests.waiting import eventually

TALK = {
    "greeting": {"text": "שלום, מדברת נועה", "numbered": 1.0},
    "default": {"text": "כן, בבקשה", "numbered": 1.5},
    "resumed": {"text": "סליחה, הקו נפל לרגע", "numbered": 1.0},
    "hearing": {"delay_ms": 200},
}
HOURS = "אנחנו פתוחים בימים ראשון עד חמישי, משמונה בבוקר עד שש בערב, וביום שישי עד אחת בצהריים"
HANG_UP = {"hangup": True, "after": "agent_done"}
SAY_YES = {"say": "he_yes", "after": "agent_done"}
ANSWERED = {"hangup": True, "after": "answered"}


def lines_kept(line: Line, call_sid: str) -> int:
    """Lines of a conversation that are in the database."""
    with closing(psycopg2.connect(line.stack.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM call_events WHERE call_sid = %s AND kind LIKE '%%_line'", (call_sid,))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def newest(line: Line) -> int:
    """Number of the model's newest session; the next call's is above it."""
    return max((log["session"] for log in line.stack.model.log()), default=0)


def has_answered(line: Line, number: int) -> bool:
    """On this session the model has generated the greeting and an answer."""
    logs = [log for log in line.stack.model.log() if log["session"] == number]
    return bool(logs) and [response["status"] for response in logs[0]["responses"]][:2] == ["completed", "completed"]


def answered(line: Line, before: int) -> None:
    """The same on the next session after `before`."""
    eventually(lambda: has_answered(line, before + 1), within_s=30)


def events_of(session: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    return [entry for entry in session["client"] if entry["type"] in types]


def history_given(session: dict[str, Any]) -> list[tuple[str, str]]:
    """(role, text) of the lines a session was told."""
    items = [entry["event"]["item"] for entry in events_of(session, "conversation.item.create")]
    return [(item["role"], item["content"][0]["text"]) for item in items]


@both
@pytest.mark.one_real_call
def test_a_conversation_is_heard_by_both_sides_and_leaves_nothing(line: Line) -> None:
    line.stack.model.scenario(TALK)
    report = line.call(
        {"say": "he_book", "after": "agent_done"}, {"say": "he_thanks_bye", "after": "answered"}, ANSWERED
    )
    sid = report["call_sid"]
    assert report["end"]["by"] == "caller"
    assert [u["frames"] for u in report["utterances"]] == [50, 75, 75]
    numbered = report["numbered"]
    assert (numbered["lost"], numbered["doubled"], numbered["reordered"]) == (0, 0, 0)
    assert report["warnings_31951"] == 0
    assert report["marks"]["lost"] == 0

    session = line.stack.model.session()
    assert session["schema_errors"] == []
    assert [(u["clip"], u["missing"], u["doubled"], u["reordered"]) for u in session["utterances"]] == [
        ("he_book", 0, 0, 0),
        ("he_thanks_bye", 0, 0, 0),
    ]
    assert len(events_of(session, "response.create")) == 3
    assert len(events_of(session, "session.update")) == 2, "COMPACT, then FULL once"
    assert not events_of(session, "response.cancel", "conversation.item.truncate", "input_audio_buffer.clear")

    line.ended(sid)
    markers = line.markers(sid)
    assert not {"thread_stuck", "threads_alive", "turn_detected_violation"} & set(markers)
    closing_order = ["threads_waiting", "threads_complete", "cleanup_reset", "cleanup_done", "call_metrics"]
    assert [marker for marker in markers if marker in closing_order] == closing_order
    assert markers.index("cleanup_done") < markers.index("websocket_already_closed")
    assert markers.index("prompt_upgrading") < markers.index("prompt_upgraded") < markers.index("prompt_policy")
    assert markers.count("caller_said") == 2
    (metrics,) = line.fields(sid, "call_metrics")
    assert metrics["frames_dropped"] == 0
    assert metrics["frames_sent"] == sum(u["frames"] for u in report["utterances"])
    eventually(lambda: lines_kept(line, sid) == 5, within_s=10)
    line.stack.wait_metrics(lambda figures: figures["call_threads"] == 0, within_s=10)


@green
def test_caller_audio_before_the_model_is_ready_reaches_it_whole(line: Line) -> None:
    line.stack.model.scenario({**TALK, "session_created_delay_ms": 900})
    report = line.call({"say": "he_yes", "at_ms": 0}, HANG_UP)
    assert report["end"]["by"] == "caller"
    heard = line.stack.model.session()["utterances"]
    assert [(u["clip"], u["missing"], u["doubled"]) for u in heard] == [("he_yes", 0, 0)]


@both
def test_a_stream_that_proves_nothing_is_refused_before_any_model(line: Line) -> None:
    forged: list[tuple[dict[str, object], int]] = [
        ({"signature": "wrong"}, 403),
        ({"signature": "none"}, 403),
        ({"token": "wrong"}, 1008),
        ({"token": "none"}, 1008),
        ({"call_sid": "CA" + "f" * 32}, 1008),
        ({"account_sid": "AC" + "f" * 32}, 1008),
        ({"never_start": True}, 1008),
    ]
    before = line.stack.model.count()["total"]
    reports = line.calls(*({"stream": stream, "max_s": 30} for stream, _ in forged))
    ends = [(report["end"]["by"], report["end"]["code"]) for report in reports]
    assert ends == [("refused", code) for _, code in forged]
    assert line.stack.model.count()["total"] == before


@green
def test_a_token_is_good_for_one_stream_only(line: Line) -> None:
    line.stack.model.scenario(TALK)
    report = line.call(HANG_UP, stream={"second_after_ms": 200})
    assert report["second_stream"]["accepted"] is False
    assert report["second_stream"]["close_code"] == 1008
    assert report["end"]["by"] == "caller"
    assert report["utterances"], "the first stream goes on"


@green
def test_a_webhook_needs_its_signature_and_is_answered_the_same_twice(line: Line) -> None:
    line.stack.model.scenario(TALK)
    forged, honest = line.calls(
        {"webhook": {"signature": "wrong"}, "max_s": 30}, {"webhook": {"twice": True}, "steps": [HANG_UP], "max_s": 30}
    )
    assert forged["end"]["code"] == 403
    repeated = next(webhook for webhook in honest["webhooks"] if webhook.get("repeated"))
    assert repeated["same_answer"] is True


@both
def test_rubbish_on_the_stream_is_counted_and_survived(line: Line) -> None:
    line.stack.model.scenario(TALK)
    kinds = ("malformed", "not_an_object", "foreign_stream", "unknown_event", "bad_base64", "binary")
    rubbish = [{"rubbish": kind, "after": "start"} for kind in kinds]
    report = line.call(*rubbish, SAY_YES, ANSWERED)
    assert report["end"]["by"] == "caller"
    assert len(report["utterances"]) == 2
    line.ended(report["call_sid"])
    survived = {fields["what"]: fields["count"] for fields in line.fields(report["call_sid"], "stream_survived")}
    assert survived == {"malformed": 4, "foreign": 1, "unknown": 1}


@green
def test_an_oversized_message_ends_the_stream_and_the_caller_gets_a_fresh_one(line: Line) -> None:
    line.stack.model.scenario(TALK)
    report = line.call(
        {"rubbish": "oversize", "after": "agent_done"}, {"hangup": True, "after": "agent_done", "nth": 2}
    )
    assert len(report["streams"]) == 2
    assert report["end"]["by"] == "caller"


@green
def test_a_jump_of_media_timestamps_is_filled(line: Line) -> None:
    line.stack.model.scenario(TALK)
    report = line.call({"gap": 300, "after": "agent_done"}, {"wait": 200}, {"hangup": True})
    line.ended(report["call_sid"])
    assert [fields["gap_ms"] for fields in line.fields(report["call_sid"], "media_gap_filled")] == [300]
    under_way = report["streams"][0]["frames_sent"] + 15 - line.stack.model.session()["audio"]["bytes"] // 160
    assert 0 <= under_way <= 5, "every frame and 15 of silence, but for what was under way at the hang-up"


@both
def test_a_model_that_cannot_be_had_is_apologised_for_and_the_call_ended_by_rest(line: Line) -> None:
    line.stack.model.scenario({"refuse_status": 401})
    fail, slow, ok = line.calls(
        {"rest": {"answer": "fail", "acts": False}}, {"rest": {"answer": "slow", "acts": False}}, {}
    )
    assert ok["end"]["by"] == "rest"
    assert [entry["form"].get("Status") for entry in ok["rest"]] == ["completed"]
    line.ended(ok["call_sid"])
    markers = line.markers(ok["call_sid"])
    assert markers.index("clip_playing") < markers.index("hangup") < markers.index("hangup_result")
    for report in (fail, slow, ok):
        assert len(report["utterances"]) == 1, "the apology, whole and once"
        assert len(report["streams"]) == 1
    for report in (fail, slow):
        assert report["end"]["by"] == "worker", "the stream is closed instead"
        assert any("<Hangup" in webhook.get("twiml", "") for webhook in report["webhooks"][1:])


@green
def test_wrong_audio_formats_end_in_an_apology_not_in_static(line: Line) -> None:
    line.stack.model.scenario({**TALK, "update_echo": "wrong_format"})
    report = line.call()
    assert report["end"]["by"] == "rest"
    assert "model_not_as_asked" in line.markers(report["call_sid"])
    assert report["numbered"]["frames"] == 0, "no audio of that model was played"


@green
def test_a_refused_transcription_model_is_replaced_once(line: Line) -> None:
    refuse = {"transcription_model": "gpt-realtime-whisper", "code": "invalid_value", "message": "transcription model"}
    line.stack.model.scenario({**TALK, "reject_update": refuse})
    report = line.call(SAY_YES, ANSWERED)
    assert len(report["utterances"]) == 2
    assert "model_fallback_transcription" in line.markers(report["call_sid"])


@both
def test_a_lost_session_is_renewed_with_the_conversation_as_text(line: Line) -> None:
    line.stack.model.scenario(TALK)
    before = newest(line)
    wait_and_ask = [{"wait": 600, "after": "answered"}, {"say": "he_no"}, ANSWERED]
    line.carrier.start({"calls": [{"steps": [SAY_YES, *wait_and_ask], "max_s": 60, "repeat": 3}]})
    for number, how in enumerate(("close:1011", "kill", "expire"), before + 1):
        eventually(partial(has_answered, line, number), within_s=30)
        line.stack.model.act(number, how)
    reports = line.carrier.wait(60)
    for report in reports:
        assert len(report["streams"]) == 1, "the caller's stream goes on"
        assert len(report["utterances"]) == 3
    for renewed in line.stack.model.log(before + 3):
        assert history_given(renewed) == [
            ("assistant", "שלום, מדברת נועה"), ("user", "כן"), ("assistant", "כן, בבקשה"),
        ]  # fmt: skip
        assert renewed["schema_errors"] == []


@both
def test_a_worker_killed_in_mid_call_is_taken_over_with_the_transcript(line: Line) -> None:
    line.stack.model.scenario({**TALK, "default": {"text": "אנחנו פתוחים", "numbered": 8.0}})
    before = newest(line)
    end = {"hangup": True, "after": "agent_done", "nth": 3}
    (sid,) = line.carrier.start({"calls": [{"steps": [SAY_YES, {"wait": 100, "after": "agent_starts"}, end]}]})
    answered(line, before)
    eventually(lambda: lines_kept(line, sid) >= 2, within_s=10)
    line.stack.restart_worker(signal.SIGKILL)
    report = line.carrier.wait(60)[0]
    assert [stream["ended"] for stream in report["streams"]] == ["lost", "stopped"]
    assert [u["stream"] for u in report["utterances"]] == [1, 1, 2], "the second, cut by the kill, then the new worker"
    assert history_given(line.stack.model.session())[:2] == [("assistant", "שלום, מדברת נועה"), ("user", "כן")]


@both
def test_a_drain_hands_the_call_over_by_1001(line: Line) -> None:
    line.stack.model.scenario({**TALK, "default": {"text": HOURS, "numbered": 6.0}})
    before = newest(line)
    end = {"hangup": True, "after": "agent_done", "nth": 3}
    (sid,) = line.carrier.start({"calls": [{"steps": [SAY_YES, {"wait": 100, "after": "agent_starts"}, end]}]})
    answered(line, before)
    line.stack.restart_worker()
    report = line.carrier.wait(60)[0]
    assert [stream["close_code"] for stream in report["streams"]] == [1001, 1000]
    assert "stream_resumed" in line.markers(sid)
    history = history_given(line.stack.model.session())
    assert history[:2] == [("assistant", "שלום, מדברת נועה"), ("user", "כן")]
    role, heard = history[2]
    assert role == "assistant" and heard and HOURS.startswith(heard), "what of the last answer was heard"
