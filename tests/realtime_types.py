"""Realtime frames against the types of the `openai` package, unknown keys included. Built once: it costs a second."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, Field, TypeAdapter

SERVER_EXTRAS = frozenset({"obfuscation", "phase", "reasoning_tokens", "id", "object", "expires_at"})
"""Keys of live traffic that the types do not know (recorded 2026)."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    union: Any = Annotated[kind, Field(discriminator="type")]
    return TypeAdapter(union)


def _unknown_keys(node: object, path: str = "") -> Iterator[str]:
    if isinstance(node, BaseModel):
        yield from (f"{path}.{key}" for key in (node.model_extra or {}))
        for name in type(node).model_fields:
            yield from _unknown_keys(getattr(node, name), f"{path}.{name}")
    elif isinstance(node, (list, tuple)):
        for place, item in enumerate(node):
            yield from _unknown_keys(item, f"{path}[{place}]")


def check_client(frame: bytes) -> None:
    """A frame that we send: strictly typed, no key that the contract does not know."""
    event = _adapter(RealtimeClientEvent).validate_json(frame, strict=True)
    unknown = list(_unknown_keys(event))
    assert not unknown, unknown


def check_server(event: dict[str, Any]) -> None:
    """An event of the golden sequences: one that the real service could send."""
    found = _unknown_keys(_adapter(RealtimeServerEvent).validate_python(event))
    unknown = [path for path in found if path.rsplit(".", 1)[1] not in SERVER_EXTRAS]
    assert not unknown, unknown
