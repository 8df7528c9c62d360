"""Frozen dataclasses from JSON, strictly: unknown keys and wrong types are refused in one clear sentence.

Understood field types: bool, int, float, str, object (any JSON), Literal, unions with None, `tuple[T, ...]`
(a single T is accepted for a tuple of one), `Mapping[str, T]` and nested dataclasses.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class Malformed(ValueError):
    """The JSON does not fit; the message names the place."""


def build(cls: type[T], data: object, at: str) -> T:
    """An instance of dataclass `cls` from a JSON object.

    Args:
        at: how messages name the place, for example `scenario`.

    Raises: Malformed.
    """
    if not isinstance(data, dict):
        raise Malformed(f"{at} must be an object, not {_kind(data)}")
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise Malformed(f"{at} has no key {key!r}; it knows {', '.join(sorted(names))}")
    values = {key: _value(hints[key], value, f"{at}.{key}") for key, value in data.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise Malformed(f"{at}: {error}") from error
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(f"{at}: {error}") from error


def _value(hint: Any, value: object, at: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is object:
        return value
    if origin in (typing.Union, types.UnionType):
        return _one_of(args, value, at)
    if origin is typing.Literal:
        if value not in args:
            raise Malformed(f"{at} must be one of {', '.join(map(repr, args))}, not {value!r}")
        return value
    if origin is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(_value(args[0], item, f"{at}[{n}]") for n, item in enumerate(items))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise Malformed(f"{at} must be an object, not {_kind(value)}")
        return {key: _value(args[1], item, f"{at}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type[Any], hint), value, at)
    return _plain(hint, value, at)


def _one_of(args: tuple[Any, ...], value: object, at: str) -> Any:
    if value is None and type(None) in args:
        return None
    wanted = [arg for arg in args if arg is not type(None)]
    if len(wanted) != 1:
        raise TypeError(f"{at}: only unions with None are understood")
    return _value(wanted[0], value, at)


def _plain(hint: Any, value: object, at: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise Malformed(f"{at} must be a {hint.__name__}, not {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return "null" if value is None else f"{type(value).__name__} {value!r}"[:80]
