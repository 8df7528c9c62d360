"""Whatever text comes, every judge answers with one of its labels and a reason, and soon."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from media_ws_ai.judges import backchannel, goodbye, hallucination, locality, question_pair, short_answer

WORDS = [
    "אממ",
    "כן",
    "לא",
    "ביי",
    "תודה",
    "שבת",
    "שלום",
    "bye",
    "um",
    "חיפה",
    "ב",
    "?",
    "...",
    "[",
    "]",
    "♪",
    "'",
    '"',
    "ו",
    "спасибо",
    "ی",
]
TEXTS = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))


@given(TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_every_judge_answers_any_text(text: str, other: str) -> None:
    verdicts = [
        (backchannel.judge(text), {"ignore", "interrupt"}),
        (backchannel.judge(text, backchannel.AFTER_AGENT_QUESTION), {"keep_listening", "clarify", "accept"}),
        (short_answer.judge(text), {"accept", "drop"}),
        *((goodbye.judge(text, turn), {"goodbye", "not_goodbye"}) for turn in ("first", "later", "any")),
        (hallucination.judge(text), {"drop", "drop_if_low_evidence", "keep"}),
        *(
            (locality.judge(text, context), {"accept", "confirm", "disambiguate", "complete", "not_city"})
            for context in locality.CONTEXTS
        ),
        (question_pair.judge(text, other), {"duplicate", "different"}),
    ]
    for judged, labels in verdicts:
        assert judged.verdict in labels
        assert judged.reason


@given(TEXTS, TEXTS)
@settings(max_examples=100, deadline=None)
def test_whether_two_questions_are_one_does_not_hang_on_their_order(a: str, b: str) -> None:
    assert question_pair.judge(a, b).verdict == question_pair.judge(b, a).verdict


def test_a_transcript_gone_wild_is_judged_within_a_second() -> None:
    for unit in ("אה ", "ח", "ביי ", "תודה על ", "כן לא ", "[", "a b c d e f g "):
        text = unit * (4000 // len(unit))
        started = time.process_time()
        backchannel.judge(text)
        short_answer.judge(text)
        goodbye.judge(text)
        hallucination.judge(text)
        locality.judge(text)
        question_pair.judge(text, text + "?")
        assert time.process_time() - started < 1.0, unit
