"""Is this text something that speech-to-text invents on silence and noise?

`drop`: never a caller's words. `drop_if_low_evidence`: real words too, to be dropped only when no speech was heard.
`keep`: genuine; a request in another language is a caller in that language and is kept.
"""

import re
from collections.abc import Sequence

from media_ws_ai.judges.lexicon import any_of, word_classes
from media_ws_ai.judges.text import clauses, fold, scripts, without_tags
from media_ws_ai.judges.verdict import Verdict

DROP, LOW, KEEP = "drop", "drop_if_low_evidence", "keep"
LOOP_FROM = 5  # repeats of one token
LONG_LOOP_WORDS = 12  # a whole phrase said again and again is a loop from this length on, and three rounds
LONGEST_PHRASE_WORDS = 12
_CALLER_SCRIPTS = frozenset({"HEBREW", "LATIN", "CYRILLIC", "ARABIC", "ETHIOPIC"})

_CLASSES = word_classes("hallucinations")
_DIGITS = frozenset(_CLASSES["digit"])
_URL = re.compile(r"\s*(?:https?://|www\.)\S+\s*|\s*[\w-]+\.(?:org|tv|com)(?:/\S*)?\s*", re.IGNORECASE)
_CREDIT_MARK = re.compile(r"(?:^|\s)[^\s:]+\s*:")


def _whole(*names: str) -> re.Pattern[str]:
    """Matches a text made only of these classes."""
    words = any_of([phrase for name in names for phrase in _CLASSES[name]])
    return re.compile(f"(?:ו?{words}(?: |$))+")


def _within(*names: str) -> re.Pattern[str]:
    return re.compile("(?<!\\S)" + any_of([phrase for name in names for phrase in _CLASSES[name]]) + "(?!\\S)")


_THANKS_FOR_VIEWING = re.compile(f"{any_of(_CLASSES['thank'])} {any_of(_CLASSES['that_you'])}(?: |$)")
_THANKS_FOR_LISTENING = re.compile(f"{any_of(_CLASSES['thank'])} {any_of(_CLASSES['that_you_weak'])}$")
_MEDIUM, _ADDRESS, _OWN = _within("medium"), _within("address_many"), _within("own_business")
_URGED = r"(?:(?:please|dont forget to|remember to|make sure to|and|now|like|share) )*"
_SUBSCRIBE_ALONE = re.compile(_URGED + r"subscribe(?: now| below)?$|(?:אל תשכחו )?(?:הירשמו|הרשמו|תירשמו)(?: עכשיו)?$")
_SUBSCRIBE_TO = re.compile(_URGED + r"subscribe to (?:my|our|the|this) (?:\w+ )?(?:channel|podcast|page)")
_NEXT_TIME = re.compile(r"see you|bye|נתראה|להתראות|ניפגש|נפגש|welcome|ברוכים הבאים")
_ON_AIR, _ON_AIR_WORD, _CROWD = _whole("on_air", "crowd", "thank"), _within("on_air"), _within("crowd")
_CREDIT_HEAD = re.compile(f"ו?{any_of(_CLASSES['credit'])}(?: |$)")
_CREDIT_ONLY = re.compile(rf"(?:ו?{any_of((*_CLASSES['credit'], 'and', 'the'))}(?: |$)|\d+(?: |$))+")
_CREDIT_BY, _CREDIT_STRONG = _within("credit_by"), _whole("credit_strong")
_HEADINGS = frozenset({"שאלה", "שאלות", "frequently", "שיחת", "תמלול"})
_SOUND, _STRAY = _whole("sound"), _whole("stray")
_POLITE, _AGREEING = _whole("polite", "thank", "crowd", "agreeing"), _whole("agreeing")
_META, _META_ORDER, _META_ANCHOR = _within("meta"), _within("meta_order"), _within("meta_anchor")
_FOREIGN_MEDIUM, _FOREIGN_REQUEST = _within("foreign_medium"), _within("foreign_request")
_FOREIGN_THANKS = _whole("foreign_thanks_caller")
_REQUEST_PARTS = tuple(word for word in _CLASSES["foreign_request"] if scripts(word) - _CALLER_SCRIPTS)
_MEDIUM_PARTS = tuple(word for word in _CLASSES["foreign_medium"] if scripts(word) - _CALLER_SCRIPTS)
_FOREIGN_LATIN = frozenset(_CLASSES["foreign_latin"])


def judge(text: str, lang: str = "") -> Verdict:
    """`lang` is the language transcribed, "" if unknown; it only helps to tell foreign Latin text from English."""
    plain, tagged = without_tags(text)
    folded = fold(plain)
    if not folded:
        return Verdict(DROP, "sound_tag" if tagged else "empty")
    words = folded.split()
    if _looped(words):
        return Verdict(DROP, "loop")
    if _URL.fullmatch(plain) and "@" not in plain:
        return Verdict(DROP, "credits")
    written = scripts(folded)
    if written - {"HEBREW", "LATIN"}:
        return _foreign(folded, written)
    if "HEBREW" not in written and _is_foreign_latin(folded, words, plain, lang):
        return _foreign(folded, written)
    return _native(plain, folded, words)


def _native(plain: str, folded: str, words: Sequence[str]) -> Verdict:
    """Text in the languages that the agent speaks."""
    asked = any(question for _, question in clauses(plain))
    own = asked or bool(_OWN.search(folded))
    if _THANKS_FOR_VIEWING.match(folded):
        return Verdict(DROP, "outro")
    if _credits(plain, folded, words):
        return Verdict(DROP, "credits")
    if _ON_AIR.fullmatch(folded) and _ON_AIR_WORD.search(folded):
        return Verdict(DROP, "on_air")
    if _SUBSCRIBE_TO.match(folded) and not asked:
        return Verdict(DROP, "subscribe")
    if not own and (_SUBSCRIBE_ALONE.match(folded) or _MEDIUM.search(folded) and _ADDRESS.search(folded)):
        return Verdict(DROP, "subscribe")
    if _MEDIUM.search(folded) and _NEXT_TIME.search(folded) and not asked:
        return Verdict(DROP, "outro")
    if _prompt_echo(folded, words, own):
        return Verdict(DROP, "prompt_echo")
    if _STRAY.fullmatch(folded) and len(words) == 1:
        return Verdict(DROP, "stray_word")
    if _THANKS_FOR_LISTENING.match(folded):
        return Verdict(LOW, "outro")
    if _POLITE.fullmatch(folded) and not _AGREEING.fullmatch(folded):
        # A wish to a crowd is a broadcast's; a greeting of two words may be said into any room.
        spoken_to_many = _CROWD.search(folded) and len(words) > 2 and "HEBREW" not in scripts(folded)
        return Verdict(DROP, "outro") if spoken_to_many else Verdict(LOW, "polite")
    if _SOUND.fullmatch(folded):
        return Verdict(LOW, "sound_word")
    return Verdict(KEEP, "genuine")


def _credits(plain: str, folded: str, words: Sequence[str]) -> bool:
    """A credit: made of credit words alone (two of them, or a strong one), or one with "by" or a colon and a name."""
    head = _CREDIT_HEAD.match(folded)
    if not head or _OWN.search(folded):
        return False
    if _CREDIT_STRONG.fullmatch(folded) or _CREDIT_ONLY.fullmatch(folded) and len(words) > 1:
        return True
    marked = _CREDIT_BY.search(folded) or _CREDIT_MARK.match(plain.strip())
    return bool(marked) and len(words) <= 8


def _prompt_echo(folded: str, words: Sequence[str], own: bool) -> bool:
    """The transcriber's own instructions: an order to transcribe, or a list of what calls are about."""
    if own:
        return False
    covered = sum(len(match.group().split()) for match in _META.finditer(folded))
    share = covered / len(words)
    if _META_ORDER.match(folded) and share >= 0.6:
        return True
    bare = sum(word[1:] in _CLASSES["meta"] for word in words if word[0] in "ובהל" and word not in _CLASSES["meta"])
    anchored = _META_ANCHOR.search(folded) is not None
    if not anchored or (covered + bare) / len(words) < 0.8:
        return False
    heading = len(words) > 1 and covered == len(words) and words[0] in _HEADINGS
    return heading or len(words) >= 4


def _looped(words: Sequence[str]) -> bool:
    """One token five times in a row, or a phrase round and round; numbers may repeat."""
    for size in range(1, LONGEST_PHRASE_WORDS + 1):
        for start in range(min(size, max(0, len(words) - 2 * size + 1))):
            if _rounds(words[start:], size):
                return True
    return False


def _rounds(words: Sequence[str], size: int) -> bool:
    run = size
    needed = LOOP_FROM * size if size <= 2 else max(LONG_LOOP_WORDS, 3 * size)
    for at in range(size, len(words)):
        run = run + 1 if words[at] == words[at - size] else size
        phrase = words[at - size + 1 : at + 1]
        if run >= needed and not all(word.isdigit() or word in _DIGITS for word in phrase):
            return True
    return False


def _is_foreign_latin(folded: str, words: Sequence[str], plain: str, lang: str) -> bool:
    """Latin text that is not English: said so, accented beyond loan-words, or made of another tongue's small words."""
    if lang == "en":
        return False
    foreign = sum(word in _FOREIGN_LATIN for word in words)
    accented = any(ord(char) > 0xBF and char.isalpha() for char in plain) or "¡" in plain or "¿" in plain
    known = _FOREIGN_THANKS.fullmatch(folded) is not None or _FOREIGN_MEDIUM.search(folded) is not None
    if lang == "other" or known and not _MEDIUM.search(folded):
        return True
    return (accented or foreign * 2 >= len(words)) and (foreign > 0 or known)


def _foreign(folded: str, written: frozenset[str]) -> Verdict:
    """Another language: outros and credits are dropped, thanks need evidence, a request is a caller."""
    request = _FOREIGN_REQUEST.search(folded) or any(part in folded for part in _REQUEST_PARTS)
    if _FOREIGN_MEDIUM.search(folded) or any(part in folded for part in _MEDIUM_PARTS):
        return Verdict(DROP, "foreign_outro")
    if _FOREIGN_THANKS.fullmatch(folded):
        return Verdict(LOW, "foreign_polite")
    if request:
        return Verdict(KEEP, "foreign_caller")
    if written - _CALLER_SCRIPTS:
        return Verdict(DROP, "foreign_script")
    if "LATIN" in written and not written & {"CYRILLIC", "ARABIC", "HEBREW", "ETHIOPIC"}:
        return Verdict(DROP, "foreign_text") if len(folded.split()) <= 5 else Verdict(KEEP, "foreign_caller")
    return Verdict(KEEP, "foreign_caller")
