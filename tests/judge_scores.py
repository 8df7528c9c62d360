"""Scores of the judges on labelled items, as the goals count them; not a test itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
FILES = {
    "first": {
        "backchannel": "backchannels",
        "short_answer": "short_answers",
        "goodbye": "goodbyes",
        "hallucination": "stt_hallucinations",
        "question_pair": "question_pairs",
        "locality": "localities_ambiguous",
    },
    "second": {},
}


def items(part: str, kind: str) -> list[dict[str, Any]]:
    """The labelled items of a kind: `first` is the development data, `second` was written from the policies alone."""
    path = DATA / part / f"{FILES[part].get(kind, kind)}.json"
    loaded: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["items"]
    return loaded


@dataclass
class Tally:
    """How often each (expected, judged) pair occurred."""

    pairs: list[tuple[str, str]]

    def precision(self, label: str) -> float:
        judged = [expected for expected, got in self.pairs if got == label]
        return judged.count(label) / len(judged) if judged else 1.0

    def recall(self, label: str) -> float:
        wanted = [got for expected, got in self.pairs if expected == label]
        return wanted.count(label) / len(wanted) if wanted else 1.0

    def share_right(self) -> float:
        return sum(expected == got for expected, got in self.pairs) / len(self.pairs)


def languages(found: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """All items, then those of each language that has twenty or more."""
    yield "all", found
    for lang in ("he", "en"):
        some = [item for item in found if item.get("lang") == lang]
        if len(some) >= 20:
            yield lang, some
