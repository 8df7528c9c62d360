"""Server events on their way out: an id for each, checked against the contract, noted in the journal, queued."""

import random
from typing import Any, Final

import orjson

from media_ws_ai.peers.model.ids import new_id
from media_ws_ai.peers.model.journal import Journal
from media_ws_ai.peers.model.outbox import Outbox
from media_ws_ai.peers.model.refusal import Refusal
from media_ws_ai.peers.model.schema import SchemaError, SessionChecks

UNKNOWN_EVENT: Final = "session.telemetry.sampled"
"""An event type that no client knows; one is sent in each session (README.md, behaviour 14)."""

BRIEF: Final = ("item_id", "response_id", "audio_start_ms", "audio_end_ms")
"""Fields of server events that the log repeats."""


class Emitter:
    """One session's voice on the wire."""

    def __init__(self, rng: random.Random, checks: SessionChecks, journal: Journal, outbox: Outbox) -> None:
        self._rng, self._checks, self._journal, self._outbox = rng, checks, journal, outbox
        self.audio_sent = False

    def emit(self, kind: str, **fields: Any) -> None:
        """Send one event. Raises SchemaError when the service would not send such a thing."""
        event = {"type": kind, "event_id": new_id(self._rng, "event"), **fields}
        if kind != UNKNOWN_EVENT:
            self._check(event)
        self._journal.server.add({"type": kind, **_brief(fields)})
        self._outbox.put(orjson.dumps(event))

    def emit_audio(self, response_id: str, item_id: str, output_index: int, delta: str) -> None:
        """Send one `response.output_audio.delta`; `delta` is base64."""
        event: dict[str, Any] = {
            "type": "response.output_audio.delta",
            "event_id": new_id(self._rng, "event"),
            "response_id": response_id,
            "item_id": item_id,
            "output_index": output_index,
            "content_index": 0,
            "delta": delta,
        }
        self._check(event)
        self.audio_sent = True
        self._journal.server.add_audio(event["type"], decoded_size(delta), item_id)
        self._outbox.put(orjson.dumps(event))

    def refuse(self, refusal: Refusal, event_id: object) -> None:
        """Answer with an `error` event that echoes the client's event id."""
        body = refusal.body(event_id if isinstance(event_id, str) else None)
        self._journal.errors.append({"at_s": self._journal.now(), **body})
        self.emit("error", error=body)

    def _check(self, event: dict[str, Any]) -> None:
        fault = self._checks.server_fault(event)
        if fault is not None:
            self._journal.schema_errors.append(f"server {fault}")
            raise SchemaError(fault)


def decoded_size(base64: str) -> int:
    """Bytes that a base64 text stands for."""
    return len(base64) * 3 // 4 - base64[-2:].count("=")


def _brief(fields: dict[str, Any]) -> dict[str, Any]:
    brief: dict[str, Any] = {key: fields[key] for key in BRIEF if key in fields}
    response, item = fields.get("response"), fields.get("item")
    if response is not None:
        brief.update(response_id=response["id"], status=response["status"])
    if item is not None:
        brief["item_id"] = item["id"]
    if "error" in fields:
        brief["error"] = fields["error"]
    return brief
