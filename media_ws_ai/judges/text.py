"""Text as it is compared: what speech-to-text, keyboards and bidi editors add is taken off, the words stay."""

import re
import unicodedata

QUOTES = frozenset("'\"`´‘’‚‛“”„‟«»׳״′″")
FINALS = str.maketrans("ךםןףץ", "כמנפצ")
CLAUSE_END = re.compile(r"[.?!,;:…،؟。！？、\n]+|\s[-–—]+\s")
TAG = re.compile(r"\[[^\]]*\]|\([^)]*\)|【[^】]*】|<[^>]*>|\*[^*]*\*|[♪♫♬🎵🎶][^♪♫♬🎵🎶]*[♪♫♬🎵🎶]?")


def fold(text: str) -> str:
    """Lower case, one space between words; no niqqud, accents, quotes, geresh, punctuation or invisible marks."""
    kept: list[str] = []
    for char in unicodedata.normalize("NFKD", text):
        if char in QUOTES:
            continue
        category = unicodedata.category(char)
        if category in ("Mn", "Cf", "Cc") and char not in "\n\t\r":
            continue
        kept.append(char if category[0] in "LN" else " ")
    return " ".join("".join(kept).lower().split())


def unstretched(word: str) -> str:
    """A word as it is meant when its letters are drawn out: final forms plain, runs of a letter to one."""
    return re.sub(r"(.)\1+", r"\1", word.translate(FINALS))


def clauses(text: str) -> list[tuple[str, bool]]:
    """The folded clauses of a text, each with whether a question mark ends it; empty ones are left out."""
    found: list[tuple[str, bool]] = []
    start = 0
    for end in CLAUSE_END.finditer(text):
        folded = fold(text[start : end.start()])
        if folded:
            found.append((folded, any(mark in end.group() for mark in "?؟？")))
        start = end.end()
    rest = fold(text[start:])
    if rest:
        found.append((rest, False))
    return found


def without_tags(text: str) -> tuple[str, bool]:
    """The text without bracketed, starred or sung tags, and whether there was one."""
    plain = TAG.sub(" ", text)
    return plain, plain != text


def scripts(text: str) -> frozenset[str]:
    """The writing systems of the letters: HEBREW, LATIN, CYRILLIC, ARABIC, CJK, …"""
    names: set[str] = set()
    for char in text:
        if char.isalpha():
            name = unicodedata.name(char, "UNKNOWN").partition(" ")[0]
            names.add("CJK" if name in _EAST_ASIAN else name)
    return frozenset(names)


_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "IDEOGRAPHIC", "HALFWIDTH"})
