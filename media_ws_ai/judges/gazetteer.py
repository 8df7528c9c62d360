"""The localities of Israel, found under any spelling of their names; what a find is worth is `locality`'s to say."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rapidfuzz import fuzz, process

from media_ws_ai.judges.lexicon import packaged, word_classes
from media_ws_ai.judges.text import fold

_GERESH = re.compile(r"['׳´’‘`]")
_LATIN_ALIKE = (
    ("kefar", "kfar"), ("kafar", "kfar"), ("beit", "bet"), ("beth", "bet"), ("qiriat", "kiryat"), ("q", "k"),
    ("tz", "z"), ("ts", "z"), ("kh", "h"), ("ch", "h"), ("ph", "f"), ("w", "v"), ("ck", "k"), ("iy", "i"), ("ee", "i"),
    ("oo", "u"), ("ei", "e"), ("ai", "e"), ("y", "i"), ("c", "k"), ("dj", "j"), ("al ", "el "),
)  # fmt: skip
_NEAR_ENOUGH = 80.0  # one letter in five; it is only ever asked back
_NEAR_LETTERS = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A settlement: its code, official name and number of inhabitants (0 when unknown)."""

    code: int
    name: str
    population: int


@dataclass(frozen=True, slots=True)
class Found:
    """The places that a form may mean; `weak` when the form is only understood after a city was asked for."""

    places: tuple[Place, ...]
    weak: bool = False


@lru_cache(maxsize=2048)  # the words of one sentence are asked for again and again, with and without prefixes
def key(text: str) -> str:
    """A name as it is compared: full and short spelling, ה/א at the end, doubled letters and Latin habits made one."""
    words = []
    for word in fold(text).split():
        plain = re.sub(r"([יו])\1+", r"\1", word)
        if plain.isascii():
            plain = re.sub(r"(.)\1+", r"\1", plain)
            for habit, common in _LATIN_ALIKE:
                plain = plain.replace(habit, common)
            plain = re.sub(r"(.)\1+", r"\1", plain.removesuffix("h") if len(plain) > 3 else plain)
        elif len(plain) > 2 and plain[-1] == "א":
            plain = plain[:-1] + "ה"
        words.append(plain)
    return " ".join(words)


def skeleton(text: str) -> str:
    """A key without the letters that only carry a vowel, and without spaces; of a single Latin word nothing is left."""
    latin = key(text).split()
    if latin and all(word.isascii() for word in latin):
        return "".join(word[0] + re.sub("[aeiouh]", "", word[1:]) for word in latin) if len(latin) > 1 else ""
    return "".join(word[0] + re.sub("[ויאע]", "", word[1:]) for word in key(text).split())


def has_geresh(text: str) -> bool:
    return _GERESH.search(text) is not None


def _tight(text: str) -> str:
    return key(text).replace(" ", "")


def _forms(item: dict[str, Any]) -> Iterator[str]:
    for form in (item["name"], *item["variants"], *item["names_en"]):
        if form not in item["weak"]:
            yield form
        plain = form.partition("(")[0].strip(" -")
        if plain != form and plain not in item["weak"]:
            yield plain


class Gazetteer:
    """Indexes built once; every lookup is a few dictionary reads, and at most one fuzzy search."""

    def __init__(self, items: Iterable[dict[str, Any]]) -> None:
        self._exact: dict[str, set[int]] = defaultdict(set)
        self._strong: dict[str, set[int]] = defaultdict(set)
        self._weak: dict[str, set[int]] = defaultdict(set)
        self._bones: dict[str, set[int]] = defaultdict(set)
        self._heads: dict[str, set[int]] = defaultdict(set)
        self._places: dict[int, Place] = {}
        qualifiers = set(word_classes("places")["qualifier"])
        for item in items:
            code = int(item["id"])
            self._places[code] = Place(code, item["name"], item["population"])
            for form in _forms(item):
                self._exact[_GERESH.sub("'", form).casefold()].add(code)
                for found in (key(form), _tight(form)):
                    self._strong[found].add(code)
                self._bones[skeleton(form)].add(code)
                words = key(form).split()
                for length in range(1, len(words)):
                    self._heads[" ".join(words[:length])].add(code)
                if len(words) == 2 and fold(form).split()[1] in qualifiers:
                    self._strong[words[0]].add(code)
            for form in item["weak"]:
                self._weak[key(form)].add(code)
        self._known = list(self._strong)

    def find(self, form: str, spelled: bool = False) -> Found | None:
        """The places of this very form, under any spelling; None when it is no form of any.

        `spelled` asks for the words as they stand: within a sentence, words run together mean nothing.
        """
        if has_geresh(form):
            exact = self._exact.get(_GERESH.sub("'", form).casefold().strip(" .,!?"))
            if exact:
                return self._found(exact)
        strong = self._strong.get(key(form)) or (None if spelled else self._strong.get(_tight(form)))
        if strong:
            return self._found(strong)
        weak = self._weak.get(key(form))
        if weak:
            return self._found(weak, weak=True)
        if spelled:
            return None
        bones = skeleton(form)
        by_bones = self._bones.get(bones, set())
        return (
            self._found(by_bones)
            if len(by_bones) == 1 and len(bones) > (5 if bones.isascii() else 2) and len(fold(form)) > 3
            else None
        )

    def begun(self, form: str) -> tuple[Place, ...]:
        """The places whose names begin with these words and go on."""
        return self._found(self._heads.get(key(form), set())).places

    def near(self, form: str) -> Found | None:
        """The one place that this form nearly spells; None for short forms and when none is near."""
        wanted = key(form)
        if len(wanted) < _NEAR_LETTERS:
            return None
        best = process.extractOne(wanted, self._known, scorer=fuzz.ratio, score_cutoff=_NEAR_ENOUGH)
        return self._found(self._strong[best[0]], weak=True) if best else None

    def _found(self, codes: Iterable[int], weak: bool = False) -> Found:
        places = sorted((self._places[code] for code in codes), key=lambda place: (-place.population, place.code))
        return Found(tuple(places), weak)


def packaged_gazetteer() -> Gazetteer:
    """The gazetteer of the package's own data."""
    return Gazetteer(packaged("localities")["items"])
