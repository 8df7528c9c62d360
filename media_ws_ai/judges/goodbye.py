"""Is the caller leaving? Leave-taking, wishes and announcements of the end; not thanks alone, not a question.

A wish or an announcement counts only when nothing else is said beside it in its clause; a plain "bye" also ends a
sentence with content before it, unless it is told of somebody, asked, negated or followed by more business.
"""

from collections.abc import Sequence

from media_ws_ai.judges.lexicon import CONTENT, Piece, Scanner, word_classes
from media_ws_ai.judges.text import clauses, unstretched, without_tags
from media_ws_ai.judges.verdict import Verdict

GOODBYE, STAYS = "goodbye", "not_goodbye"

_CLASSES = word_classes("goodbyes")
_SHAPES = {
    "bye": r"{bye}|בא?י{3,}|by+e+",
    "meet_again": r"(?:אז )?{meet_again}(?: ב?ו?{meet_when})*",
    # Of two shapes as long, the first stands: a greeting is no wish.
    "greeting": r"{daytime_greeting}(?: {for_you})?",
    "evening": r"{evening_greeting}(?: {for_you})?",
    "parting_wish": r"{night}(?: {for_you})?(?: שיהיה)?"
    r"|(?:{let_be} )?(?:{for_you} )?{go_on} (?:{time_he}(?: {good_he})+|{good_he} {time_he}|{time_en})(?: {for_you})?"
    r"|enjoy (?:{go_on} |your |the )?{time_en}",
    "wish": r"(?:{let_be} )?(?:{for_you} )?(?:{go_on} )?(?:{for_you} )?{time_he}(?: {good_he})+"
    r"(?: {let_be})?(?: {for_you})?"
    r"|(?:{let_be} )(?:{for_you} )*(?:{good_en} )*{time_en}(?: ahead)?|(?:{good_en} )+{time_en}(?: to you)?"
    r"|(?:{let_be} )?(?:{for_you} )?{blessing}(?: {for_you})?(?: שיהיה)?",
    "back_at_you": r"{back_at_you}",
    "peace": r"{peace}(?: {for_you})?",
    "thanks": r"{thanks}(?: {for_you})?",
    "thanks_for": r"{thanks_for}",
    "done": r"{done}",
    "ends": r"(?:אני )?(?:ממש )?{must} (?:{must} )?{to_end}(?: {end_object})*|אני {end_now}(?: {end_object})*"
    r"|(?:אז )?{to_end} {end_object}(?: {end_object})*|{you_end}(?: {end_object})*"
    r"|{i_must_en} {go_en}(?: {go_tail_en})*|{going_en}(?: {go_tail_en})*|{you_end}(?: {go_tail_en})*",
    "soft": r"{soft}",
}
_SCANNER = Scanner(_CLASSES, _SHAPES)
_TOLD = frozenset(_CLASSES["told"])
_NOT_FREE = frozenset(_CLASSES["not_free"])
_ASKS = frozenset(_CLASSES["asks"])
_TAGS = frozenset(_CLASSES["tag_question"])
_BESIDE = frozenset({"soft", "thanks", "done", "back_at_you"})
_LEAVING = frozenset({"ends", "wish", "parting_wish", "meet_again"})
_GREETINGS = frozenset({"greeting", "evening"})
_NAME_WORDS = 2  # "bye Danny", "goodbye Mr Cohen"


def judge(text: str, turn: str = "later") -> Verdict:
    """`goodbye` or `not_goodbye`; `turn` is "first" for the caller's first utterance of the call, else "later"."""
    plain, _ = without_tags(text)
    said = [(_thanked(_SCANNER.scan(folded)), asked) for folded, asked in clauses(plain)]
    if not said:
        return Verdict(STAYS, "empty")
    flat = [piece for pieces, _ in said for piece in pieces]
    if said[-1][1] and not _only(said[-1][0], {"bye", "ends", "soft", "thanks"}):
        return Verdict(STAYS, "question")
    bye = _farewell(flat)
    if bye:
        return Verdict(GOODBYE, bye) if bye == "leave_taking" else Verdict(STAYS, bye)
    return _without_bye(said, turn)


def _without_bye(said: Sequence[tuple[list[Piece], bool]], turn: str) -> Verdict:
    """No plain "bye" was said: the last clause must be a whole wish, announcement or see-you."""
    last, asked = _leaving_clause(said)
    kinds = {piece.kind for pieces, _ in said for piece in pieces}
    ending = {piece.kind for piece in last}
    if CONTENT in ending or asked and "ends" not in ending:
        return Verdict(STAYS, "pre_closing" if kinds <= {"thanks", "done", "soft"} else "content")
    if "ends" in ending:
        return Verdict(GOODBYE, "announced")
    if "meet_again" in ending:
        if last[-1].text in _TAGS and last[-1].kind != "meet_again":
            return Verdict(STAYS, "question")
        met = turn == "first" and len(said) == 1 and "peace" in ending
        return Verdict(STAYS, "greeting") if met else Verdict(GOODBYE, "see_you")
    if "parting_wish" in ending:
        return Verdict(GOODBYE, "wish")
    if kinds & _GREETINGS and not ("evening" in ending and turn != "first" and CONTENT not in kinds):
        return Verdict(STAYS, "greeting")
    closed = bool(kinds & {"thanks", "done"})
    if "wish" in ending or "evening" in ending:
        if turn == "first" and not closed:
            return Verdict(STAYS, "greeting")
        return Verdict(GOODBYE, "wish")
    if turn != "first" and closed and ("peace" in ending or "back_at_you" in ending):
        return Verdict(GOODBYE, "wish")
    if kinds <= {"thanks", "done", "soft", "back_at_you"} and closed:
        return Verdict(STAYS, "pre_closing")
    return Verdict(STAYS, "greeting" if "peace" in kinds else "no_leave_taking")


def _leaving_clause(said: Sequence[tuple[list[Piece], bool]]) -> tuple[list[Piece], bool]:
    """The last clause that takes leave when only thanks and the like follow it, else the last clause."""
    for pieces, asked in reversed(said):
        kinds = {piece.kind for piece in pieces}
        if kinds & _LEAVING and CONTENT not in kinds and not asked:
            return pieces, asked
        if not kinds <= _BESIDE:
            break
    return said[-1]


def _farewell(flat: Sequence[Piece]) -> str:
    """What a plain "bye" in these pieces is: "leave_taking", why it is none, or "" when there is none at all."""
    places = [index for index, piece in enumerate(flat) if piece.kind == "bye"]
    if not places:
        return ""
    at = places[-1]
    before = [word for piece in flat[:at] if piece.kind in (CONTENT, "soft") for word in piece.text.split()]
    after = [word for piece in flat[at + 1 :] if piece.kind == CONTENT for word in piece.text.split()]
    if _TOLD & set(before):
        return "reported"
    if at and flat[at - 1].kind == CONTENT and flat[at - 1].text in _NOT_FREE:
        return "not_taking_leave"
    if any(piece.kind == "peace" for piece in flat[:at]) and CONTENT in {piece.kind for piece in flat[at:]}:
        return "content"
    if _ASKS & set(after) or len(after) > _NAME_WORDS:
        return "continues"
    return "leave_taking"


def _thanked(pieces: list[Piece]) -> list[Piece]:
    """Thanks with what they are for ("thank you for your time") as one piece; a question inside is left standing."""
    joined: list[Piece] = []
    open_words = 0
    for piece in pieces:
        if piece.kind == "thanks_for":
            joined.append(Piece("thanks", piece.text))
            open_words = 4
        elif open_words and piece.kind == CONTENT and piece.text not in _ASKS:
            open_words -= 1
        else:
            open_words = open_words if open_words and piece.kind == "soft" else 0
            joined.append(_undrawn(piece))
    return joined


def _undrawn(piece: Piece) -> Piece:
    if piece.kind == CONTENT and unstretched(piece.text) in ("בי", "באי", "להתראות", "by"):
        return Piece("bye", piece.text) if len(piece.text) > 2 else piece
    return piece


def _only(pieces: Sequence[Piece], kinds: set[str]) -> bool:
    return all(piece.kind in kinds for piece in pieces) and any(piece.kind in ("bye", "ends") for piece in pieces)
