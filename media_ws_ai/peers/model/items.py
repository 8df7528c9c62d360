"""The conversation: items in order, each with its predecessor; created, truncated, deleted as the service does."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from media_ws_ai.peers.model import usage
from media_ws_ai.peers.model.ids import new_id
from media_ws_ai.peers.model.refusal import Refusal

_CONTENT: Final = {
    "system": {"input_text"},
    "user": {"input_text", "input_audio", "input_image"},
    "assistant": {"output_text", "output_audio"},
}
_KEYS: Final = {
    "message": {"role", "content"},
    "function_call": {"name", "call_id", "arguments"},
    "function_call_output": {"call_id", "output"},
}
_COMMON: Final = {"type", "id", "object", "status"}


@dataclass(slots=True)
class Item:
    """One item. `body` is what goes over the wire beside id, object and status; `audio_ms` is the audio it holds."""

    id: str
    body: dict[str, Any]
    status: str = "completed"
    audio_ms: float = 0
    truncated: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def role(self) -> str | None:
        return self.body.get("role")

    @property
    def text(self) -> str:
        """All words in it, spoken or written."""
        if self.type == "message":
            return " ".join(str(c.get("text") or c.get("transcript") or "") for c in self.body["content"])
        return f"{self.body.get('name', '')}{self.body.get('arguments', '')}{self.body.get('output', '')}"

    def wire(self) -> dict[str, Any]:
        return {"id": self.id, "object": "realtime.item", **self.body, "status": self.status, **self.extra}

    def input_tokens(self) -> tuple[int, int]:
        """(text, audio) tokens it costs as input of a response."""
        if not self.audio_ms:
            return usage.text_tokens(self.text), 0
        count = usage.assistant_tokens if self.role == "assistant" else usage.caller_tokens
        return 0, count(self.audio_ms)


class Conversation:
    """Items in order. Methods raise Refusal where the service answers with an error."""

    def __init__(self, rng: random.Random, truncate_code: str | None = None) -> None:
        self._rng = rng
        self._truncate_code = truncate_code
        self._items: list[Item] = []

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def last_id(self) -> str | None:
        return self._items[-1].id if self._items else None

    def append(self, item: Item) -> str | None:
        """Add at the end; returns the id of its predecessor."""
        previous = self.last_id
        self._items.append(item)
        return previous

    def find(self, item_id: object) -> Item | None:
        return next((item for item in self._items if item.id == item_id), None)

    def create(self, raw: object, after: object) -> tuple[Item, str | None]:
        """A client's item. Returns it and the id of its predecessor."""
        item = parse_item(raw, self._rng)
        if self.find(item.id):
            raise Refusal("invalid_value", f"An item with id '{item.id}' already exists.", "item.id")
        if item.type == "function_call_output" and not self._call(item.body["call_id"]):
            message = f"Tool call ID '{item.body['call_id']}' not found in conversation."
            raise Refusal("invalid_tool_call_id", message, "item.call_id")
        if after is None:
            return item, self.append(item)
        if after == "root":
            self._items.insert(0, item)
            return item, None
        place = next((n for n, other in enumerate(self._items) if other.id == after), None)
        if place is None:
            message = f"Previous item with id '{after}' not found."
            raise Refusal("invalid_value", message, "previous_item_id")
        self._items.insert(place + 1, item)
        return item, str(after)

    def truncate(self, item_id: object, content_index: object, audio_end_ms: object) -> None:
        """Shorten an assistant item's audio; its stored transcript is lost."""
        if not isinstance(audio_end_ms, int) or isinstance(audio_end_ms, bool) or audio_end_ms < 0:
            raise Refusal("invalid_value", "Invalid 'audio_end_ms': expected an integer >= 0.", "audio_end_ms")
        item = self.find(item_id)
        if item is None:
            message = f"Item with item_id '{item_id}' not found."
            raise Refusal("item_truncate_invalid_item_id", message, "item_id")
        if content_index != 0:
            raise Refusal("invalid_value", "Invalid 'content_index': expected 0.", "content_index")
        if item.role != "assistant" or not item.audio_ms:
            raise Refusal("unsupported_content_type", "Only model output audio messages can be truncated", "item_id")
        if audio_end_ms > item.audio_ms:
            message = f"Audio content of {int(item.audio_ms)}ms is already shorter than {audio_end_ms}ms"
            raise Refusal(self._truncate_code, message, "audio_end_ms")
        item.audio_ms, item.truncated = audio_end_ms, True
        for content in item.body["content"]:
            content["transcript"] = None

    def delete(self, item_id: object) -> None:
        item = self.find(item_id)
        if item is None:
            message = f"Item with item_id '{item_id}' not found."
            raise Refusal("item_delete_invalid_item_id", message, "item_id")
        self._items.remove(item)

    def retrieve(self, item_id: object) -> Item:
        item = self.find(item_id)
        if item is None:
            message = f"Item with item_id '{item_id}' not found."
            raise Refusal("item_retrieve_invalid_item_id", message, "item_id")
        return item

    def _call(self, call_id: object) -> Item | None:
        calls = (item for item in self._items if item.type == "function_call")
        return next((item for item in calls if item.body["call_id"] == call_id), None)

    def tool_name(self, call_id: str) -> str:
        """The function that a call id belongs to."""
        call = self._call(call_id)
        return str(call.body["name"]) if call else ""

    def unanswered_calls(self) -> list[str]:
        """Call ids that never got their output."""
        answered = {item.body["call_id"] for item in self._items if item.type == "function_call_output"}
        calls = [item.body["call_id"] for item in self._items if item.type == "function_call"]
        return [call_id for call_id in calls if call_id not in answered]

    def input_tokens(self) -> tuple[int, int]:
        """(text, audio) tokens of the whole conversation."""
        counts = [item.input_tokens() for item in self._items]
        return sum(text for text, _ in counts), sum(audio for _, audio in counts)


def parse_item(raw: object, rng: random.Random) -> Item:
    """An item as a client may send it. Raises Refusal."""
    if not isinstance(raw, dict):
        raise Refusal("missing_required_parameter", "Missing required parameter: 'item'.", "item")
    kind = raw.get("type")
    if kind not in _KEYS:
        raise Refusal("invalid_value", f"Invalid value: '{kind}'.", "item.type")
    for key in raw:
        if key not in _KEYS[kind] | _COMMON:
            raise Refusal("unknown_parameter", f"Unknown parameter: 'item.{key}'.", f"item.{key}")
    for key in sorted(_KEYS[kind]):
        if key not in raw and not (kind == "function_call" and key == "call_id"):
            raise Refusal("missing_required_parameter", f"Missing required parameter: 'item.{key}'.", f"item.{key}")
    body = {"type": kind, **{key: raw[key] for key in raw if key in _KEYS[kind]}}
    if kind == "message":
        _check_content(body)
    elif not all(isinstance(body.get(key, ""), str) for key in _KEYS[kind]):
        raise Refusal("invalid_type", f"Invalid type: the fields of a {kind} are strings.", "item")
    if kind == "function_call":
        body.setdefault("call_id", new_id(rng, "call"))
    return Item(str(raw.get("id") or new_id(rng, "item")), body)


def _check_content(body: dict[str, Any]) -> None:
    allowed = _CONTENT.get(body["role"])
    if allowed is None:
        raise Refusal("invalid_value", f"Invalid value: '{body['role']}'.", "item.role")
    if not isinstance(body["content"], list):
        raise Refusal("invalid_type", "Invalid type for 'item.content': expected an array.", "item.content")
    for n, part in enumerate(body["content"]):
        kind = part.get("type") if isinstance(part, dict) else None
        at = f"item.content[{n}]"
        if kind not in allowed:
            message = f"Invalid value: '{kind}'. Supported values are: {', '.join(sorted(allowed))}."
            raise Refusal("invalid_value", message, f"{at}.type")
        if kind == "output_audio":
            raise Refusal("invalid_value", "Assistant audio cannot be added by a client.", f"{at}.type")
        if kind.endswith("_text") and not isinstance(part.get("text"), str):
            raise Refusal("missing_required_parameter", f"Missing required parameter: '{at}.text'.", f"{at}.text")
