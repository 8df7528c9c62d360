"""What a log line may show of words that others chose: one line, no tricks, no phone numbers.

Caller and model text is escaped (control and bidi characters), cut, and phone numbers keep their last four digits.
Nothing here is ever un-escaped: a reader gets what the log shows. Both functions are idempotent.
"""

import re
from typing import Final

TEXT_LIMIT: Final = 200
"""Characters of one text field (design: Logs)."""

_LOOK_LIMIT: Final = 2000
"""Characters looked at before the cut; many more than are shown, since masking shortens."""

_BIDI: Final = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_HIDDEN: Final = "\u200b\u2028\u2029\ufeff"
_SEPARATOR: Final = rf"[\s\-./()\u2010-\u2015\u05be{_BIDI}\u200b]"

_DATE_OR_PHONE: Final = re.compile(
    # Dates and times are no phone numbers: matched first, left alone.
    r"(?P<date>(?<!\d)(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[+-]\d\d:?\d\d|Z)?)?"
    r"|(?:0?[1-9]|[12]\d|3[01])[./](?:0?[1-9]|1[0-2])[./](?:19|20)\d\d"
    r"|\d\d?:\d\d(?::\d\d)?)(?![\d./-]))"
    # Seven digits and more; a letter of an id before it (CA0123…, resp_0123…) is no phone, a Hebrew prefix is.
    rf"|(?P<phone>(?:(?<![A-Za-z_*\d])|(?<=[A-Za-z_])(?=\+))\+?\(?\d(?:{_SEPARATOR}{{0,3}}\d){{6,}})"
)
_BLANK: Final = re.compile(r"\d[\s]")
_SPACED_DIGITS_MIN: Final = 9
"""Digits apart by blanks may be times or prices ("10 11 12"); from nine on it is a number to protect."""

_ESCAPED: Final[dict[int, str]] = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},
    **{ord(mark): f"\\u{ord(mark):04x}" for mark in _BIDI + _HIDDEN},
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def _masked(match: re.Match[str]) -> str:
    found = match.group()
    if match.lastgroup == "date":
        return found
    digits = [each for each in found if each.isdecimal()]
    if len(digits) < _SPACED_DIGITS_MIN and not found.startswith("+") and _BLANK.search(found):
        return found
    return "***" + "".join(digits[-4:])


def mask_phones(text: str) -> str:
    """`text` with every phone number reduced to `***` and its last four digits; dates and times stay."""
    return _DATE_OR_PHONE.sub(_masked, text)


def escape(text: str) -> str:
    """`text` on one line: control, bidi, line-separating characters, lone surrogates as `\\n`, `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    shown = text.translate(_ESCAPED)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", shown)


def safe_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` as a log may show it: phones masked, escaped, at most `limit` characters (the last is `…` when cut)."""
    cut = len(text) > _LOOK_LIMIT
    # Half a number at the end of what is looked at would not be known as one.
    looked_at = text[:_LOOK_LIMIT].rstrip("0123456789+-./() ") if cut else text
    shown = escape(mask_phones(looked_at))
    if cut or len(shown) > limit:
        shown = shown[: limit - 1] + "…"
    return shown
