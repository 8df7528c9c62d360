"""Which place does the caller name, and may it be taken as said?

After a city question a name is taken, confirmed (it is also a first name, a day, a common word), told apart from its
namesakes or completed; elsewhere only a name that is hardly anything else is taken.
"""

import re
from collections.abc import Iterator

from media_ws_ai.judges.gazetteer import Found, has_geresh, key, packaged_gazetteer
from media_ws_ai.judges.lexicon import any_of, word_classes
from media_ws_ai.judges.text import fold, without_tags
from media_ws_ai.judges.verdict import LocalityVerdict

IN_CITY_SLOT = "in_city_slot"
OUTSIDE_CITY_SLOT = "outside_city_slot"
CONTEXTS = (IN_CITY_SLOT, OUTSIDE_CITY_SLOT)

_PREFIXES = ("שב", "שמ", "וב", "ומ", "מה", "ב", "ל", "מ", "ה", "ש", "ו")
_LONGEST_NAME_WORDS = 4
_SHORT_LETTERS = 3

_GAZETTEER = packaged_gazetteer()
_CLASSES = word_classes("places")
_REGIONS = frozenset(key(region) for region in _CLASSES["region"])
_STREETS = frozenset(_CLASSES["street"])
_INTRODUCES = re.compile(rf"(?<!\S){any_of(_CLASSES['introduces'])}(?!\S)")
_CARRIERS = frozenset(_CLASSES["carrier"])


def _ambiguous_codes() -> tuple[frozenset[str], frozenset[int]]:
    """Forms that are also a first name or a common word, and the places known by one of them."""
    forms = frozenset(key(form) for name in ("first_name", "common_word") for form in _CLASSES[name])
    return forms, frozenset(
        place.code
        for form in (*_CLASSES["first_name"], *_CLASSES["common_word"])
        if (found := _GAZETTEER.find(form)) and not found.weak
        for place in found.places
        if key(place.name) == key(form)
    )


_AMBIGUOUS, _AMBIGUOUS_CODES = _ambiguous_codes()


def judge(text: str, context: str = IN_CITY_SLOT) -> LocalityVerdict:
    """`accept`, `confirm`, `disambiguate`, `complete` or `not_city`, with the places meant, the largest first."""
    spoken, _ = without_tags(text)
    in_slot = context == IN_CITY_SLOT
    bare = _without_carriers(spoken)
    if not bare:
        return _verdict("not_city", "empty")
    for form in _readings(bare):
        region = key(form) in _REGIONS
        begun = _GAZETTEER.begun(form)
        found = _GAZETTEER.find(form)
        if region and not (found and not found.weak and form == bare and not _is_head(begun, found)):
            return _verdict("complete", "region")
        if found and not _is_head(begun, found):
            return _worth(form, found, in_slot)
        if form != bare:
            continue
        if len(begun) > 1:
            return _verdict("complete" if in_slot else "not_city", "partial_name")
        if begun and in_slot:
            return _verdict("confirm", "partial_name", Found(begun))
    return _inside(bare, in_slot)


def _is_head(begun: tuple[object, ...], found: Found) -> bool:
    """Whether a form is rather the beginning of many names ("נווה") than the hamlet of that name."""
    return len(begun) >= 5 and all(place.population < 5000 for place in found.places)


def _worth(form: str, found: Found, in_slot: bool) -> LocalityVerdict:
    """What a found name is worth, in the city slot and elsewhere."""
    if found.weak and not in_slot:
        return _verdict("not_city", "weak_form", found)
    if len(found.places) > 1:
        return _verdict("disambiguate", "namesakes", found)
    place = found.places[0]
    single = " " not in fold(form)
    ambiguous = single and (key(form) in _AMBIGUOUS or place.code in _AMBIGUOUS_CODES and form.isascii())
    if found.weak or ambiguous:
        reason = "weak_form" if found.weak else "also_a_word_or_name"
        return _verdict("confirm" if in_slot else "not_city", reason, found)
    if not in_slot and has_geresh(form) and len(fold(form)) <= _SHORT_LETTERS:
        return _verdict("confirm", "short_with_geresh", found)
    return _verdict("accept", "known_locality", found)


def _inside(bare: str, in_slot: bool) -> LocalityVerdict:
    """No reading of the whole: a name within a sentence, or a near miss of one."""
    words = bare.split()
    if _INTRODUCES.search(fold(bare)):
        return _verdict("not_city", "a_name_is_said")
    for size in range(min(_LONGEST_NAME_WORDS, len(words) - 1), 0, -1):
        for at in range(len(words) - size + 1):
            if _in_a_street(words, at, size):
                continue
            for form in _readings(" ".join(words[at : at + size])):
                found = _GAZETTEER.find(form, spelled=True)
                if found and not found.weak and key(form) not in _AMBIGUOUS and len(fold(form)) > 2:
                    return _worth(form, found, in_slot)
    near = _GAZETTEER.near(bare) if in_slot and len(words) <= _LONGEST_NAME_WORDS else None
    if near:
        return _verdict("confirm" if len(near.places) == 1 else "disambiguate", "near_spelling", near)
    return _verdict("not_city", "no_locality")


def _in_a_street(words: list[str], at: int, size: int) -> bool:
    """Whether these words are, or name, a street ("on Haifa Street", "שדרות רוטשילד")."""
    before = {fold(form) for form in _readings(words[at - 1])} if at else set()
    after = {fold(words[at + size])} if at + size < len(words) else set()
    own = {fold(form) for form in _readings(words[at])} if size == 1 and after else set()
    return bool((before | own | {word for word in after if word.isascii()}) & _STREETS)


def _readings(form: str) -> Iterator[str]:
    """The form itself, then without one Hebrew prefix ("in", "from", "to", "the")."""
    yield form
    for prefix in _PREFIXES:
        if form.startswith(prefix) and len(form) - len(prefix) > 2:
            yield form[len(prefix) :].lstrip("-־")


def _without_carriers(spoken: str) -> str:
    """The text without the words that only carry a name ("I live in …", "from the city of …"); quotes are kept."""
    words = [word.strip(".,!?;:…()") for word in spoken.replace("־", " ").split()]
    words = [word for word in words if fold(word)]
    while len(words) > 1 and fold(words[0]) in _CARRIERS:
        words.pop(0)
    while len(words) > 1 and fold(words[-1]) in _CARRIERS:
        words.pop()
    return " ".join(words)


def _verdict(verdict: str, reason: str, found: Found | None = None) -> LocalityVerdict:
    places = found.places if found and verdict != "not_city" else ()
    return LocalityVerdict(
        verdict, reason, tuple(place.name for place in places), tuple(place.code for place in places)
    )
