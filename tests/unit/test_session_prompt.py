"""E1, E2: compact first, full once; what the texts must hold in every language."""

import pytest

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai.rules.manners import COMPACT_CHARS, LEAST_BUSINESS_CHARS, compose
from tests.paper_call import AS_ASKED, COMPACT, FULL, PaperCall

SENT = f"🔄 [PROMPT UPGRADE] Upgrading from COMPACT ({len(COMPACT)} chars) to FULL ({len(FULL)} chars)"
GIVEN_UP = "⚠️ [PROMPT UPGRADE] Given up - the call goes on with the COMPACT prompt"


def greeting_generated() -> PaperCall:
    call = PaperCall()
    call.ready()
    call.t = 1.0
    call.answer("r1", 3000)
    return call


def refusal(call: PaperCall) -> e.ModelError:
    return e.ModelError("invalid_value", "no", call.all(c.Reprompt)[-1].ref, is_fatal=False)


def test_e1_the_upgrade_is_sent_while_the_greeting_plays_and_its_lines_are_the_audited_ones() -> None:
    call = greeting_generated()
    assert call.seen[-2:] == [SENT, f"reprompt {len(FULL)}"], "before a frame of the greeting was heard"
    assert call.all(c.Reprompt)[0].prompt == FULL
    call.t += 0.045
    assert call.feed(AS_ASKED) == [
        "✅ [PROMPT UPGRADE] Successfully upgraded to FULL prompt in 45ms",
        "[E1 PROMPT UPGRADE] business_id=7, upgrade_duration_ms=45, "
        "policy={'call_goal': 'lead_only', 'auto_end_on_goodbye': False}",
    ]
    call.run(4.0)
    call.said("i1")
    call.answer("r2")
    call.feed(AS_ASKED)
    call.run(3.0)
    assert call.count("reprompt") == 1, "once a call"
    assert call.count("✅ [PROMPT UPGRADE]") == 1


@pytest.mark.parametrize(
    ("id_", "greeting_ms", "echo_after_s", "asked_after_s"),
    [
        ("no echo: 300 ms, no longer", 20, None, 0.30),
        ("echo after 100 ms: at once", 20, 0.10, 0.10),
        ("a long greeting has waited already", 2000, None, 2.0),
    ],
)
def test_the_first_answer_waits_at_most_300_ms(
    id_: str, greeting_ms: int, echo_after_s: float | None, asked_after_s: float
) -> None:
    call = PaperCall()
    call.ready()
    call.answer("r1", greeting_ms)
    call.said("i1")
    if echo_after_s is not None:
        call.run(echo_after_s)
        call.feed(AS_ASKED)
    call.run(3.0 - call.t)
    assert call.count("ask ") == 2
    assert asked_after_s <= call.at(f"ask {call.last_ref}") <= asked_after_s + 0.12


def test_two_seconds_of_silence_are_retried_once_then_the_call_goes_on_with_compact() -> None:
    call = greeting_generated()
    seen = [text for text in call.run(4.5) if "PROMPT" in text or text.startswith("reprompt")]
    assert seen == [
        "⚠️ [PROMPT UPGRADE] Failed (attempt 1): no answer for 2 s",
        f"reprompt {len(FULL)}",
        "⚠️ [PROMPT UPGRADE] Failed (attempt 2): no answer for 2 s",
        GIVEN_UP,
    ]
    assert call.at("⚠️ [PROMPT UPGRADE] Failed (attempt 1)") == pytest.approx(3.0, abs=0.12)
    call.said("i1")
    call.answer("r2")
    call.run(1.0)
    assert call.count("ask ") == 2 and call.count("reprompt") == 2


def test_an_error_is_retried_once_too_and_the_second_attempt_may_succeed() -> None:
    call = greeting_generated()
    assert call.feed(refusal(call)) == [
        "⚠️ [PROMPT UPGRADE] Failed (attempt 1): invalid_value",
        f"reprompt {len(FULL)}",
    ]
    assert call.feed(AS_ASKED)[0].startswith("✅ [PROMPT UPGRADE]")


def test_two_errors_and_the_call_goes_on() -> None:
    call = greeting_generated()
    call.feed(refusal(call))
    assert call.feed(refusal(call))[-1] == GIVEN_UP
    assert call.feed(AS_ASKED) == [], "an echo after that is no upgrade"
    call.feed(e.ModelLost(1, "closed"), e.ModelConnected(2), e.ModelGreeted())
    assert call.all(c.Configure)[-1].prompt == COMPACT


def test_a_renewal_during_the_upgrade_is_the_upgrade() -> None:
    call = greeting_generated()
    call.t += 0.5
    call.feed(e.ModelLost(1, "closed", "1011"))
    call.run(5.0)
    assert call.count("⚠️ [PROMPT UPGRADE]") == 0, "nobody was there to answer"
    call.feed(e.ModelConnected(2), e.ModelGreeted())
    assert call.all(c.Configure)[-1].prompt == FULL
    seen = call.feed(AS_ASKED)
    assert sum("Successfully upgraded to FULL" in text for text in seen) == 1
    assert sum(text.startswith("[E1 PROMPT UPGRADE]") for text in seen) == 1
    call.run(3.0)
    assert call.count("reprompt") == 1


def test_no_answer_without_the_whole_prompt_when_the_greeting_was_cut_in_the_making() -> None:
    call = PaperCall()
    call.ready()
    call.speak("r1", 3000)
    call.run(0.5)
    call.feed(e.CutOrdered("bench"))
    call.done("r1", "cancelled", reason="client_cancelled")
    assert call.count("reprompt") == 0
    call.said("i1")
    assert (call.count("reprompt"), call.count("ask ")) == (1, 1)
    call.feed(AS_ASKED)
    assert call.count("ask ") == 2


# --- the texts ----------------------------------------------------------------------------------------------------

LONG = "We cut hair. " * 400


@pytest.mark.parametrize("language", ["he", "en", "fr"])
@pytest.mark.parametrize("business", ["", "We cut hair.", LONG, "x" * 5000, "word " * 900], ids=len)
def test_compact_stays_compact_and_holds_every_rule_whatever_the_owner_wrote(language: str, business: str) -> None:
    compact, full = compose(language, "Dana's", business)
    assert len(compact) <= COMPACT_CHARS + LEAST_BUSINESS_CHARS + 4
    assert compact.manners and compact.tool_law == full.tool_law, "E2: no rule is lost in the short one"
    assert business.startswith(compact.business) and full.business == business
    assert "Dana's" in compact.manners and "Dana's" in full.manners and "{" not in compact.joined() + full.manners
    assert full.joined().startswith(full.manners) and full.joined().endswith(full.tool_law), "system, then business"


def test_the_full_prompt_says_more() -> None:
    compact, full = compose("he", "סלון דנה", "פתוח בימי ראשון.")
    assert len(full.manners) > 2 * len(compact.manners)


def test_the_owners_text_is_shortened_at_the_end_of_a_sentence_or_a_word() -> None:
    sentences, _ = compose("en", "D", LONG)
    assert sentences.business.endswith("hair.")
    words, _ = compose("en", "D", "word " * 900)
    assert words.business.endswith("word")


def test_an_unknown_language_is_spoken_to_with_the_english_rules() -> None:
    assert compose("fr", "D", "")[1] == compose("en", "D", "")[1]


def test_parts_that_are_empty_leave_no_gap() -> None:
    assert c.Prompt("a", "", "b").joined() == "a\n\nb"
