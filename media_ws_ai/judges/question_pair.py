"""Do two of the agent's questions ask the same thing?

What is asked is compared first: another interrogative, number, negation or time is another question however alike the
words. Words are compared by rapidfuzz for what no concept is known of, and to give the similarity a figure.
"""

from collections.abc import Sequence

from rapidfuzz import fuzz

from media_ws_ai.judges.question import ANY_INTERROGATIVE, DEGREE, MEASURE, PERSON, PLACE, SOFT, TEMPORAL, Asked, read
from media_ws_ai.judges.verdict import QuestionVerdict

DUPLICATE_FROM = 0.85
_APART = 0.5  # at most this alike, when they ask different things
_ALIKE_WORDS = 75.0
# Asked about these, "when" and "what" come to the same.
_WHENEVER = frozenset({"birth", "since", "duration", "callback", "reason", "source"})

asked = read


def judge(a: str, b: str) -> QuestionVerdict:
    """`duplicate` or `different`, with the similarity (0..1) that a log shows."""
    one, other = read(a), read(b)
    if not one.folded or not other.folded:
        return QuestionVerdict("different", "empty", 0.0)
    if one.folded == other.folded:
        return QuestionVerdict("duplicate", "same_words", 1.0)
    measure = _measure(one, other)
    why = _difference(one, other)
    if why:
        return QuestionVerdict("different", why, round(min(_APART, measure), 3))
    return QuestionVerdict("duplicate", "same_question", round(max(DUPLICATE_FROM, measure), 3))


def _difference(one: Asked, other: Asked) -> str:
    """Why they are two questions, or "" when they are one."""
    guards = one.guards ^ other.guards
    if guards and not (guards == {"more"} and {"onemoreask"} <= one.concepts & other.concepts):
        return "guard_" + min(guards)
    if one.numbers != other.numbers:
        return "number"
    if not _interrogatives_agree(one, other):
        return "interrogative"
    return _topics(one, other)


def _interrogatives_agree(one: Asked, other: Asked) -> bool:
    if one.interrogative == other.interrogative or "any" in (one.interrogative, other.interrogative):
        return True
    both = one.concepts & other.concepts
    pair = {one.interrogative, other.interrogative}
    if (
        both & ANY_INTERROGATIVE
        and (not pair & {"when", "where", "why"} or both & _WHENEVER)
        and ("" not in (one.interrogative, other.interrogative) or "onemoreask" in both)
    ):
        return True
    if pair == {"which", "who"}:
        return bool((one.concepts | other.concepts) & PERSON)
    if pair == {"which", "when"}:
        return bool((one.concepts | other.concepts) & (TEMPORAL | {"birth", "opening", "closing"}))
    if pair == {"which", "where"}:
        return bool((one.concepts | other.concepts) & PLACE)
    if pair == {"which", "how"}:
        return not (one.concepts ^ other.concepts) - SOFT
    if pair == {"which", "howmany"}:
        return bool(both & MEASURE)
    if pair in ({"", "howmany"}, {"", "how"}, {"how", "howmany"}):
        return bool(both & DEGREE) and one.concepts == other.concepts
    return False


def _topics(one: Asked, other: Asked) -> str:
    """Whether both are about the same things, times and places allowing for how finely they are asked."""
    mine, theirs = set(one.concepts), set(other.concepts)
    my_words, their_words = one.unknown, other.unknown
    if "when" in (one.interrogative, other.interrogative) and not (mine & TEMPORAL and theirs & TEMPORAL):
        mine, theirs = mine - TEMPORAL, theirs - TEMPORAL
    if "where" in (one.interrogative, other.interrogative) and not (mine & PLACE and theirs & PLACE):
        mine, theirs = mine - PLACE, theirs - PLACE
    left, right = _unmatched(my_words, their_words), _unmatched(their_words, my_words)
    if "who" in (one.interrogative, other.interrogative):
        mine, theirs = mine - PERSON, theirs - PERSON
    apart = (mine ^ theirs) - SOFT
    if not apart and not left and not right:
        if not mine & theirs and mine ^ theirs and not (one.numbers or _same_asking(one, other)):
            return "topic"
        return ""
    shared = len(mine & theirs) + len(my_words) - len(left)
    if apart or not shared:
        return "topic"
    # One side says more in words that no table knows: the same question if what they share outweighs it.
    return "" if max(len(left), len(right)) <= 1 and (mine & theirs or len(my_words) > len(left)) else "topic"


def _same_asking(one: Asked, other: Asked) -> bool:
    return one.interrogative == other.interrogative and one.interrogative in ("when", "where", "which", "who")


def _unmatched(words: Sequence[str], others: Sequence[str]) -> list[str]:
    return [word for word in words if not any(fuzz.ratio(word, other) >= _ALIKE_WORDS for other in others)]


def _measure(one: Asked, other: Asked) -> float:
    """0.8 token-set ratio of the words that carry the question, 0.2 Dice of letter pairs of the whole text."""
    left = " ".join(one.words) or one.folded
    right = " ".join(other.words) or other.folded
    return 0.8 * fuzz.token_set_ratio(left, right) / 100 + 0.2 * _pair_dice(one.folded, other.folded)


def _pair_dice(left: str, right: str) -> float:
    pairs, others = ({text[at : at + 2] for at in range(len(text) - 1)} for text in (left, right))
    total = len(pairs) + len(others)
    return 2 * len(pairs & others) / total if total else 0.0
