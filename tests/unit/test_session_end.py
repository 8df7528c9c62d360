"""How a call ends, what is cut and what is told; tools; after the end nothing (issue 2 §2–4, F1)."""

import pytest

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai.rules.history import Said
from tests.paper_call import AS_ASKED, PaperCall

TOOLS = ({"type": "function", "name": "check"}, {"type": "function", "name": "book"})


def talking(**more: object) -> PaperCall:
    """An answer of 4 s of which one second has left, its end mark and others echoed as it plays."""
    call = PaperCall(**more)  # type: ignore[arg-type]
    call.greeted()
    call.said("i1")
    call.answer("r1", 4000, "one two three four five six seven eight")
    call.run(1.0)
    return call


# --- words, hang-up, close ------------------------------------------------------------------------------------------


def test_the_order_of_an_end_words_heard_first_then_hang_up_then_close() -> None:
    call = talking()
    assert call.feed(e.EndOrdered("operator")) == ["[HANGUP] Closing words first: operator"]
    call.run(5.0)
    assert call.seen[-3:] == [
        "[TURN] agent text='(goodbye)'",
        "[HANGUP] Triggering hangup: operator",
        "hang up operator",
    ]
    words_at, hung_at = call.at("[CLIP] playing goodbye lang=en frames=40"), call.at("hang up")
    assert words_at >= call.at("[TURN] agent text='one two three four five six seven eight'")
    assert hung_at - words_at == pytest.approx(0.8, abs=0.15), "as soon as they were heard"
    assert call.feed(e.HangupSettled("rest")) == ["finish operator 1000 intended"]


def test_the_closing_words_wake_tx_which_may_sleep_a_second() -> None:
    call = PaperCall()
    call.greeted()
    call.orders.clear()
    call.feed(e.EndOrdered("operator"))
    kinds = [type(order) for _, order in call.orders]
    assert c.WakeTx in kinds


@pytest.mark.parametrize(
    ("id_", "is_read", "hung_after_s"),
    [("no mark comes back: last frame + 600 ms", True, 0.8 + 0.6), ("nobody reads: audio + 2 s", False, 0.8 + 2.0)],
)
def test_an_end_that_is_not_acknowledged_comes_all_the_same(id_: str, is_read: bool, hung_after_s: float) -> None:
    call = PaperCall()
    call.greeted()
    call.is_echoing = False
    call.feed(e.EndOrdered("operator"))
    began = call.t
    if is_read:
        call.run(4.0)
    else:
        for _ in range(40):
            call.skip(0.1)
    assert call.at("hang up") - began == pytest.approx(hung_after_s, abs=0.15)


def test_a_sentence_that_takes_longer_than_5_s_is_cut_by_the_end() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.answer("r1", 20_000)
    call.run(1.0)
    call.feed(e.EndOrdered("operator"))
    call.run(5.2)
    assert "[CUT] reason=end_of_call" in call.seen
    assert call.at("[CLIP] playing goodbye") - call.at("[HANGUP] Closing") == pytest.approx(5.0, abs=0.15)


def test_an_answer_being_made_is_given_up_with_a_named_reason() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.speak("r1", 200)
    assert call.feed(e.EndOrdered("operator")) == ["[HANGUP] Closing words first: operator", "cancel r1"]
    call.feed(e.ModelAudio("r1", "item_r1", b"\x01" * 1600))
    call.run(2.0)
    assert call.session.requester.counts.late_deltas == 1


def test_the_first_reason_of_an_end_stands() -> None:
    call = talking()
    call.feed(e.EndOrdered("operator"))
    assert call.feed(e.EndOrdered("another")) == []
    call.run(5.0)
    assert call.count("hang up operator") == 1 and call.count("hang up") == 1


def test_a_turn_that_comes_after_the_end_began_is_noted_and_not_answered() -> None:
    call = talking()
    call.feed(e.EndOrdered("operator"))
    asked = call.count("ask ")
    assert call.said("i2", "Wait!") == ["[TURN] caller text='Wait!'"]
    call.run(6.0)
    assert call.count("ask ") == asked and call.count("hang up operator") == 1


@pytest.mark.parametrize("stage", ["sentence", "words", "hanging"])
def test_a_model_lost_during_the_end_changes_nothing(stage: str) -> None:
    call = talking()
    call.feed(e.EndOrdered("operator"))
    call.run({"sentence": 0.5, "words": 3.4, "hanging": 5.0}[stage])
    call.feed(e.ModelLost(1, "closed", "1011"))
    call.ready(link=2)
    call.run(5.0)
    assert call.count("ask ") == 2 and call.count("hang up operator") == 1
    call.feed(e.HangupSettled("rest"))
    assert call.session.ending.is_done and call.count("finish operator 1000 intended") == 1


def test_a_hang_up_that_nobody_settles_closes_after_5_s() -> None:
    call = PaperCall()
    call.greeted()
    call.feed(e.EndOrdered("operator"))
    call.run(1.2)
    assert call.run(4.5) == []
    assert call.run(1.0) == ["finish operator 1000 intended"]


def test_words_that_are_cut_count_as_said() -> None:
    call = PaperCall()
    call.greeted()
    call.feed(e.EndOrdered("operator"))
    call.run(0.3)
    assert call.feed(e.CutOrdered("bench"))[-1] == "hang up operator"


def test_a_settled_hang_up_that_nobody_asked_for_is_nothing() -> None:
    call = PaperCall()
    call.greeted()
    assert call.feed(e.HangupSettled("rest")) == []
    assert not call.session.ending.is_done


# --- the longest call -----------------------------------------------------------------------------------------------


def test_max_call_is_warned_60_s_before_and_ended_politely() -> None:
    call = PaperCall(max_call_s=1800)
    call.greeted()
    call.skip(1738 - call.t)
    assert call.count("[CALL] time limit") == 0
    text = "One minute of the call is left. Sum up briefly and say goodbye politely."
    assert call.skip(2.0) == ["[CALL] time limit in 60s", f"[SYSTEM] Message sent: {text}", f"add system: {text}"]
    assert call.skip(59.0) == [], "once"
    assert call.skip(1.0) == [
        "[HANGUP] Closing words first: max_call_s",
        "[CLIP] playing goodbye lang=en frames=40",
    ]
    call.run(2.0)
    assert call.count("hang up max_call_s") == 1


# --- the carrier's end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "finish caller_hangup 1000 intended"),
        ("closed", "finish carrier_closed 1000 open"),
        ("lost", "finish carrier_lost 1000 open"),
        ("silent", "finish carrier_silent 1000 open"),
        ("blocked", "finish carrier_blocked 1000 open"),
    ],
)
def test_the_carriers_end_keeps_its_reason_and_only_a_hang_up_is_intended(reason: str, expected: str) -> None:
    call = talking()
    seen = call.feed(e.CarrierEnded(reason))
    assert seen[-1] == expected
    assert seen[0] == "[TURN] agent text='one two'", "what was heard of the sentence, and no more"
    tracks = [order.payload["track"] for order in call.all(c.Record) if order.kind == "levels"]
    assert tracks == ["agent"]


@pytest.mark.parametrize("stage_s", [0.0, 3.4, 6.0])
def test_a_hang_up_of_ours_keeps_its_intent_when_the_line_goes_first(stage_s: float) -> None:
    call = talking()
    call.feed(e.EndOrdered("operator"))
    call.run(stage_s)
    assert call.feed(e.CarrierEnded("lost"))[-1] == "finish operator 1000 intended"


def test_a_drain_hands_the_call_over() -> None:
    call = talking()
    assert call.feed(e.DrainStarted())[-1] == "finish drain 1001 open"


def test_a_drain_lets_the_closing_words_be_said_and_takes_what_is_left_at_its_end() -> None:
    call = talking()
    call.feed(e.EndOrdered("operator"))
    assert call.feed(e.DrainStarted()) == []
    assert call.feed(e.DrainStarted(is_final=True))[-1] == "finish operator 1001 intended"


def every_event() -> list[e.Event]:
    return [
        e.CallerFrame(b"\xff" * 160, 20),
        e.DtmfPressed("5"),
        e.MarkEchoed("0.1.20"),
        e.CarrierEnded("stop"),
        e.ModelConnected(9),
        e.ModelGreeted(),
        AS_ASKED,
        e.ModelLost(9, "closed"),
        e.ModelError("x", "y", None, is_fatal=True),
        e.ResponseCreated("r", None),
        e.ItemAdded("i", "user", None),
        e.ModelAudio("r", "i", b"\x01" * 160),
        e.ModelAudioDone("r", "i"),
        e.ModelText("r", "i", "t"),
        e.ModelTextDone("r", "i", "t"),
        e.ResponseEnded("r", None, "failed"),
        e.SpeechStarted("i", 0),
        e.SpeechStopped("i", 0),
        e.TurnCommitted("i", None),
        e.TranscriptPart("i", "t"),
        e.Transcript("i", "t"),
        e.TranscriptFailed("i", "c"),
        e.Tick(),
        e.ToolDone("c", "{}"),
        e.HangupSettled("rest"),
        e.DrainStarted(),
        e.CutOrdered("x"),
        e.EndOrdered("x"),
    ]


@pytest.mark.parametrize("event", every_event(), ids=lambda event: type(event).__name__)
def test_after_the_end_every_fact_is_nothing(event: e.Event) -> None:
    call = talking()
    call.feed(e.CarrierEnded("stop"))
    assert call.session.handle(event, call.now + 60.0) == []
    assert call.session.take(call.now + 60.0) == ([], [])


def test_no_fact_of_the_house_is_unknown_to_the_session() -> None:
    kinds = {kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.Event)} - {e.Event}
    assert kinds == {type(event) for event in every_event()}
    call = PaperCall()
    for event in [*every_event()[:3], *every_event()[4:]]:
        call.feed(event)


def test_f1_reset_leaves_nothing_of_the_call() -> None:
    call = PaperCall(tools=TOOLS)
    call.feed(e.ModelConnected(1), e.CallerFrame(b"\x01" * 160, 0), e.DtmfPressed("5"))
    call.feed(e.ModelGreeted(), AS_ASKED)
    call.speak("r1", 5000)
    call.said("i1")
    call.run(0.5)
    session = call.session
    session.reset()
    assert session.playout.is_idle and session.playout.outlet.tx_frames == 0 and session.take(call.now)[0] == []
    assert not session.requester.is_busy and not session.requester.has_pending
    assert session.dtmf == "" and not session.tools.is_running and not session.link._held and not session.speech._texts
    session.reset()


# --- the cut --------------------------------------------------------------------------------------------------------


def test_a_cut_clears_first_truncates_to_what_was_heard_and_cancels_nothing_that_is_over() -> None:
    call = talking()
    seen = call.feed(e.CutOrdered("bench"))
    assert seen[:3] == [
        "[CUT] reason=bench",
        "🧹 [CUT FLUSH] OpenAI queue: 0/0 frames | TX queue: 150/150 frames",
        "[TURN] cut: utterance=2 generated_ms=4000 sent_ms=1000 heard_ms=1000",
    ]
    assert seen[3:] == ["truncate item_r1 at 1000", "[TURN] agent text='one two'"]
    sent = len(call.wire)
    call.run(0.1)
    assert [out.kind for _, out in call.wire[sent:]] == ["clear"], "first on the wire, and nothing after it"
    assert call.session.metrics(call.now)["frames_flushed"] == 150


def test_a_cut_while_it_is_generated_cancels_by_id_first() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.speak("r1", 4000)
    call.run(0.5)
    seen = call.feed(e.CutOrdered("bench"))
    assert seen[:2] == ["[CUT] reason=bench", "cancel r1"]
    assert seen.count("cancel r1") == 1


def test_a_cut_of_what_was_not_heard_deletes_it() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.answer("r1", 4000)
    seen = call.feed(e.CutOrdered("bench"))
    assert seen[-1] == "delete item_r1"
    assert call.count("[TURN] agent text='All right.'") == 0


def test_a_truncation_never_exceeds_what_the_model_may_have_counted() -> None:
    call = PaperCall()
    call.greeted()
    call.is_echoing = False
    call.said("i1")
    call.answer("r1", 400)
    call.run(0.2)
    first = next(out for at, out in call.wire if out.kind == "mark" and ".2." in out.name)
    call.feed(e.MarkEchoed(first.name))
    call.run(0.5)
    assert "truncate item_r1 at 315" in call.feed(e.CutOrdered("bench"))


def test_a_cut_of_nothing_is_nothing() -> None:
    call = PaperCall()
    call.greeted()
    sent = len(call.wire)
    assert call.feed(e.CutOrdered("bench")) == []
    call.run(0.1)
    assert len(call.wire) == sent


def test_a_cut_without_a_model_corrects_nobody() -> None:
    call = talking()
    call.feed(e.ModelLost(1, "closed"))
    seen = call.feed(e.CutOrdered("bench"))
    assert not [text for text in seen if text.startswith(("truncate", "delete", "cancel"))]


# --- tools ----------------------------------------------------------------------------------------------------------


def tool_turn(*calls: e.ToolCall, status: str = "completed") -> PaperCall:
    call = PaperCall(tools=TOOLS)
    call.greeted()
    call.said("i1")
    call.created("r1")
    ended = e.ResponseEnded("r1", call.last_ref, status, calls=calls)
    call.orders.clear()
    call.feed(ended)
    return call


def test_an_unknown_tool_is_answered_at_once_and_the_conversation_goes_on() -> None:
    call = tool_turn(e.ToolCall("c1", "launch", "{}"))
    assert call.seen[1:] == ["output c1", f"ask {call.last_ref}"]
    assert "unknown_tool" in call.all(c.AnswerTool)[0].output


def test_several_calls_all_outputs_first_then_one_response() -> None:
    call = tool_turn(
        e.ToolCall("c1", "check", '{"d":1}'), e.ToolCall("c2", "launch", ""), e.ToolCall("c3", "book", "{}")
    )
    assert call.seen[1:] == ["run check c1", "output c2", "run book c3"]
    assert call.feed(e.ToolDone("c3", "{}")) == ["output c3"]
    call.run(1.0)
    assert call.feed(e.ToolDone("c1", "{}"))[0] == "output c1"
    assert call.count("ask ") == 1
    call.answer("r2")
    call.run(2.0)
    assert call.count("ask ") == 1


def test_calls_of_a_response_that_was_cut_short_are_answered_and_not_carried_out() -> None:
    call = tool_turn(e.ToolCall("c1", "check", '{"d":'), status="incomplete")
    assert call.all(c.RunTool) == []
    assert [answer.call_id for answer in call.all(c.AnswerTool)] == ["c1"], "a call without an answer dangles"


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_calls_of_a_response_that_did_not_complete_are_not_carried_out(status: str) -> None:
    call = tool_turn(e.ToolCall("c1", "check", '{"d":'), status=status)
    assert call.all(c.RunTool) == [] and call.all(c.AnswerTool) == []


def test_a_keypad_digit_is_noted_and_changes_nothing_yet() -> None:
    call = talking()
    assert call.feed(e.DtmfPressed("5")) == ["[DTMF] digit=5"]
    assert call.session.dtmf == "5"
    call.feed(*[e.DtmfPressed("1")] * 500)
    assert len(call.session.dtmf) <= 64, "bounded"


def test_levels_of_both_tracks_are_recorded_every_10_s() -> None:
    call = PaperCall()
    call.ready()
    call.answer("r1", 2000)
    for n in range(200):
        call.feed(e.CallerFrame(b"\x33" * 160, 20 * n))
    call.run(10.2)
    levels = [order.payload for order in call.all(c.Record) if order.kind == "levels"]
    assert [payload["track"] for payload in levels] == ["caller", "agent"]
    assert all(payload["step_ms"] == 100 for payload in levels)


def test_a_resumed_call_tells_the_model_what_was_said() -> None:
    call = PaperCall(attempt=2, history=(Said("assistant", "Hello."), Said("user", "Hi.")))
    seen = call.ready()
    assert [text for text in seen if text.startswith("add")] == ["add assistant: Hello.", "add user: Hi."]
