"""May this utterance stop the agent while it speaks, and what is it worth after a question?

Decided by what the utterance is made of: hesitation, humming, acknowledgement, prompting, wonder and noise leave the
agent its turn; one word of content beside them takes it.
"""

from collections.abc import Sequence

from media_ws_ai.judges.lexicon import CONTENT, Piece, Scanner, word_classes
from media_ws_ai.judges.text import FINALS, fold, unstretched, without_tags
from media_ws_ai.judges.verdict import Verdict

WHILE_AGENT_SPEAKING = "while_agent_speaking"
AFTER_AGENT_QUESTION = "after_agent_question"
CONTEXTS = (WHILE_AGENT_SPEAKING, AFTER_AGENT_QUESTION)

_CLASSES = word_classes("backchannels")
# What is drawn out, hummed or laughed has no spelling of its own: these are shapes of sound, not words.
_SHAPES = {
    "filler": r"{filler}|א+ה+|א{2,}|או?[מם]{2,}|או?מ|ה+[מם]{2,}|המ|[מם]+|אה+[מם]{3,}"
    r"|uh+|uh*m{1,}|e+r+m*|h+m+|m{2,}|a+h+|e+h+",
    "mhm": r"{mhm}|א+ה+א+|א+ה+ הא+|ה[מם]+ ה[מם]+|א?מ+ ה+מ+|א?מ+ה+מ+|מ+ה+מ+|m+ ?h+m+|[ua]+h+ ?h+[ua]+h+",
    "ack": r"{ack}|(?:אני )?{attending}(?: {taken_object})?|{taken_in}(?: {taken_object})?",
    "newsmark": r"{newsmark}|(?:איז[הו]|כמה|how) {exclaimed}|יוא+ו+|wo+w+|o{2,}h*|oh+",
    "yes": r"{yes}",
    "prompt": r"{prompt}|נו+",
    "noise": r"{noise}|פ?ח{2,}|פ[חפ]+|ה{3,}|ח[הא]+(?: ח[הא]+)*|ה[הא]+(?: ה[הא]+)+|הא+ה+א+|ש{3,}|אה+[מם]{1,2}|"
    r"(?:h[aeiou]+h*)(?: ?h[aeiou]+h*)+|sh{2,}|sh",
}
_SCANNER = Scanner(_CLASSES, _SHAPES)
_DRAWN_OUT = {
    unstretched(word): word
    for name in ("filler", "mhm", "ack", "yes", "newsmark", "prompt", "attending", "taken_in")
    for word in _CLASSES[name]
    if " " not in word and len(unstretched(word)) > 1
}


def pieces(text: str) -> list[Piece]:
    """The utterance as fillers, hums, acknowledgements … and content; tags of the transcriber are noise."""
    spoken, tagged = without_tags(text)
    folded = fold(spoken)
    if not folded:
        return [Piece("noise", fold(text))] if tagged else []
    return [_meant(piece) for piece in _SCANNER.scan(folded)]


def _meant(piece: Piece) -> Piece:
    """Content that is only a known word drawn out ("אוקייייי", "sooo") is that word."""
    if piece.kind != CONTENT or unstretched(piece.text) == piece.text.translate(FINALS):
        return piece
    word = _DRAWN_OUT.get(unstretched(piece.text))
    return _SCANNER.scan(word)[0] if word else piece


def interrupts(said: Sequence[Piece]) -> str:
    """Why these pieces take the turn, or an empty string: content, a complaint, or a single clear yes."""
    kinds = [piece.kind for piece in said]
    if CONTENT in kinds:
        return "content"
    if any(
        first.kind == "prompt" and second.text in _CLASSES["complaint"]
        for first, second in zip(said, said[1:], strict=False)
    ):
        return "complaint"
    return "intent_aware_single_token" if kinds == ["yes"] else ""


def judge(text: str, context: str = WHILE_AGENT_SPEAKING) -> Verdict:
    """`ignore`/`interrupt` while the agent speaks; `keep_listening`/`clarify`/`accept` after its question."""
    said = pieces(text)
    why = interrupts(said)
    kinds = {piece.kind for piece in said}
    if context == AFTER_AGENT_QUESTION:
        if why:
            return Verdict("accept", why)
        if kinds & {"ack", "yes"}:
            return Verdict("accept", "acknowledgement")
        if "mhm" in kinds:
            return Verdict("clarify", "weak_yes")
        return Verdict("keep_listening", _without_content(kinds))
    if why:
        return Verdict("interrupt", why)
    return Verdict("ignore", _without_content(kinds))


def _without_content(kinds: set[str]) -> str:
    if not kinds:
        return "empty"
    for kind, reason in (("ack", "backchannel"), ("yes", "backchannel"), ("mhm", "humming")):
        if kind in kinds:
            return reason
    for kind in ("newsmark", "prompt"):
        if kind in kinds:
            return kind
    return "filler_only" if "filler" in kinds else "noise_only"
