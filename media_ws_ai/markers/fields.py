"""Field types of markers: how a value is shown, how it is found again, and of which Python type it is.

Every field answers three questions from one place: `show(value)` (text in the line), `pattern` (the same text
as a regular expression) and `read(text)` (typed value). Text that others chose is made safe inside `show`, so
that no caller of a marker can forget it. `read(show(value))` is the value *as shown*: rounded, cut, masked.
"""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol

from media_ws_ai.markers.text import mask_phones, safe_text


class Field(Protocol):
    """One field type."""

    kind: str
    """Name for the table of markers."""
    pattern: str
    """Regular expression without groups."""
    free: bool
    """True when the text may contain anything, also the literal that follows it in the template."""

    def show(self, value: Any) -> str: ...

    def read(self, text: str) -> object: ...


class IntField:
    kind = "int"
    pattern = r"-?\d+"
    free = False

    def show(self, value: int) -> str:
        return str(int(value))

    def read(self, text: str) -> int:
        return int(text)


class OptionalIntField(IntField):
    """A number that may be unknown: `-`."""

    kind = "int or -"
    pattern = r"-?\d+|-"

    def show(self, value: int | None) -> str:
        return "-" if value is None else str(int(value))

    def read(self, text: str) -> int | None:  # type: ignore[override]  # a wider reading on purpose
        return None if text == "-" else int(text)


class DecimalField:
    """A number with one decimal."""

    kind = "float, one decimal"
    pattern = r"-?\d+\.\d|-?inf|nan"
    free = False

    def show(self, value: float) -> str:
        shown = f"{value:.1f}"
        return "0.0" if shown == "-0.0" else shown

    def read(self, text: str) -> float:
        return float(text)


class BoolField:
    kind = "bool"
    pattern = r"True|False"
    free = False

    def show(self, value: bool) -> str:
        return "True" if value else "False"

    def read(self, text: str) -> bool:
        return text == "True"


_NO_WORD: Final = re.compile(r"[^\w.:+/@#%~*\-]", re.ASCII)
_WORD_LIMIT: Final = 80


class WordField:
    """An id, a code, a time: ASCII without blanks; what does not fit becomes `_`, nothing at all becomes `-`."""

    kind = "word"
    pattern = r"[\w.:+/@#%~*\-]+?"
    free = False

    def show(self, value: str) -> str:
        shown = _NO_WORD.sub("_", mask_phones(value[:_WORD_LIMIT]))
        return shown or "-"

    def read(self, text: str) -> str:
        return text


class ShortIdField(WordField):
    """The first 20 characters of an id; the template writes `...` behind it."""

    kind = "id, first 20"

    def show(self, value: str) -> str:
        return super().show(value[:20]).rstrip(".") or "-"


class PhoneField:
    """A telephone number: its last four digits, whatever it was; `-` when withheld."""

    kind = "phone, last four"
    pattern = r"\*\*\*\d{0,4}|-"
    free = False

    def show(self, value: str) -> str:
        digits = "".join(each for each in value if "0" <= each <= "9")
        if not digits and not value.startswith("***"):
            return "-"
        return "***" + (digits[-4:] if len(digits) >= 7 or value.startswith("***") else "")

    def read(self, text: str) -> str:
        return text


class TextField:
    """Words of a caller, a model or an exception: escaped, one line, cut, phones masked."""

    kind = "text"
    pattern = r".*"
    free = True

    def show(self, value: str) -> str:
        return safe_text(value)

    def read(self, text: str) -> str:
        return text


class PolicyField(TextField):
    """A mapping in Python's notation, Hebrew unescaped, made safe like any text."""

    kind = "mapping"
    pattern = r"\{.*"

    def show(self, value: Mapping[str, object] | str) -> str:
        return safe_text(value if isinstance(value, str) else repr(dict(value)))


_KEY: Final = re.compile(r"[a-z][a-z0-9_]*")
_PAIR: Final = re.compile(r' ([a-z][a-z0-9_]*)=("[^"]*"|[^\s"]+)')
_INT: Final = re.compile(r"-?\d{1,18}")
_DECIMAL: Final = re.compile(r"-?\d{1,15}\.\d{1,6}")


def _scalar(text: str) -> int | float | bool | str:
    if _INT.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if text in ("True", "False"):
        return text == "True"
    return text


class PairsField:
    """` key=value key="two words"`: whatever else is useful; read back into the marker's fields, beside the others."""

    kind = "key=value …"
    pattern = r'(?: [a-z][a-z0-9_]*=(?:"[^"]*"|[^\s"]+))*'
    free = False

    def show(self, value: Mapping[str, object]) -> str:
        return "".join(f" {self._key(key)}={self._value(each)}" for key, each in value.items())

    def read(self, text: str) -> dict[str, object]:
        return {key: raw[1:-1] if raw.startswith('"') else _scalar(raw) for key, raw in _PAIR.findall(text)}

    @staticmethod
    def _key(key: str) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key of a key=value marker: {key!r}")
        return key

    @staticmethod
    def _value(value: object) -> str:
        if isinstance(value, bool) or value is None:
            return str(value) if value is not None else "-"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return f"{value:.1f}" if math.isfinite(value) else "-"
        shown = safe_text(str(value)).replace('"', "'")
        bare = shown and not any(each.isspace() for each in shown)
        return shown if bare else f'"{shown}"'


Int = Annotated[int, IntField()]
OptInt = Annotated[int | None, OptionalIntField()]
Decimal1 = Annotated[float, DecimalField()]
Bool = Annotated[bool, BoolField()]
Word = Annotated[str, WordField()]
ShortId = Annotated[str, ShortIdField()]
Phone = Annotated[str, PhoneField()]
Text = Annotated[str, TextField()]
Policy = Annotated[Mapping[str, object], PolicyField()]
Pairs = Annotated[Mapping[str, object], PairsField()]
