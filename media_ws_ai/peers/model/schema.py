"""Every event against the types of the `openai` package, unknown keys included; silent where it is not installed.

Audio is most of the traffic: after the first few of a session its events are
checked for their fields only.
"""

import importlib.util
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

SERVER_EXTRAS_OK: Final = {"obfuscation", "phase", "reasoning_tokens", "id", "object", "expires_at"}
"""Keys that live frames carry beyond the types."""

AUDIO_FIELDS: Final = {
    "input_audio_buffer.append": {"audio"},
    "response.output_audio.delta": {"event_id", "response_id", "item_id", "output_index", "content_index", "delta"},
}
FULL_AUDIO_CHECKS: Final = 20
"""Audio events of a session and kind that are checked in full."""

Mode = Literal["auto", "off"]


class SchemaError(AssertionError):
    """The stand-in itself sent what the service would not: a fault of ours, loud."""


class Schema:
    """One process's adapters. Building them costs about a second."""

    def __init__(self, mode: Mode = "auto") -> None:
        self.active = mode == "auto" and importlib.util.find_spec("openai") is not None
        self._server: Any = None
        self._client: Any = None
        self._with_references: Any = None
        if self.active:
            self._build()

    def _build(self) -> None:
        # Imported here because the package is a test dependency: a worker's machine runs the stand-in without it.
        from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
        from pydantic import Field, TypeAdapter

        by_type = Field(discriminator="type")
        self._server = TypeAdapter(Annotated[RealtimeServerEvent, by_type])
        self._client = TypeAdapter(Annotated[RealtimeClientEvent, by_type])

    def server_fault(self, event: dict[str, Any]) -> str | None:
        """What is wrong with an event of ours; None when nothing is."""
        if not self.active:
            return None
        return _fault(self._server, event, strict=False, tolerated=SERVER_EXTRAS_OK)

    def client_fault(self, event: dict[str, Any]) -> str | None:
        """What is wrong with an event of the client; None when nothing is."""
        if not self.active:
            return None
        return _fault(self._client, _without_references(event), strict=True, tolerated=set())


class SessionChecks:
    """One session's view: counts audio events, so that only the first are checked in full."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._audio: dict[str, int] = {}

    def server_fault(self, event: dict[str, Any]) -> str | None:
        return self._thin(event) if self._is_routine(event) else self._schema.server_fault(event)

    def client_fault(self, event: dict[str, Any]) -> str | None:
        return self._thin(event) if self._is_routine(event) else self._schema.client_fault(event)

    def _is_routine(self, event: dict[str, Any]) -> bool:
        kind = str(event.get("type"))
        if kind not in AUDIO_FIELDS:
            return False
        self._audio[kind] = self._audio.get(kind, 0) + 1
        return self._audio[kind] > FULL_AUDIO_CHECKS

    @staticmethod
    def _thin(event: dict[str, Any]) -> str | None:
        fields = AUDIO_FIELDS[event["type"]]
        found = event.keys() - {"type", "event_id"}
        if found != fields - {"event_id"}:
            return f"{event['type']}: fields {sorted(found)}, expected {sorted(fields)}"
        return None


def _fault(adapter: Any, event: dict[str, Any], strict: bool, tolerated: set[str]) -> str | None:
    from pydantic import ValidationError

    try:
        model = adapter.validate_python(event, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{event.get('type')}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    extra = [path for path in _unknown_keys(model) if path.rsplit(".", 1)[1] not in tolerated]
    return f"{event.get('type')}: unknown keys {', '.join(extra)}" if extra else None


def _unknown_keys(node: Any, path: str = "") -> Iterator[str]:
    from pydantic import BaseModel

    if isinstance(node, BaseModel):
        yield from (f"{path}.{key}" for key in (node.model_extra or {}))
        for name in type(node).model_fields:
            yield from _unknown_keys(getattr(node, name), f"{path}.{name}")
    elif isinstance(node, (list, tuple)):
        for n, item in enumerate(node):
            yield from _unknown_keys(item, f"{path}[{n}]")


def _without_references(event: dict[str, Any]) -> dict[str, Any]:
    """`item_reference` inputs are valid but not in the package's union; they are checked by the session."""
    response = event.get("response")
    if not isinstance(response, dict) or not isinstance(response.get("input"), list):
        return event
    kept = [item for item in response["input"] if not (isinstance(item, dict) and item.get("type") == "item_reference")]
    return {**event, "response": {**response, "input": kept}}
