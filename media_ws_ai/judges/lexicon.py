"""Classes of words from the packaged data, and the scanner that cuts an utterance into them.

A shape is a regular expression over folded text in which `{name}` stands for any phrase of that class.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from media_ws_ai.errors import ContractError
from media_ws_ai.judges.text import fold

CONTENT = "content"


def packaged(name: str) -> dict[str, Any]:
    """The data file `name`.json of this package."""
    path = resources.files("media_ws_ai.judges").joinpath("data", f"{name}.json")
    loaded = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(loaded, dict):
        raise ContractError(f"judges/data/{name}.json is not an object")
    return loaded


def word_classes(name: str) -> dict[str, tuple[str, ...]]:
    """The `classes` of a data file, each phrase folded, repetitions left out."""
    return {
        key: tuple(dict.fromkeys(folded for phrase in phrases if (folded := fold(phrase))))
        for key, phrases in packaged(name)["classes"].items()
    }


def any_of(phrases: Sequence[str]) -> str:
    """A regular expression for one of the phrases, the longest first."""
    if not phrases:
        return r"(?!)"
    return "(?:" + "|".join(re.escape(phrase) for phrase in sorted(phrases, key=lambda p: (-len(p), p))) + ")"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the utterance: its class, and its words as one string."""

    kind: str
    text: str


class Scanner:
    """Cuts folded text into pieces, the longest match first; a word of no class is content by itself."""

    def __init__(self, classes: Mapping[str, Sequence[str]], shapes: Mapping[str, str]) -> None:
        words = {name: any_of(phrases) for name, phrases in classes.items()}
        self._shapes = [(kind, re.compile(f"(?:{_filled(shape, words)})(?= |$)")) for kind, shape in shapes.items()]
        self._one_word = re.compile(r"\S+")

    def scan(self, folded: str) -> list[Piece]:
        """Pieces in their order; the Hebrew "and" before a word hides no class."""
        pieces: list[Piece] = []
        at = 0
        while at < len(folded):
            kind, end = self._longest(folded, at)
            if end == at and folded[at] == "ו" and at + 1 < len(folded) and folded[at + 1] != " ":
                kind, end = self._longest(folded, at + 1)
                end = at if end == at + 1 else end
            if end == at:
                word = self._one_word.match(folded, at)
                kind, end = CONTENT, word.end() if word else len(folded)
            pieces.append(Piece(kind, folded[at:end]))
            at = end + 1
        return pieces

    def _longest(self, folded: str, at: int) -> tuple[str, int]:
        best, best_end = CONTENT, at
        for kind, shape in self._shapes:
            match = shape.match(folded, at)
            if match and match.end() > best_end:
                best, best_end = kind, match.end()
        return best, best_end


def _filled(shape: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda name: words[name.group(1)], shape)
