"""Scenarios by name, from JSON and from files; the one place where JSON becomes a `Scenario`."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import orjson

from media_ws_ai.peers.model import demo
from media_ws_ai.peers.model.scenario import Scenario
from media_ws_ai.peers.model.strict import Malformed, build

BUILT_IN: Final[Mapping[str, Callable[[], Scenario]]] = {"demo": demo.demo, "load": demo.load_pattern}


def from_json(data: object) -> Scenario:
    """A scenario from parsed JSON: an object, or the name of a built-in one.

    An object with `"base": "demo"` is that scenario with the object's other keys replaced.
    Raises: Malformed with a sentence that names the key.
    """
    if isinstance(data, str):
        if data not in BUILT_IN:
            raise Malformed(f"no built-in scenario {data!r}; there are {', '.join(sorted(BUILT_IN))}")
        return BUILT_IN[data]()
    if not isinstance(data, dict) or "base" not in data:
        return build(Scenario, data, "scenario")
    changes = {key: value for key, value in data.items() if key != "base"}
    wanted = build(Scenario, changes, "scenario")
    return dataclasses.replace(from_json(data["base"]), **{key: getattr(wanted, key) for key in changes})


def load(path: str) -> Scenario:
    """A scenario file. Raises Malformed with the reason, OSError when it cannot be read."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        return from_json(orjson.loads(content))
    except orjson.JSONDecodeError as error:
        raise Malformed(f"{path} is not JSON: {error}") from error
