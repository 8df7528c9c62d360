"""Checks of a client's JSON against a table of shapes; the first fault becomes the service's own refusal."""

from collections.abc import Callable, Mapping
from typing import Any

from media_ws_ai.peers.model.refusal import Refusal

Check = Callable[[Any, str], None]
"""Takes a value and its dotted path; raises Refusal."""


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")


def _wrong(path: str, expected: str, value: object) -> Refusal:
    message = f"Invalid type for '{path}': expected {expected}, but got {_kind(value)} instead."
    return Refusal("invalid_type", message, path)


def text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise _wrong(path, "a string", value)


def flag(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise _wrong(path, "a boolean", value)


def anything(value: Any, path: str) -> None:
    """Free JSON, such as the schema of a tool's parameters."""


def one_of(*allowed: str) -> Check:
    def check(value: Any, path: str) -> None:
        if value not in allowed:
            known = ", ".join(f"'{name}'" for name in allowed)
            raise Refusal("invalid_value", f"Invalid value: '{value}'. Supported values are: {known}.", path)

    return check


def number(least: float, most: float, whole: bool = False) -> Check:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise _wrong(path, "an integer" if whole else "a decimal", value)
        if not least <= value <= most:
            message = f"Invalid '{path}': {value} is not between {least:g} and {most:g}."
            raise Refusal("invalid_value", message, path)

    return check


def nullable(inner: Check) -> Check:
    def check(value: Any, path: str) -> None:
        if value is not None:
            inner(value, path)

    return check


def either(word: str, inner: Check) -> Check:
    """The literal `word`, or whatever `inner` allows."""

    def check(value: Any, path: str) -> None:
        if value != word:
            inner(value, path)

    return check


def array(inner: Check) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise _wrong(path, "an array", value)
        for n, item in enumerate(value):
            inner(item, f"{path}[{n}]")

    return check


def table(fields: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with these keys and no others."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        for key in required:
            if key not in value:
                name = f"{path}.{key}"
                raise Refusal("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
        for key, item in value.items():
            name = f"{path}.{key}"
            if key not in fields:
                raise Refusal("unknown_parameter", f"Unknown parameter: '{name}'.", name)
            fields[key](item, name)

    return check


def by_type(shapes: Mapping[str, Check]) -> Check:
    """An object whose `type` selects its shape."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        if "type" not in value:
            name = f"{path}.type"
            raise Refusal("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
        one_of(*shapes)(value["type"], f"{path}.type")
        shapes[value["type"]](value, path)

    return check
