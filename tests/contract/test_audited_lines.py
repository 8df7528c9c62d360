"""The audited lines, verbatim: each is rendered by its definition to the very text, and read back by it.

Nothing here is derived from the definitions: when one of these fails, the line that the audit reads has changed.
"""

import pytest

from media_ws_ai import markers as m
from media_ws_ai.markers import Line

AUDITED: list[tuple[str, Line, str, dict[str, object]]] = [
    (
        "A1",
        m.tx_metrics(fps=50.2, max_gap_ms=23.5, frames=50, queued=0, capacity=500),
        "[TX_METRICS] fps=50.2, max_gap_ms=23.5, frames=50, q=0/500",
        {"fps": 50.2, "max_gap_ms": 23.5, "frames": 50, "queued": 0, "capacity": 500},
    ),
    (
        "A1",
        m.tx_metrics(fps=0, max_gap_ms=0, frames=0, queued=0, capacity=500),
        "[TX_METRICS] fps=0.0, max_gap_ms=0.0, frames=0, q=0/500",
        {"fps": 0.0, "max_gap_ms": 0.0, "frames": 0, "queued": 0, "capacity": 500},
    ),
    (
        "A2",
        m.candidate(voice_frames=12),
        "[LOCAL_VAD] 🔶 CANDIDATE barge-in detected: 12 voice_frames → enabling forward",
        {"voice_frames": 12},
    ),
    ("A2", m.gate_blocking(), "[HALF-DUPLEX] Blocking audio to OpenAI - AI speaking", {}),
    (
        "A3",
        m.barge_in_flush(model_flushed=45, model_held=50, tx_flushed=12, tx_held=15),
        "🧹 [BARGE-IN FLUSH] OpenAI queue: 45/50 frames | TX queue: 12/15 frames",
        {"model_flushed": 45, "model_held": 50, "tx_flushed": 12, "tx_held": 15},
    ),
    (
        "B1",
        m.barge_in_confirmed(reason="dtmf", text="5"),
        "[BARGE-IN] ✅ CONFIRMED: dtmf text='5'",
        {"reason": "dtmf", "text": "5"},
    ),
    (
        "B1",
        m.barge_in_confirmed(reason="sustained_speech_840ms", text=""),
        "[BARGE-IN] ✅ CONFIRMED: sustained_speech_840ms text=''",
        {"reason": "sustained_speech_840ms", "text": ""},
    ),
    (
        "B1",
        m.barge_in_confirmed(reason="intent_aware_single_token", text="כן"),
        "[BARGE-IN] ✅ CONFIRMED: intent_aware_single_token text='כן'",
        {"reason": "intent_aware_single_token", "text": "כן"},
    ),
    (
        "B1",
        m.barge_in_cancelled(response_id="resp_abc123"),
        "[BARGE-IN] Cancelled AI response: resp_abc123...",
        {"response_id": "resp_abc123"},
    ),
    (
        "B1+",
        m.ai_starting(response_id="resp_abc"),
        "[BARGE-IN] AI starting to speak - response_id=resp_abc...",
        {"response_id": "resp_abc"},
    ),
    (
        "B2",
        m.barge_in_rejected(reason="filler_only", text="אממ"),
        "[BARGE-IN] ❌ NOT CONFIRMED: filler_only text='אממ'",
        {"reason": "filler_only", "text": "אממ"},
    ),
    (
        "B3",
        m.response_cancelled(reason="turn_detected"),
        "[RESPONSE] Cancelled: reason=turn_detected",
        {"reason": "turn_detected"},
    ),
    ("B3", m.turn_detected_expected(), "✅ [B3] turn_detected after confirmed barge-in (expected)", {}),
    (
        "B3",
        m.turn_detected_violation(),
        "⚠️ [B3 VIOLATION] OpenAI turn_detected cancellation WITHOUT confirmed barge-in!",
        {},
    ),
    (
        "C1",
        m.guard_bypass(reason="fast_response_150ms", text="בית שאן"),
        "[C1 STT_GUARD] Accepted (echo_window bypass: fast_response_150ms) text='בית שאן'",
        {"reason": "fast_response_150ms", "text": "בית שאן"},
    ),
    (
        "C1",
        m.guard_drop(reason="echo_window", ms_after_ai=-40, text="איזו עיר"),
        "[STT_FILTER] drop reason=echo_window ms_after_ai=-40 text='איזו עיר'",
        {"reason": "echo_window", "ms_after_ai": -40, "text": "איזו עיר"},
    ),
    (
        "C2",
        m.guard_short(text="כן"),
        "[STT_GUARD] Accepted short phrase: 'כן' (valid Hebrew phrase in whitelist)",
        {"text": "כן", "language": "Hebrew"},
    ),
    (
        "D1",
        m.tools_enabled(business_id=123, call_goal="appointment", enable_calendar_scheduling=True, tools_count=2),
        "[D1 TOOLS ENABLED] business_id=123, call_goal=appointment, enable_calendar_scheduling=True, tools_count=2",
        {"business_id": 123, "call_goal": "appointment", "enable_calendar_scheduling": True, "tools_count": 2},
    ),
    (
        "D1",
        m.tools_disabled(business_id=123, call_goal="lead_only", enable_calendar_scheduling=False),
        "[D1 TOOLS DISABLED] business_id=123, call_goal=lead_only, enable_calendar_scheduling=False, tools_count=0",
        {"business_id": 123, "call_goal": "lead_only", "enable_calendar_scheduling": False, "tools_count": 0},
    ),
    (
        "D2",
        m.check_request(arguments='{"date": "2025-12-15"}'),
        '📅 [CHECK_AVAIL] Request from AI: {"date": "2025-12-15"}',
        {"arguments": '{"date": "2025-12-15"}'},
    ),
    ("D2", m.check_found(count=3), "✅ [CHECK_AVAIL] Found 3 available slot(s)", {"count": 3}),
    (
        "D2",
        m.book_request(arguments='{"start": "2025-12-15T14:00:00+02:00"}'),
        '📅 [BOOK_APPT] Request from AI: {"start": "2025-12-15T14:00:00+02:00"}',
        {"arguments": '{"start": "2025-12-15T14:00:00+02:00"}'},
    ),
    ("D2", m.book_success(appointment_id=456), "✅ [BOOK_APPT] SUCCESS! ID=456", {"appointment_id": 456}),
    (
        "D2+",
        m.booking_claim_violation(detail="קבעתי לך פגישה"),
        "⚠️ [D2+ VIOLATION] קבעתי לך פגישה",
        {"detail": "קבעתי לך פגישה"},
    ),
    (
        "D4",
        m.time_localized(zone="Asia/Jerusalem", moment="2025-12-15T14:00:00+02:00"),
        "[D4 TIMEZONE] Localized naive datetime to Asia/Jerusalem: 2025-12-15T14:00:00+02:00",
        {"zone": "Asia/Jerusalem", "moment": "2025-12-15T14:00:00+02:00"},
    ),
    (
        "D4",
        m.book_creating(start="2025-12-15T14:00:00+02:00", end="2025-12-15T15:00:00+02:00"),
        "📅 [BOOK_APPT] Creating: 2025-12-15T14:00:00+02:00 -> 2025-12-15T15:00:00+02:00",
        {"start": "2025-12-15T14:00:00+02:00", "end": "2025-12-15T15:00:00+02:00"},
    ),
    (
        "D5",
        m.book_failed(reason="timeout"),
        "❌ [BOOK_APPT] APPT_TOOL_FAILED: timeout",
        {"reason": "timeout"},
    ),
    (
        "D5",
        m.tool_exception(tool="book_appointment"),
        "[D5 APPT_TOOL_FAILED] Exception in book_appointment",
        {"tool": "book_appointment"},
    ),
    ("D5", m.fallback_lead(), "[D5 FALLBACK_LEAD_CREATED] Activating fallback flow", {}),
    ("D5", m.lead_created(), "✅ [BOOK_APPT] Lead verified/created for follow-up", {}),
    (
        "E1",
        m.prompt_upgrading(compact_chars=800, full_chars=3500),
        "🔄 [PROMPT UPGRADE] Upgrading from COMPACT (800 chars) to FULL (3500 chars)",
        {"compact_chars": 800, "full_chars": 3500},
    ),
    (
        "E1",
        m.prompt_upgraded(upgrade_ms=45),
        "✅ [PROMPT UPGRADE] Successfully upgraded to FULL prompt in 45ms",
        {"upgrade_ms": 45},
    ),
    (
        "E1",
        m.prompt_policy(business_id=123, upgrade_duration_ms=45, policy={"call_goal": "appointment", "שפה": "עברית"}),
        "[E1 PROMPT UPGRADE] business_id=123, upgrade_duration_ms=45, "
        "policy={'call_goal': 'appointment', 'שפה': 'עברית'}",
        {
            "business_id": 123,
            "upgrade_duration_ms": 45,
            "policy": "{'call_goal': 'appointment', 'שפה': 'עברית'}",
        },
    ),
    ("F1", m.cleanup_reset(), "🧹 [CLEANUP] Resetting all state flags...", {}),
    ("F1", m.cleanup_done(), "✅ [CLEANUP] All state flags reset successfully", {}),
    ("F2", m.threads_waiting(threads=4), "🧹 Waiting for 4 background threads...", {"threads": 4}),
    ("F2", m.thread_completed(index=0), "✅ Background thread 0 completed", {"index": 0}),
    ("F2", m.threads_complete(), "✅ All background threads cleanup complete", {}),
    (
        "F2",
        m.thread_stuck(index=2, role="RealtimeThread"),
        "⚠️ [F2 VIOLATION] Background thread 2 (RealtimeThread) still running after 5s timeout",
        {"index": 2, "role": "RealtimeThread", "timeout_s": 5},
    ),
    (
        "F2",
        m.threads_alive(alive=2, threads=4),
        "⚠️ [F2 VIOLATION] 2/4 threads still alive after cleanup",
        {"alive": 2, "threads": 4},
    ),
    ("F3", m.websocket_closed(), "✅ [F3] WebSocket closed successfully", {}),
    (
        "F3",
        m.websocket_no_close(),
        "[F3] WebSocket wrapper doesn't support close() - connection already terminated",
        {},
    ),
    (
        "F3",
        m.websocket_already_closed(reason="Connection closed: 1006 None"),
        "[F3] Websocket already closed (expected): Connection closed: 1006 None",
        {"reason": "Connection closed: 1006 None"},
    ),
    (
        "G",
        m.duplicate_question(similarity=92, current="איזו עיר אתה נמצא?", previous="איזו עיר?"),
        "⚠️ [G ANTI-LOOP] Duplicate question detected! Similarity=92% | "
        "Current: 'איזו עיר אתה נמצא?' | Previous: 'איזו עיר?'",
        {"similarity": 92, "current": "איזו עיר אתה נמצא?", "previous": "איזו עיר?"},
    ),
    (
        "G",
        m.system_message(text="אתה שואל את אותה שאלה שוב. המתן לתשובת הלקוח..."),
        "[SYSTEM] Message sent: אתה שואל את אותה שאלה שוב. המתן לתשובת הלקוח...",
        {"text": "אתה שואל את אותה שאלה שוב. המתן לתשובת הלקוח..."},
    ),
    ("End", m.goodbye_heard(), "[GOODBYE] User said goodbye", {}),
    (
        "End",
        m.goodbye_verdict(will_hangup=True, call_goal="lead_only", reason="user said goodbye"),
        "[GOODBYE] will_hangup=True - goal=lead_only, user said goodbye",
        {"will_hangup": True, "call_goal": "lead_only", "reason": "user said goodbye"},
    ),
    (
        "End",
        m.hangup(reason="user_goodbye"),
        "[HANGUP] Triggering hangup: user_goodbye",
        {"reason": "user_goodbye"},
    ),
]


@pytest.mark.parametrize(("item", "line", "text", "fields"), AUDITED, ids=lambda each: None)
def test_audited_line_is_rendered_and_read(item: str, line: Line, text: str, fields: dict[str, object]) -> None:
    assert line.text == text
    assert line.item == item
    read = m.parse(text)
    assert read == m.Parsed(line.marker, item, fields)
    assert {name: type(value) for name, value in read.fields.items()} == {
        name: type(value) for name, value in fields.items()
    }


OLDER = [
    (
        "[LOCAL_VAD] CANDIDATE barge-in detected: 9 voice_frames → enabling forward",
        m.Parsed("candidate", "A2", {"voice_frames": 9}),
    ),
    ("[LOCAL_VAD] CANDIDATE: Possible user speech detected", m.Parsed("candidate", "A2", {})),
    ("[LOCAL_VAD] 🔶 CANDIDATE: Possible user speech detected", m.Parsed("candidate", "A2", {})),
    ("CANDIDATE: Possible user speech detected", m.Parsed("candidate", "A2", {})),
    (
        "[STT_FILTER] drop reason=echo_window age=310 ms text='כן'",
        m.Parsed("guard_drop", "C1", {"reason": "echo_window", "text": "כן"}),
    ),
    (
        "[STT_FILTER] drop reason=echo_window text='כן'",
        m.Parsed("guard_drop", "C1", {"reason": "echo_window", "text": "כן"}),
    ),
    (
        "✅ CONFIRMED: sustained_speech_840ms text=''",
        m.Parsed("barge_in_confirmed", "B1", {"reason": "sustained_speech_840ms", "text": ""}),
    ),
    ("[CALL_METRICS] frames_dropped=0", m.Parsed("call_metrics", "A1", {"frames_dropped": 0})),
    ("[HANGUP BLOCKED]", m.Parsed("hangup_blocked", "End", {})),
]


@pytest.mark.parametrize(("text", "read"), OLDER)
def test_older_forms_are_read(text: str, read: m.Parsed) -> None:
    assert m.parse(text) == read


def test_call_metrics_is_one_line_with_its_keys_in_order() -> None:
    line = m.call_metrics(
        call_sid="CA0123456789abcdef0123456789abcdef",
        stream_sid="MZ0123456789abcdef0123456789abcdef",
        duration_s=61.24,
        avg_fps=50.0,
        max_gap_ms=23.5,
        frames_sent=1200,
        frames_dropped=0,
        frames_flushed=57,
        barge_in_candidates=2,
        barge_in_events=1,
        barge_in_rejected=1,
        extra={"end_reason": "caller hung up", "tokens_in": 812, "first_sound_ms": 412.5, "model": "gpt-realtime-2.1"},
    )
    assert line.text == (
        "[CALL_METRICS] call_sid=CA0123456789abcdef0123456789abcdef stream_sid=MZ0123456789abcdef0123456789abcdef "
        "duration_s=61.2 avg_fps=50.0 max_gap_ms=23.5 frames_sent=1200 frames_dropped=0 frames_flushed=57 "
        'barge_in_candidates=2 barge_in_events=1 barge_in_rejected=1 end_reason="caller hung up" tokens_in=812 '
        "first_sound_ms=412.5 model=gpt-realtime-2.1"
    )
    read = m.parse(line.text)
    assert read is not None
    assert list(read.fields)[:3] == ["call_sid", "stream_sid", "duration_s"]
    assert read.fields["barge_in_events"] == 1
    assert read.fields["end_reason"] == "caller hung up"
    assert read.fields["tokens_in"] == 812
    assert read.fields["first_sound_ms"] == 412.5


def test_red_flags_are_warnings() -> None:
    flags = {each.name for each in m.every() if each.red_flag}
    assert flags == {
        "turn_detected_violation",
        "booking_claim_violation",
        "thread_stuck",
        "threads_alive",
        "hangup_blocked",
    }
    assert all(each.level == m.WARNING for each in m.every() if each.red_flag)


@pytest.mark.parametrize(
    "text", ["", "hello", "[TX_METRICS]", "[TX_METRICS] fps=x, max_gap_ms=1.0, frames=1, q=0/1", "[UNKNOWN] x=1"]
)
def test_what_is_no_marker_is_not_read(text: str) -> None:
    assert m.parse(text) is None
