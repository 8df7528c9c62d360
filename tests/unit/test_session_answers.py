"""One answer at a time, each for a reason, none lost and none doubled (issue 2 §3; openai-realtime.md P3, P4, §3.7)."""

import pytest

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai.rules.refs import Refs
from media_ws_ai.rules.requester import Requester, Wish
from tests.paper_call import AS_ASKED, PaperCall

ACTIVE = "conversation_already_has_active_response"


def rejected(call: PaperCall, code: str = ACTIVE) -> list[str]:
    return call.feed(e.ModelError(code, "busy", call.last_ref, is_fatal=False))


def test_the_greeting_comes_first_and_nothing_beside_it() -> None:
    call = PaperCall()
    call.ready()
    assert call.count("ask ") == 1
    call.said("i1")
    call.speak("r1", 400)
    call.said("i2")
    call.run(1.0)
    assert call.count("ask ") == 1, "the greeting is not over"
    call.done("r1")
    call.feed(AS_ASKED)
    call.run(1.0)
    assert call.count("ask ") == 2, "two turns while the agent was talking: one answer"
    assert call.session.turns.count == 2


def test_a_turn_is_answered_only_when_the_agent_has_finished() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.answer("r1", ms=2000)
    call.said("i2", "And on Fridays?")
    call.run(1.9)
    assert call.count("ask ") == 2, "generated is not heard"
    call.run(0.3)
    assert call.count("ask ") == 3


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_an_empty_transcript_is_not_answered(text: str) -> None:
    call = PaperCall()
    call.greeted()
    assert call.said("i1", text) == []
    call.run(1.0)
    assert call.count("ask ") == 1
    assert call.session.turns.empty == 1
    call.said("i1", "Hello?")
    assert call.count("ask ") == 2, "the words came after all"


def test_the_same_turn_told_twice_is_answered_once() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.answer("r1")
    call.said("i1")
    call.run(2.0)
    assert call.count("ask ") == 2
    assert call.session.turns.doubled == 1


def test_every_one_of_ten_turns_is_answered_exactly_once() -> None:
    call = PaperCall()
    call.greeted()
    for n in range(10):
        call.said(f"i{n}")
        call.answer(f"r{n}", 200)
        call.run(0.5)
    assert call.count("ask ") == 11
    assert call.count("[RESPONSE] Done") == 11
    assert call.session.requester.counts.asked == 11


def test_a_rejected_create_is_asked_again_after_half_a_second() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    assert rejected(call, "server_busy") == ["[RESPONSE] Rejected: server_busy busy"]
    call.run(0.4)
    assert call.count("ask ") == 2
    call.run(0.2)
    assert call.count("ask ") == 3
    call.answer("r1")
    call.run(2.0)
    assert call.count("ask ") == 3 and call.session.turns.count == 1


def test_already_active_is_asked_again_as_soon_as_the_running_one_ended() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    first = call.last_ref
    rejected(call)
    assert call.feed(e.ResponseEnded("of_another", None, "completed")) == [f"ask {call.last_ref}"]
    assert call.last_ref != first


def test_a_rejection_of_something_given_up_or_unknown_hangs_nothing() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.feed(
        e.ModelError(ACTIVE, "busy", "ask-99", is_fatal=False), e.ModelError(ACTIVE, "busy", None, is_fatal=False)
    )
    assert call.session.requester.is_busy and call.count("[RESPONSE] Rejected") == 0
    call.answer("r1")
    assert not call.session.requester.is_busy


def test_an_error_about_a_create_that_runs_already_does_not_start_it_twice() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.created("r1")
    rejected(call, "invalid_value")
    call.run(1.0)
    assert call.count("ask ") == 2


def test_turns_that_come_while_a_create_is_rejected_join_it() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.said("i2")
    rejected(call)
    call.run(0.6)
    call.answer("r1")
    call.run(2.0)
    assert call.count("ask ") == 3, "one create rejected, one for both turns"


def test_eight_rejections_in_a_row_renew_the_connection() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    for _ in range(8):
        rejected(call)
        call.run(0.6)
    assert call.count("renew 1 refusals") + call.count("renew 1 stall") == 1
    call.orders.clear()
    call.ready(link=2)
    assert call.count("ask ") == 1, "the wish goes with it"


@pytest.mark.parametrize("ref", [None, "someone-1"])
def test_a_response_that_nobody_asked_for_is_cancelled_and_said_so(ref: str | None) -> None:
    call = PaperCall()
    call.greeted()
    assert call.feed(e.ResponseCreated("r_alien", ref)) == ["[RESPONSE] Unasked: r_alien cancelled", "cancel r_alien"]
    call.feed(e.ModelAudio("r_alien", "x", b"\x01" * 800), e.ModelText("r_alien", "x", "boo"))
    assert call.session.playout.is_idle
    assert call.feed(e.ResponseEnded("r_alien", ref, "cancelled", "client_cancelled")) == [
        "[RESPONSE] Late: r_alien deltas=1 dropped",
        "[RESPONSE] Cancelled: reason=client_cancelled",
    ]
    assert call.session.metrics(call.now)["answers_unasked"] == 1
    assert call.session.metrics(call.now)["late_deltas"] == 1


def test_a_turn_waits_until_the_unasked_response_has_ended_or_a_second() -> None:
    for is_ended in (True, False):
        call = PaperCall()
        call.greeted()
        call.feed(e.ResponseCreated("r_alien", "x"))
        call.said("i1")
        assert call.count("ask ") == 1
        if is_ended:
            call.feed(e.ResponseEnded("r_alien", "x", "cancelled"))
        else:
            call.run(1.1)
        assert call.count("ask ") == 2


def test_the_same_response_created_twice_is_not_cancelled() -> None:
    call = PaperCall()
    call.ready()
    call.created("r1")
    assert call.created("r1") == []
    assert call.all(c.CancelResponse) == []


def test_cancelled_before_its_id_was_known_it_is_cancelled_by_id_when_it_appears() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    ref = call.last_ref
    assert call.feed(e.CutOrdered("bench")) == [
        "[CUT] reason=bench",
        "🧹 [CUT FLUSH] OpenAI queue: 0/0 frames | TX queue: 0/0 frames",
    ]
    assert call.all(c.CancelResponse) == []
    assert call.feed(e.ResponseCreated("r1", ref)) == ["cancel r1"]
    assert call.session.requester.counts.unasked == 0


def test_late_deltas_of_a_dead_id_are_dropped_counted_and_told() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.speak("r1")
    call.feed(e.CutOrdered("bench"))
    for _ in range(3):
        call.feed(e.ModelAudio("r1", "item_r1", b"\x01" * 2000))
    assert call.session.playout.is_idle and call.session.requester.generating_id == ""
    assert "[RESPONSE] Late: r1 deltas=3 dropped" in call.done("r1", "cancelled", reason="client_cancelled")
    assert call.session.requester.counts.late_deltas == 3


def test_an_answer_that_ends_without_having_been_announced_counts() -> None:
    call = PaperCall()
    call.ready()
    call.feed(e.ResponseEnded("r1", call.last_ref, "completed"))
    assert not call.session.requester.is_busy
    assert call.count("[RESPONSE] Done: r1 status=completed audio_ms=0") == 1


def test_tokens_are_summed_by_kind_over_responses_and_transcripts() -> None:
    call = PaperCall()
    call.ready()
    call.speak("r1")
    call.done("r1", tokens={"input_audio": 10, "output_audio": 5, "total": 15})
    call.feed(e.Transcript("i1", "hello", {"transcribed_tokens": 4}))
    call.feed(e.ResponseEnded("dead", None, "cancelled", tokens={"input_audio": 7, "total": 7}))
    assert call.session.tokens == {"input_audio": 17, "output_audio": 5, "total": 22, "transcribed_tokens": 4}


@pytest.mark.parametrize("reason", ["turn_detected", "client_cancelled"])
def test_b3_the_models_own_cancellation_is_flagged(reason: str) -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.speak("r1")
    seen = call.done("r1", "cancelled", reason=reason)
    assert f"[RESPONSE] Cancelled: reason={reason}" in seen
    flag = "⚠️ [B3 VIOLATION] OpenAI turn_detected cancellation WITHOUT confirmed barge-in!"
    assert (flag in seen) is (reason == "turn_detected")


@pytest.mark.parametrize(
    ("id_", "with_audio"), [("nothing was heard", False), ("part was heard", True)], ids=["silent", "heard"]
)
def test_a_failed_response_is_asked_again_and_goes_on_where_it_broke_off(id_: str, with_audio: bool) -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    if with_audio:
        call.speak("r1", 400)
    else:
        call.created("r1")
    seen = call.done("r1", "failed", code="server_error")
    assert "[MODEL] error code=server_error tolerated message='the response failed'" in seen
    call.run(1.2)
    assert call.count("ask ") == 3
    assert call.all(c.RequestResponse)[-1].instructions.startswith("Your last answer was cut off") is with_audio


def test_a_response_that_fails_every_time_renews_and_its_turn_is_not_lost() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    for n in range(3):
        call.created(f"r{n}")
        call.done(f"r{n}", "failed", code="rate_limit_exceeded")
        call.run(0.7)
    assert call.count("renew 1 responses_fail") == 1
    assert call.count("ask ") == 4
    call.ready(link=2)
    assert call.count("ask ") == 5, "the caller still waits for that answer"
    call.answer("r9")
    call.run(2.0)
    assert call.count("ask ") == 5


def test_a_failure_that_no_connection_cures_is_an_apology_at_once() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.created("r1")
    seen = call.done("r1", "failed", code="insufficient_quota", is_hopeless=True)
    assert "[CLIP] playing apology lang=en frames=50" in seen
    assert call.count("renew") == 0


@pytest.mark.parametrize("rid", ["r1", "r1 again"])
def test_an_incomplete_answer_is_an_answer(rid: str) -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.speak("r1")
    call.done("r1", "incomplete", reason="max_output_tokens")
    call.run(2.0)
    assert call.count("ask ") == 2


def test_caller_and_agent_lines_are_recorded_as_heard() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1", "When?")
    call.answer("r1", 400, "At nine.")
    call.run(1.0)
    lines = [(order.kind, order.payload["text"]) for order in call.all(c.Record) if order.kind.endswith("_line")]
    assert lines == [("agent_line", "Hello, Dana's."), ("caller_line", "When?"), ("agent_line", "At nine.")]
    assert call.count("[TURN] caller text='When?'") == 1 and call.count("[TURN] agent text='At nine.'") == 1


def test_the_text_may_come_whole_at_the_end_only() -> None:
    call = PaperCall()
    call.ready()
    call.created("r1")
    call.feed(
        e.ModelAudio("r1", "i", b"\x20" * 1600), e.ModelTextDone("r1", "i", "Hello."), e.ModelAudioDone("r1", "i")
    )
    call.run(0.5)
    assert call.count("[TURN] agent text='Hello.'") == 1


def test_text_of_more_items_than_are_ever_heard_is_bounded() -> None:
    call = PaperCall()
    call.ready()
    call.created("r1")
    call.feed(*[e.ModelText("r1", f"i{n}", "word") for n in range(100)])
    assert len(call.session.speech._texts) == 32


def test_turns_whose_transcript_never_comes_are_bounded() -> None:
    call = PaperCall()
    call.ready()
    call.feed(*[e.SpeechStarted(f"i{n}", 0) for n in range(500)])
    assert len(call.session.turns._started_ms) == 200


# --- the requester alone ------------------------------------------------------------------------------------------


def test_wishes_are_bounded_and_the_lost_are_counted() -> None:
    requester = Requester(Refs())
    for n in range(10):
        requester.wish(Wish(f"purpose{n}"))
    assert requester.counts.dropped_wishes == 2
    assert requester.has_pending


def test_a_second_wish_of_one_purpose_joins_the_first() -> None:
    requester = Requester(Refs())
    requester.wish(Wish("answer", items=("a",)))
    requester.wish(Wish("answer", items=("a", "b")))
    requester.ask(0.0)
    assert requester.give_up(0.0) == (Wish("answer", items=("a", "b")), [])
    assert requester.give_up(0.0) == (None, [])


def test_late_deltas_are_counted_for_a_bounded_number_of_ids() -> None:
    requester = Requester(Refs())
    for n in range(100):
        requester.progress(f"r{n}", 0.0, is_audio=True)
    assert requester.counts.late_deltas == 100
    assert len(requester.counts.late_by_id) == 64


def test_an_answer_with_nothing_in_it_is_asked_for_once_more() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    for number in (1, 2):
        call.created(f"r{number}")
        call.feed(e.ResponseEnded(f"r{number}", call.last_ref, "completed"))
        call.run(1.0)
    assert call.count("ask ") == 3, "the greeting, the answer, and the answer once more"
    assert call.session.answers.empty == 1
