"""The judgements by principle: one row for each thing that must make a difference, or none."""

import pytest

from media_ws_ai.judges import backchannel, goodbye, hallucination, locality, question_pair, short_answer
from media_ws_ai.judges.text import clauses, fold, scripts, unstretched


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("לְהִתְרָאוֹת!", "להתראות"),
        ("\u200fכן\u200e.", "כן"),
        ("צ'או", "צאו"),
        ("צ׳או", "צאו"),
        ('ת"א', "תא"),
        ("תל־אביב", "תל אביב"),
        ("I'm  OK…", "im ok"),
        ("Café", "cafe"),
        ("", ""),
    ],
)
def test_folding_takes_off_what_is_not_a_word(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_other_readings_of_a_text() -> None:
    assert unstretched("אמממם") == "אמ"
    assert clauses("תודה, כמה זה עולה? ביי") == [("תודה", False), ("כמה זה עולה", True), ("ביי", False)]
    assert scripts("שלום hi привет こんにちは") == {"HEBREW", "LATIN", "CYRILLIC", "CJK"}


@pytest.mark.parametrize(
    ("text", "speaking", "asked"),
    [
        ("אמממממ", "ignore", "keep_listening"),
        ("ummmm, so", "ignore", "keep_listening"),
        ("אהא", "ignore", "clarify"),
        ("mhm", "ignore", "clarify"),
        ("אוקייייי", "ignore", "accept"),
        ("כן כן", "ignore", "accept"),
        ("כן", "interrupt", "accept"),
        ("yes", "interrupt", "accept"),
        ("לא לא", "interrupt", "accept"),
        ("אה חדרה", "interrupt", "accept"),
        ("okay but tomorrow", "interrupt", "accept"),
        ("נו", "ignore", "keep_listening"),
        ("נו באמת", "interrupt", "accept"),
        ("[שיעול]", "ignore", "keep_listening"),
        ("[שיעול] רגע", "interrupt", "accept"),
        ("חחחחח", "ignore", "keep_listening"),
        ("", "ignore", "keep_listening"),
    ],
)
def test_content_takes_the_turn_and_nothing_else_does(text: str, speaking: str, asked: str) -> None:
    assert backchannel.judge(text).verdict == speaking
    assert backchannel.judge(text, backchannel.AFTER_AGENT_QUESTION).verdict == asked


@pytest.mark.parametrize("text", ["ז'קלין", "7", "ב'", "אום אל פחם", "שש", "xyzzy", "או שבע", "oh"])
def test_an_unknown_word_is_an_answer(text: str) -> None:
    assert short_answer.judge(text).verdict == "accept"


@pytest.mark.parametrize("text", ["", "...", "אממ", "uh", "נו", "[רעש]", "חחח"])
def test_no_word_is_no_answer(text: str) -> None:
    assert short_answer.judge(text).verdict == "drop"


@pytest.mark.parametrize(
    ("text", "turn", "verdict"),
    [
        ("תודה רבה על כל העזרה, ביי", "later", "goodbye"),
        ("אני אחשוב על זה, להתראות", "later", "goodbye"),
        ("bye Dana", "later", "goodbye"),
        ("ביי, רגע, עוד שאלה", "later", "not_goodbye"),
        ("הוא אמר להתראות", "later", "not_goodbye"),
        ("שיהיה לכם ערב מקסים", "later", "goodbye"),
        ("שיהיה לכם ערב מקסים", "first", "not_goodbye"),
        ("have a wonderful evening", "later", "goodbye"),
        ("שבת שלום, רציתי לשאול על המחיר", "first", "not_goodbye"),
        ("אני חייב לרוץ", "later", "goodbye"),
        ("אני חייב לרוץ לרופא לסגור תור", "later", "not_goodbye"),
        ("I have to go", "later", "goodbye"),
        ("I have to go to the dentist on Sunday", "later", "not_goodbye"),
        ("אל תנתק", "later", "not_goodbye"),
        ("נתראה ביום רביעי?", "later", "not_goodbye"),
        ("תודה", "later", "not_goodbye"),
        ("no thanks, that's all", "later", "not_goodbye"),
    ],
)
def test_leaving_is_more_than_a_word_for_it(text: str, turn: str, verdict: str) -> None:
    assert goodbye.judge(text, turn).verdict == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("לא לא לא לא לא", "drop"),
        ("לא לא לא לא", "keep"),
        ("שבע שבע שבע שבע שבע שבע", "keep"),
        ("5 5 5 5 5 5", "keep"),
        ("[צלצול] שלום, אני רוצה תור", "keep"),
        ("תרגום: יעל כהן", "drop"),
        ("אני צריכה תרגום של תעודה", "keep"),
        ("thank you for watching our video", "drop"),
        ("thank you for the help", "keep"),
        ("a video call next Sunday", "keep"),
        ("ראיתי סרטון בערוץ שלכם, כמה זה עולה?", "keep"),
        ("Здравствуйте, можно записаться к врачу?", "keep"),
        ("مرحبا، أريد موعد", "keep"),
        ("Подписывайтесь на канал", "drop"),
        ("谢谢观看", "drop"),
        ("请问有预约吗", "keep"),
        ("תודה", "drop_if_low_evidence"),
        ("♪", "drop"),
    ],
)
def test_an_invented_text_has_a_form_of_its_own(text: str, verdict: str) -> None:
    assert hallucination.judge(text).verdict == verdict


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("איזו עיר?", "איזו עיר אתה נמצא?", "duplicate"),
        ("מה השם שלך?", "איך קוראים לך?", "duplicate"),
        ("מה השם שלך?", "מה שם המשפחה שלך?", "different"),
        ("מתי נוח לך?", "איפה נוח לך?", "different"),
        ("מתי נוח לך?", "מתי לא נוח לך?", "different"),
        ("מחר בעשר מתאים?", "מחר באחת עשרה מתאים?", "different"),
        ("What's your address?", "Could you give me your address?", "duplicate"),
        ("What's your address?", "Is this your address?", "different"),
        ("How many people?", "How many children?", "different"),
        ("", "", "different"),
    ],
)
def test_two_questions_are_one_when_they_ask_the_same(a: str, b: str, verdict: str) -> None:
    judged = question_pair.judge(a, b)
    assert judged.verdict == verdict
    assert question_pair.judge(b, a).verdict == verdict
    assert (judged.similarity >= question_pair.DUPLICATE_FROM) == (verdict == "duplicate")


def test_the_known_example_has_its_known_figure() -> None:
    assert question_pair.judge("איזו עיר?", "איזו עיר אתה נמצא?").similarity == pytest.approx(0.92, abs=0.005)


@pytest.mark.parametrize(
    ("text", "in_slot", "outside", "code"),
    [
        ("קריית מלאכי", "accept", "accept", 1034),
        ("קרית מלאכי", "accept", "accept", 1034),
        ("אני מקרית-מלאכי", "accept", "accept", 1034),
        ("בבאר שבע", "accept", "accept", 9000),
        ("פתח תיקוה", "accept", "accept", 7900),
        ("סח'נין", "accept", "accept", 7500),
        ("סכנין", "confirm", "not_city", 7500),
        ("Petach Tikva", "accept", "accept", 7900),
        ("יונתן", "confirm", "not_city", 4007),
        ("קריית", "complete", "not_city", None),
        ("הגליל", "complete", "complete", None),
        ("רחוב חיפה", "not_city", "not_city", None),
        ("קוראים לי אריאל", "not_city", "not_city", None),
        ("", "not_city", "not_city", None),
    ],
)
def test_a_place_is_known_under_every_spelling(text: str, in_slot: str, outside: str, code: int | None) -> None:
    judged = locality.judge(text)
    assert judged.verdict == in_slot
    assert locality.judge(text, locality.OUTSIDE_CITY_SLOT).verdict == outside
    if code is not None:
        assert judged.locality_ids[0] == code
