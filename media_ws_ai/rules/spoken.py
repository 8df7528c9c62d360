"""Sentences of ours to the model: how to open, how to go on after a fault, that time is nearly over. Data, mostly."""

from dataclasses import replace
from typing import Final

from media_ws_ai.rules.params import CallParams
from media_ws_ai.rules.requester import Wish

_GREET: Final = {
    "he": "פתחי את השיחה במילים האלה בדיוק, ואז חכי לתשובה: «{greeting}»",
    "en": "Open the call with exactly these words, then wait for the answer: «{greeting}»",
}
_RESUME: Final = {
    "he": "הקו התנתק לרגע וחזר. התנצלי במשפט קצר אחד והמשיכי מהמקום שבו השיחה נעצרה, בלי לחזור על מה שכבר נאמר.",
    "en": "The line dropped for a moment and is back. Apologise in one short sentence and go on where the "
    "conversation stopped, without repeating what was said.",
}
_GO_ON: Final = {
    "he": "התשובה האחרונה שלך נקטעה בגלל תקלה. המשיכי מהמילים האחרונות שנשמעו, בלי להתחיל מחדש.",
    "en": "Your last answer was cut off by a fault. Go on from the last words that were heard, without starting over.",
}
_NEARLY_OVER: Final = {
    "he": "נשארה דקה לשיחה. סכמי בקצרה והיפרדי בנימוס.",
    "en": "One minute of the call is left. Sum up briefly and say goodbye politely.",
}


def _in(texts: dict[str, str], language: str) -> str:
    return texts.get(language, texts["en"])


def opening(params: CallParams) -> Wish:
    """The first wish of a stream: the greeting, or going on where another worker stopped."""
    if params.is_resumed:
        return Wish("resume", _in(_RESUME, params.language))
    return Wish("greeting", _in(_GREET, params.language).format(greeting=params.greeting))


def go_on(wish: Wish, language: str) -> Wish:
    """The same wish, after part of its answer was heard and the rest was lost."""
    return replace(wish, purpose="go_on", instructions=_in(_GO_ON, language))


def nearly_over(language: str) -> str:
    return _in(_NEARLY_OVER, language)
