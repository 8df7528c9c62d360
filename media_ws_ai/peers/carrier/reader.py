"""Strict reading of JSON objects: known keys, checked types, and a refusal that says where and what."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


class PlanError(ValueError):
    """The plan is not one: the message names the place and what was expected there."""


@dataclass(frozen=True, slots=True)
class Known:
    """A key's type (or the tuple of its allowed texts) and, where it differs, the field it fills."""

    kind: type | tuple[str, ...]
    field: str = ""


def read_fields(data: object, known: Mapping[str, Known], where: str, also: Collection[str] = ()) -> dict[str, Any]:
    """The values of `data` under the names of their fields; numbers are never negative.

    Args:
        also: further keys to name in the refusal of an unknown one.
    Raises: PlanError.
    """
    if not isinstance(data, dict):
        raise PlanError(f"{where}: an object is expected, found {data!r}")
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            raise PlanError(f"{where}: unknown key {key!r}; known are {', '.join(sorted({*known, *also}))}")
        values[known[key].field or key] = _checked(value, known[key].kind, f"{where}.{key}")
    return values


def _checked(value: object, kind: type | tuple[str, ...], where: str) -> object:
    if isinstance(kind, tuple):
        if value in kind:
            return value
        raise PlanError(f"{where}: {' or '.join(kind)} expected, found {value!r}")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise PlanError(f"{where}: {names[kind]} expected, found {value!r}")
    if isinstance(value, (int, float)) and value < 0:
        raise PlanError(f"{where}: 0 or more expected, found {value!r}")
    return value
