"""Must this short utterance reach the dialogue? Yes, unless nothing in it is an answer.

A word is never refused for being short or unknown: a name, a town, a digit are all unknown words. Only hesitation,
prompting, noise and silence are refused; what the word is goes into the reason.
"""

import re

from media_ws_ai.judges.backchannel import pieces
from media_ws_ai.judges.lexicon import word_classes
from media_ws_ai.judges.text import fold
from media_ws_ai.judges.verdict import Verdict

_CLASS_OF = {phrase: name for name, phrases in word_classes("short_answers").items() for phrase in phrases}
_PREFIXED = re.compile(r"[בלמהו]{1,2}(?=.{2})")
# A letter with a geresh is the letter itself (day ב', class ג'); צ' is a click of the tongue.
_LETTER = re.compile(r"\s*[א-פק-ת]['׳´’]\s*[.,!?]?\s*")


def judge(text: str, slot: str = "") -> Verdict:
    """`accept`, or `drop` when there is no answer in it. `slot` is the kind of answer asked for, "" if unknown."""
    if _LETTER.fullmatch(text):
        return Verdict("accept", "letter")
    kinds = {piece.kind for piece in pieces(text)}
    if not kinds:
        return Verdict("drop", "empty")
    if kinds <= {"filler", "noise", "prompt"}:
        return Verdict("drop", "filler_only" if "filler" in kinds else "noise_only" if "noise" in kinds else "prompt")
    if "content" not in kinds and "yes" not in kinds and "ack" not in kinds:
        return Verdict("accept", "weak_yes" if "mhm" in kinds else "maybe_digit" if slot == "digit" else "newsmark")
    return Verdict("accept", _what(fold(text)))


def _what(folded: str) -> str:
    """The class of the answer, for the log; a text of no known class is content."""
    if any(char.isdigit() for char in folded):
        return "number"
    for word in (folded, *folded.split()):
        bare = _PREFIXED.sub("", word, count=1)
        name = _CLASS_OF.get(word) or _CLASS_OF.get(bare)
        if name:
            return name
    return "content"
