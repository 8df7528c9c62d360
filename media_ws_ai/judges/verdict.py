"""What every judgement returns: a label, and the reason for it in the words of a log marker."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """`verdict` is a label of the kind judged, `reason` a short word that is never empty."""

    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class QuestionVerdict(Verdict):
    """`similarity` is 0..1; from `question_pair.DUPLICATE_FROM` on the two ask the same."""

    similarity: float


@dataclass(frozen=True, slots=True)
class LocalityVerdict(Verdict):
    """`localities` are official names and `locality_ids` the settlement codes, in the same order."""

    localities: tuple[str, ...]
    locality_ids: tuple[int, ...]
