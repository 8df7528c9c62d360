"""Stalls, lost connections, errors, the first sound, a backlog that fills (issue 2 §3)."""

import dataclasses

import pytest

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai.rules.history import MAX_LINES, History, Said
from tests.paper_call import AS_ASKED, PaperCall


def stalled(call: PaperCall) -> list[str]:
    """What is seen from now until the stall was met."""
    seen = call.run(4.2)
    return [text for text in seen if text.startswith(("[MODEL]", "cancel", "ask", "renew", "[CLIP]"))]


def lost(call: PaperCall, link: int = 1, reason: str = "closed", detail: str = "1011 oops") -> list[str]:
    return call.feed(e.ModelLost(link, reason, detail))


# --- stalls -------------------------------------------------------------------------------------------------------


def test_a_stall_of_4_s_after_a_create_is_retried_once_then_the_model_is_renewed() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    asked_at = call.t
    seen = call.run(4.2)
    assert "[MODEL] stall: create silent for 4" in " ".join(seen) and "[CLIP] playing hold lang=en frames=25" in seen
    assert call.at("[MODEL] stall") - asked_at == pytest.approx(4.0, abs=0.12)
    call.run(1.0)
    assert call.count("ask ") == 3 and call.count("renew") == 0, "once more, when the clip was heard"
    call.run(4.3)
    assert call.count("renew 1 stall") == 1
    seen = call.ready(link=2)
    assert "add assistant: Hello, Dana's." in seen and "add user: When are you open?" in seen
    call.run(1.0)
    assert call.count("ask ") == 4
    call.answer("r9")
    call.run(5.0)
    assert call.count("ask ") == 4 and call.session.watch.stalls == 2


def test_a_stall_before_the_first_audio_cancels_by_id() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.created("r1")
    assert stalled(call)[:3] == [
        "[CLIP] playing hold lang=en frames=25",
        "[MODEL] stall: first_audio silent for 4000ms",
        "cancel r1",
    ]


def test_a_stall_in_mid_answer_lets_what_is_there_be_heard_and_goes_on_from_there() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.speak("r1", 6000, "We are open on Sundays")
    seen = [text for text in call.run(5.9) if "stall" in text or text.startswith("cancel")]
    assert seen == [], "six seconds of audio are being heard"
    seen = call.run(0.4)
    assert "cancel r1" in seen and "[MODEL] stall: answer silent for" in " ".join(seen)
    call.run(3.0)
    assert call.all(c.RequestResponse)[-1].instructions.startswith("Your last answer was cut off by a fault")
    assert call.session.speech.dropped_bytes == 0


def test_what_arrives_in_time_is_no_stall() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.created("r1")
    for n in range(5):
        call.run(3.0)
        call.feed(e.ModelText("r1", "i", f"word{n} "))
    assert call.session.watch.stalls == 0


def test_a_model_that_never_answers_again_ends_in_an_apology() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    for link in range(2, 20):
        call.run(12.0)
        if call.session.ending.is_closing:
            break
        call.ready(link=link)
    assert call.session.link.dead_reason == "renewed_too_often"
    call.run(3.0)
    assert call.count("[CLIP] playing apology") == 1 and call.count("hang up model_failed") == 1


# --- lost connections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (e.ModelLost(1, "expired", "1001 maximum duration"), "expired"),
        (e.ModelLost(1, "closed", "1011"), "closed"),
        (e.ModelLost(1, "lost", ""), "lost"),
        (e.ModelLost(1, "silent", "for 15 s"), "silent"),
        (e.ModelError("session_expired", "Your session hit the maximum duration", None, is_fatal=True), "expired"),
    ],
    ids=["1001", "1011", "reset", "silent", "session_expired"],
)
def test_a_connection_that_ends_is_renewed_with_the_history_as_text_in_order(event: e.Event, why: str) -> None:
    call = PaperCall(history=(Said("user", "from another worker", 99_000),), attempt=2)
    call.ready()
    assert call.seen[-2] == "add user: from another worker"
    assert call.all(c.RequestResponse)[0].instructions.startswith("The line dropped")
    call.answer("r1", 600, "I am back.")
    call.feed(AS_ASKED)
    call.run(1.3)
    call.said("i1", "Good.")
    call.answer("r2", 400, "So.")
    call.run(1.3)
    seen = call.feed(event)
    assert f"renew 1 {why}" in seen and f"[MODEL] renewing attempt=1 reason={why}" in seen
    call.t += 0.3
    seen = call.ready(link=2)
    lines = [text for text in seen if text.startswith("add ")]
    assert lines == [
        "add user: from another worker",
        "add assistant: I am back.",
        "add user: Good.",
        "add assistant: So.",
    ]
    assert "[MODEL] renewed in 300ms turns=4" in seen
    assert call.count("ask ") == 2, "nobody waits for an answer: none is asked for"


@pytest.mark.parametrize("phase", ["pending", "asked", "created", "heard"])
def test_the_answer_under_way_is_asked_for_again_once(phase: str) -> None:
    call = PaperCall()
    call.greeted()
    if phase == "pending":
        call.said("i0")
        call.answer("r0", 2000)
    call.said("i1")
    if phase in ("created", "heard"):
        call.created("r1")
    if phase == "heard":
        call.feed(e.ModelText("r1", "i", "We are"), e.ModelAudio("r1", "i", b"\x20" * 8000))
        call.run(0.5)
    before = call.count("ask ")
    lost(call)
    call.ready(link=2)
    call.run(3.0)
    assert call.count("ask ") == before + 1
    goes_on = call.all(c.RequestResponse)[-1].instructions.startswith("Your last answer was cut off")
    assert goes_on is (phase == "heard"), "never from the beginning again"
    call.answer("r2")
    call.run(3.0)
    assert call.count("ask ") == before + 1


def test_what_is_being_heard_at_the_renewal_is_told_too_and_in_its_place() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1", "Tell me all.")
    call.answer("r1", 5000, "It is a long story.")
    call.run(2.0)
    call.said("i2", "Wait.")
    lost(call)
    seen = call.ready(link=2)
    assert [text for text in seen if text.startswith("add ")] == [
        "add assistant: Hello, Dana's.",
        "add user: Tell me all.",
        "add assistant: It is a long story.",
        "add user: Wait.",
    ]
    assert len([1 for at, out in call.wire if out.kind == "clear"]) == 0
    call.run(4.0)
    assert call.session.playout.outlet.popped == 270, "a new connection loses nothing of what plays"


def test_a_loss_told_twice_renews_once() -> None:
    call = PaperCall()
    call.greeted()
    lost(call)
    assert lost(call) == [], "the tick and the reader saw the same end"
    assert lost(call, link=0) == []
    assert call.count("renew") == 1
    lost(call, link=2)
    assert call.count("renew 1") == 2, "the next attempt failed: another"


def test_a_connection_that_came_although_one_stood_is_a_renewal() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.ready(link=2)
    assert call.session.link.renewals == 1
    assert call.count("ask ") == 3, "what was asked for on the first is gone with it"


@pytest.mark.parametrize(
    "event",
    [
        e.ModelLost(1, "refused", "HTTP 401", is_hopeless=True),
        e.ModelError("insufficient_quota", "no", None, is_fatal=True),
    ],
    ids=lambda event: type(event).__name__,
)
def test_hopeless_is_an_apology_a_hang_up_and_the_end(event: e.Event) -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.answer("r1", 5000)
    call.run(1.0)
    seen = call.feed(event)
    assert "[CUT] reason=model_failed" not in seen, "what is ours already is heard"
    assert "[HANGUP] Closing words first: model_failed" in seen
    call.run(6.0)
    assert call.count("[HANGUP] Triggering hangup: model_failed") == 1
    assert call.feed(e.HangupSettled("rest")) == ["finish model_failed 1000 intended"]


def test_six_short_sessions_in_a_row_and_no_more() -> None:
    call = PaperCall()
    call.greeted()
    for link in range(1, 7):
        lost(call, link)
        call.ready(link + 1)
    seen = lost(call, 7)
    assert call.count("renew ") == 6 and "[HANGUP] Closing words first: model_failed" in seen


@pytest.mark.parametrize(("is_first", "renewals"), [(True, 2), (False, 3)])
def test_connections_that_bring_no_session_are_given_up_after_nine_seconds(is_first: bool, renewals: int) -> None:
    call = PaperCall()
    if not is_first:
        call.greeted()
        lost(call, 1)
    began = call.t
    for link in range(1 if is_first else 2, 9):
        call.feed(e.ModelConnected(link, 5))
        call.run(3.1)
    assert call.count("renew ") == renewals
    assert call.at("[HANGUP] Closing words first: model_failed") - began < 9.5
    assert call.count("[CLIP] playing hold") >= 1, "nobody waits nine seconds in silence"


def test_a_caller_who_waits_is_asked_to_hold_on_and_the_answer_follows_the_clip() -> None:
    call = PaperCall()
    call.greeted()
    call.run(30.0)
    assert call.count("[CLIP]") == 0, "nobody waits for anything"
    call.said("i1")
    call.created("r1")
    call.run(3.6)
    assert call.count("[CLIP] playing hold") == 1
    call.feed(e.ModelAudio("r1", "item_r1", b"\x20" * 800))
    call.run(1.0)
    assert [u.source for u in call.session.playout.live()] == ["model"]


def test_a_session_that_held_for_a_minute_starts_the_count_anew() -> None:
    call = PaperCall()
    call.greeted()
    for link in range(1, 7):
        call.run(61.0)
        lost(call, link)
        call.ready(link + 1)
    assert call.count("renew ") == 6 and call.count("[HANGUP]") == 0


def test_a_session_near_its_60_minutes_is_renewed_when_nobody_speaks() -> None:
    call = PaperCall(max_call_s=4 * 3600)
    call.greeted()
    call.skip(54 * 60)
    assert call.count("renew") == 0
    call.said("i1")
    call.speak("r1", 400)
    call.skip(61)
    assert call.count("renew") == 0, "an answer is under way"
    call.done("r1")
    call.run(1.5)
    assert call.count("renew 1 old") == 1


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["response_cancel_not_active", "unsupported_content_type", "item_truncate_invalid_item_id"]
)
def test_benign_errors_are_tolerated_however_many(code: str) -> None:
    call = PaperCall()
    call.greeted()
    for _ in range(20):
        assert call.feed(e.ModelError(code, "no", "cancel-1", is_fatal=False)) == [
            f"[MODEL] error code={code} tolerated message='no'"
        ]


@pytest.mark.parametrize(("apart_s", "renewals"), [(0.5, 1), (3.0, 0)])
def test_unknown_errors_repeated_quickly_renew(apart_s: float, renewals: int) -> None:
    call = PaperCall()
    call.greeted()
    for _ in range(5):
        call.feed(e.ModelError("strange", "?", None, is_fatal=False))
        call.t += apart_s
    assert call.count("renew 1 errors") == renewals


# --- the first sound ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id_", "greeting_at_s", "source"), [("late model", None, "clip"), ("model in time", 2.0, "model")]
)
def test_from_start_to_the_first_sound_3_s_at_most(id_: str, greeting_at_s: float | None, source: str) -> None:
    call = PaperCall()
    if greeting_at_s:
        call.ready()
        call.run(greeting_at_s)
        call.speak("r1", 2000)
    call.run(4.0)
    [first] = [text for text in call.seen if text.startswith("[CALL] first sound")]
    assert first.endswith(f"by={source}")
    assert call.wire[0][0] <= 3.0
    assert call.count("[CLIP] playing hold lang=en frames=25") == (0 if greeting_at_s else 1), "once at most"


def test_the_greeting_follows_the_clip_it_does_not_talk_over_it() -> None:
    call = PaperCall()
    call.run(2.6)
    seen = call.ready()
    assert seen[-2:] == ["add assistant: (hold)", "ask ask-3"], "the model is told what the caller hears"
    call.speak("r1", 400)
    call.run(0.5)
    assert [u.source for u in call.session.playout.live()] == ["model"], "behind the clip, not over it"


# --- the backlog ----------------------------------------------------------------------------------------------------


def test_a_backlog_that_is_full_cancels_the_response_and_counts_what_is_lost() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.speak("r1", 100_000)
    assert call.feed(e.ModelAudio("r1", "item_r1", b"\x01" * 8 * 60_000)) == [
        "[BACKLOG] full at 100000ms - response cancelled, 60000ms dropped",
        "cancel r1",
    ]
    call.feed(e.ModelAudio("r1", "item_r1", b"\x01" * 800))
    metrics = call.session.metrics(call.now)
    assert (metrics["frames_dropped"], metrics["backlog_overruns"], metrics["late_deltas"]) == (3000, 1, 1)
    call.done("r1", "cancelled", reason="client_cancelled")
    call.run(101.0)
    assert call.session.playout.is_idle
    assert call.session.playout.outlet.popped == 20 + 5000, "what was taken is heard"


# --- history --------------------------------------------------------------------------------------------------------


def test_history_is_in_the_order_in_which_lines_began() -> None:
    history = History((Said("user", "long ago", 90_000),))
    history.add("user", "over it", 2_000)
    history.add("assistant", "a long sentence", 1_000)
    history.add("assistant", "next", 2_000)
    assert [said.text for said in history.lines()] == ["long ago", "a long sentence", "over it", "next"]
    assert [said.text for said in history.lines((Said("assistant", "now", 1_500),))][2] == "now"


def test_history_is_bounded_in_lines_and_in_length() -> None:
    history = History(tuple(Said("user", str(n)) for n in range(MAX_LINES + 50)))
    assert len(history) == MAX_LINES
    for n in range(MAX_LINES + 50):
        history.add("user", "x" * 5000, n)
    assert len(history) == MAX_LINES
    assert history.lines()[0].offset_ms == 50 and len(history.lines()[0].text) == 2000
    assert dataclasses.asdict(history.lines()[-1])["role"] == "user"
