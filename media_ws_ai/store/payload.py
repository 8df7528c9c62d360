"""Makes any value fit for a JSONB column. Decides nothing about meaning.

PostgreSQL refuses U+0000 inside JSON, NaN and infinities; UTF-8 refuses lone surrogates. Text of callers and of a
model may hold any of them, and one such value must not cost the batch it travels in.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Json: TypeAlias = "str | int | float | bool | None | list[Json] | dict[str, Json]"

MAX_TEXT_CHARS: Final = 20_000
"""A spoken line is a few hundred; what is longer is cut, so that a row stays a row."""

MAX_DEPTH: Final = 8


def storable_text(text: str) -> str:
    """The text without what PostgreSQL cannot store, cut at MAX_TEXT_CHARS."""
    return text[:MAX_TEXT_CHARS].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def storable(value: object, depth: int = MAX_DEPTH) -> Json:
    """The nearest JSON value: keys become text, numbers that JSON lacks become null, the rest its `str`."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return storable_text(value)
    if depth > 0 and isinstance(value, Mapping):
        return {storable_text(str(key)): storable(item, depth - 1) for key, item in value.items()}
    if depth > 0 and isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (bytes, bytearray)):
        return [storable(item, depth - 1) for item in value]
    return storable_text(str(value))
