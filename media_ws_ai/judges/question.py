"""What a question asks: its interrogative, the things it is about, and the words that turn it into another question.

Reads one question; comparing two is `question_pair`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from media_ws_ai.judges.lexicon import any_of, packaged
from media_ws_ai.judges.text import fold

_DATA = packaged("questions")


def _folded(phrases: Iterable[str]) -> list[str]:
    return [folded for phrase in phrases if (folded := fold(phrase))]


def _by_word(table: str) -> dict[str, str]:
    return {word: name for name, phrases in _DATA[table].items() for word in _folded(phrases)}


WEAK = frozenset(_folded(_DATA["weak"]))
SOFT = frozenset(_DATA["soft"])
TEMPORAL = frozenset(_DATA["focus"]["temporal"])
PLACE = frozenset(_DATA["focus"]["place"])
DEGREE = frozenset(_DATA["focus"]["degree"])
MEASURE = frozenset(_DATA["focus"]["measure"])
PERSON = frozenset(_DATA["focus"]["person"])
ANY_INTERROGATIVE = frozenset(_DATA["focus"]["any_interrogative"])

_INTERROGATIVE, _GUARD, _NUMBER = _by_word("interrogatives"), _by_word("guards"), _by_word("numbers")
_PHRASE, _CONCEPT = _by_word("phrases"), _by_word("concepts")
_REQUEST = re.compile(rf"(?<!\S){any_of(_folded(_DATA['requests']))}(?!\S)")
_PHRASES = re.compile(rf"(?<!\S)[ובלמהש]?{any_of(list(_PHRASE))}(?!\S)")
_LONG_WORDS = re.compile(
    r"(?<!\S)[ובלמהש]?"
    + any_of([w for table in (_INTERROGATIVE, _GUARD, _NUMBER, _CONCEPT) for w in table if " " in w])
    + r"(?!\S)"
)
_PREFIXES = "ובלמהשכ"
_SUFFIXES = ("יהם", "ים", "ות", "כם", "ך", "י", "ה", "ת", "ing", "ed", "es", "s")
_PLURAL = re.compile(r"מספר ה?\S{3,}(?:ים|ות)(?= |$)")
_CALLED = re.compile(r"(?<!\S)(?:ו?איך|כיצד) (?:קוראים|נקרא|נקראת) ל(?!ך |ך$|כם)(?=\S)")
_PREFERENCE = re.compile(
    r"מסוימ?ת?(?= |$)|מסוים(?= |$)|you prefer|you would prefer|in particular|(?:particular|specific|preferred)(?= )"
)
_VERIFIES = re.compile(
    r"(?:האם )?(?:זה|זו|זאת) ה|is (?:this|that) (?:your|the|a)|(?:האם )?ה?\S+ ש(?:לך|לכם) (?:הוא|היא|זה)"
)


# What the first says, the second only says again.
_FINER = (
    ("surname", "name"), ("firstname", "name"), ("company", "name"), ("birth", "day"), ("birth", "name"),
    ("phone", "call"), ("hmo", "insurance"), ("email", "address"), ("since", "start"), ("source", "hearing_us"),
    ("size", "dwelling"), ("name", "call"), ("onemoreask", "help"), ("callback", "call"), ("reason", "inquiry"),
    ("opponent", "people"), ("family_doctor", "doctor"), ("idnumber", "name"), ("address", "delivery"),
    ("budget", "payment"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A question taken apart. `interrogative` is "" for yes/no, "any" for an ellipsis ("and your address?")."""

    interrogative: str
    concepts: frozenset[str]
    guards: frozenset[str]
    numbers: frozenset[str]
    words: tuple[str, ...]
    unknown: tuple[str, ...]
    folded: str


def read(question: str) -> Asked:
    """The question taken apart; a text that asks nothing comes out with little in it, never an error."""
    folded = fold(question)
    interrogatives: list[str] = []
    concepts: set[str] = set()
    guards: set[str] = set()
    numbers: set[str] = set()
    words: list[str] = []
    unknown: list[str] = []
    rest = _CALLED.sub("מה שם ה", folded)
    if _PLURAL.search(rest):
        rest = rest.replace("מספר", "כמה", 1)
    request = _REQUEST.search(rest)
    if request:
        rest = rest[: request.start()] + rest[request.end() :]
    for phrase in _PHRASES.finditer(rest):
        concepts.add(_PHRASE.get(phrase.group()) or _PHRASE[phrase.group()[1:]])
        words.extend(phrase.group().split())
        if any(_known(word)[0] == "interrogative" for word in phrase.group().split()):
            interrogatives.append("which")
    rest = _PHRASES.sub(" ", rest)
    joined = _LONG_WORDS.sub(lambda match: match.group().replace(" ", "_"), rest)
    for token in joined.split():
        table, name = _known(token.replace("_", " "))
        if table == "interrogative":
            interrogatives.append(name)
        elif table == "guard":
            guards.add(name)
        elif table == "number":
            numbers.add(name)
        elif table == "concept":
            concepts.add(name)
        elif table == "word":
            unknown.append(name)
        if table:
            words.append(name if table in ("concept", "word") else token)
    return Asked(
        _interrogative(interrogatives, request is not None, folded, concepts),
        _settled(interrogatives, concepts, guards, numbers, unknown),
        _settled_guards(guards, concepts),
        frozenset(numbers),
        tuple(words),
        tuple(unknown),
        folded,
    )


def _known(token: str) -> tuple[str, str]:
    """Which table knows the word, and under what name: as it stands, then without prefixes, then without an ending."""
    for bare in _bare_forms(token):
        if bare in _INTERROGATIVE:
            return "interrogative", _INTERROGATIVE[bare]
        if bare in _NUMBER:
            return "number", _NUMBER[bare]
        if bare in _GUARD:
            return "guard", _GUARD[bare]
        if bare in _CONCEPT:
            return "concept", _CONCEPT[bare]
        if bare in WEAK:
            return "", ""
    if token.isdigit():
        return "number", token
    for suffix in _SUFFIXES:
        stem = token.removesuffix(suffix)
        if len(stem) >= 3 and stem != token:
            for bare in _bare_forms(stem):
                if bare in _CONCEPT:
                    return "concept", _CONCEPT[bare]
    stripped = token[1:] if token[0] in "ובלמהש" and len(token) >= 5 else token
    return "word", stripped


def _bare_forms(token: str) -> list[str]:
    forms = [token]
    while forms[-1][0] in _PREFIXES and len(forms[-1]) >= 3 and len(forms) < 4:
        forms.append(forms[-1][1:])
    return forms


def _interrogative(found: list[str], request: bool, folded: str, concepts: set[str]) -> str:
    named = [name for name in found if name != "which"]
    if named:
        return named[0]
    if found:
        return "which"
    if (request or _PREFERENCE.search(folded)) and concepts:
        return "which"
    if _VERIFIES.match(folded):
        return ""
    words = folded.split()
    if concepts and (len(words) <= 4 and folded.startswith(("and ", "ו")) or len(words) <= 4 and words[0] == "אפשר"):
        return "any"
    return "any" if words and _is_noun(words[0]) and "או" not in words else ""


def _is_noun(word: str) -> bool:
    """Whether a question that begins with this word is an ellipsis: a thing or a number, no verb in the future."""
    return word[0] not in "לתנש" and (word in _CONCEPT or word in _NUMBER) and word not in _GUARD


def _settled_guards(guards: set[str], concepts: set[str]) -> frozenset[str]:
    """Moving an appointment is to another time, and what was before has been already."""
    said_again = {"more"} if "move" in concepts else set()
    return frozenset(guards - said_again - ({"already"} if "past" in guards else set()))


def _settled(
    found: list[str], concepts: set[str], guards: set[str], numbers: set[str], unknown: list[str]
) -> frozenset[str]:
    """The concepts, once those that only repeat or replace another are settled."""
    settled = set(concepts)
    if "why" in found:
        settled.add("reason")
    if "howmany" in found and not settled and not numbers and not unknown:
        settled.add("people")
    if "howmany" in found and settled == {"payment"} and "past" not in guards:
        settled = {"budget"}
    if numbers:
        settled -= TEMPORAL
    for finer, coarser in _FINER:
        if finer in settled:
            settled.discard(coarser)
    if settled & (PERSON | {"street", "city", "neighborhood"}):
        settled.discard("name")
    if "help" in settled and "more" in guards:
        settled = (settled - {"help"}) | {"onemoreask"}
    return frozenset(settled)
