"""One response: its events in the service's order, at the reply's pace, until it is done, cut or stalled.

    created ─▶ [item added ─▶ part added ─▶ text and audio deltas ─▶ closing events] per output item ─▶ done

The order inside is that of the service (README.md). Which reply it recites the director has chosen;
bookkeeping of who is active belongs to the session.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from media_ws_ai.peers.model import usage
from media_ws_ai.peers.model.director import Choice
from media_ws_ai.peers.model.ids import new_id, noise
from media_ws_ai.peers.model.items import Conversation, Item
from media_ws_ai.peers.model.journal import now
from media_ws_ai.peers.model.message import Message
from media_ws_ai.peers.model.scenario import Call, Scenario
from media_ws_ai.peers.model.voice import Sound, sound


class Host(Protocol):
    """What a response needs of its session."""

    number: int
    scenario: Scenario
    config: dict[str, Any]
    conversation: Conversation
    conversation_id: str
    meter: usage.Meter
    rng: random.Random

    def emit(self, kind: str, **fields: Any) -> None: ...
    def emit_audio(self, response_id: str, item_id: str, output_index: int, delta: str) -> None: ...
    def later(self, ms: float, call: Callable[[], None]) -> None: ...
    def drop_line(self, code: int) -> None: ...
    def claim(self, response: "Response") -> bool: ...
    def over(self, response: "Response") -> None: ...
    async def room(self) -> None: ...
    @property
    def reasons(self) -> bool: ...


class Cancelled(Exception):
    """The response was cut while it waited."""


class Response:
    """Runs as a task of its session; `cancel` may be called at any time."""

    def __init__(self, host: Host, choice: Choice, params: dict[str, Any], number: int, automatic: bool) -> None:
        """Args: params: the checked `response` of the request. automatic: begun by the VAD, so created at once."""
        self.host, self.choice, self.params = host, choice, params
        self.reply = choice.reply
        self.number = number
        self.id = new_id(host.rng, "resp")
        self.in_conversation = params.get("conversation") != "none"
        self.created = False
        self.status = "in_progress"
        self.reason: str | None = None
        self.output: list[Item] = []
        self._automatic = automatic
        self._wake: asyncio.Future[None] | None = None
        self._message: Message | None = None
        self._in_text = self._in_audio = 0
        modalities = params.get("output_modalities") or host.config["output_modalities"]
        self.modality: str = modalities[0]
        self.entry: dict[str, Any] = {
            "id": self.id,
            "n": number,
            "place": choice.place,
            "metadata": params.get("metadata"),
            "conversation": "auto" if self.in_conversation else "none",
            "asked_at_s": now(),
            "created_at_s": None,
            "first_audio_at_s": None,
            "last_audio_at_s": None,
            "done_at_s": None,
            "audio_ms": 0.0,
            "late_audio_ms": 0.0,
            "text": "",
            "sound": None,
            "status": "in_progress",
            "reason": None,
        }

    @property
    def audio_ms(self) -> float:
        return float(self.entry["audio_ms"])

    # -- life -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the request to `response.done`."""
        try:
            if not await self._begin():
                return
            try:
                status = await self._perform()
            except Cancelled:
                await self._linger()
                status = "cancelled"
            self._finish(status)
        finally:
            self.host.over(self)

    def cancel(self, reason: str) -> None:
        """Cut the response: `turn_detected` or `client_cancelled`. The closing events follow from the task."""
        if self.reply.ignore_cancel or self.reason is not None:
            return
        self.reason = reason
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def pause(self, ms: float | None) -> None:
        """Wait in the scenario's time, for ever with None. Raises Cancelled."""
        if self.reason is None and (ms is None or ms > 0):
            loop = asyncio.get_running_loop()
            wake = self._wake = loop.create_future()
            timer = None
            if ms is not None:
                timer = loop.call_later(ms / 1000 / self.host.scenario.time_scale, _settle, wake)
            try:
                await wake
            finally:
                self._wake = None
                if timer is not None:
                    timer.cancel()
        if self.reason is not None:
            raise Cancelled

    async def _begin(self) -> bool:
        reply, scale = self.reply, self.host.scenario.time_scale
        if reply.stall == "no_created":
            # The request is swallowed: the service does not hold it as active, and may come back to it.
            self.host.over(self)
            if reply.stall_ms is None:
                self.entry["status"] = "swallowed"
                return False
            await asyncio.sleep(reply.stall_ms / 1000 / scale)
            if not self.host.claim(self):
                return False
        elif not self._automatic:
            await asyncio.sleep(reply.created_ms / 1000 / scale)
        self.created = True
        self.entry["created_at_s"] = now()
        self._in_text, self._in_audio = self.host.conversation.input_tokens()
        instructions = self.params.get("instructions", self.host.config["instructions"])
        tools = self.params.get("tools", self.host.config["tools"])
        self._in_text += usage.text_tokens(instructions) + usage.text_tokens(orjson.dumps(tools).decode())
        if not reply.done_without_created:
            self.host.emit("response.created", response=self.wire())
        return True

    async def _perform(self) -> str:
        reply = self.reply
        if reply.stall == "created":
            await self.pause(reply.stall_ms)
        await self.pause(reply.ttfb_ms)
        if reply.status == "failed" and not reply.end_after_ms:
            return "failed"
        status: str = reply.status
        if not reply.empty and (reply.text or reply.clip or reply.numbered is not None or reply.seconds is not None):
            status = await self._say()
        if status == "completed":
            for call in reply.calls:
                await self._call(call)
        if self._message is not None:
            self._message.close("completed" if status == "completed" else "incomplete")
        return status

    async def _say(self) -> str:
        wanted = sound(self.reply, self.host.number, self.number, self.host.scenario.numbered)
        self.entry["sound"] = describe(wanted)
        self._message = Message(self, wanted, self.add_item)
        status = await self._message.speak()
        if not self.reply.interleave or not self.reply.calls or status != "completed":
            self._message.close("completed" if status == "completed" else "incomplete")
        return status

    async def _linger(self) -> None:
        """Between the decision to cancel and its closing events: late deltas, then whatever is open is closed."""
        if self.reply.cancel_delay_ms:
            await asyncio.sleep(self.reply.cancel_delay_ms / 1000 / self.host.scenario.time_scale)
        if self._message is not None:
            self._message.late(self.reply.late_deltas)
            self._message.close("incomplete")
        for item in self.output:
            if item.status == "in_progress":
                self.end_item(item, self.output.index(item), "incomplete")

    def _finish(self, status: str) -> None:
        self.status = status
        self.entry.update(status=status, done_at_s=now(), reason=self._why())
        self.host.emit("response.done", response=self.wire())
        if self.host.scenario.rate_limits:
            self.host.later(30, self._rate_limits)

    def _why(self) -> str | None:
        if self.status == "cancelled":
            return self.reason
        if self.status == "incomplete":
            return self.reply.code or "max_output_tokens"
        return self.reply.code if self.status == "failed" else None

    def _rate_limits(self) -> None:
        limit = 15_000_000
        remaining = max(0, limit - self.host.meter.total_tokens)
        tokens = {"name": "tokens", "limit": limit, "remaining": remaining, "reset_seconds": 0.1}
        self.host.emit("rate_limits.updated", rate_limits=[tokens])

    # -- items ----------------------------------------------------------------------------------------

    def add_item(self, body: dict[str, Any]) -> tuple[Item, int]:
        """A new output item with its first events. Returns it and its output index."""
        item = Item(new_id(self.host.rng, "item"), body, status="in_progress")
        if self.host.scenario.extras and self.host.reasons and body["type"] == "message":
            item.extra["phase"] = "commentary" if self.reply.calls else "final_answer"
        index = len(self.output)
        self.output.append(item)
        wire = item.wire()
        self.host.emit("response.output_item.added", response_id=self.id, output_index=index, item=wire)
        if self.in_conversation:
            previous = self.host.conversation.append(item)
            self.host.emit("conversation.item.added", previous_item_id=previous, item=wire)
        return item, index

    def end_item(self, item: Item, index: int, status: str) -> None:
        """The two closing events of every item."""
        item.status = status
        wire = item.wire()
        if self.in_conversation:
            self.host.emit("conversation.item.done", previous_item_id=None, item=wire)
        self.host.emit("response.output_item.done", response_id=self.id, output_index=index, item=wire)

    async def _call(self, call: Call) -> None:
        full = call.arguments if isinstance(call.arguments, str) else spaced_json(call.arguments)
        call_id = call.call_id or new_id(self.host.rng, "call")
        item, index = self.add_item({"type": "function_call", "name": call.name, "call_id": call_id, "arguments": ""})
        ids = {"response_id": self.id, "item_id": item.id, "output_index": index, "call_id": call_id}
        for piece in split(full, max(1, call.pieces)):
            await self.pause(20)
            item.body["arguments"] += piece
            self.host.emit("response.function_call_arguments.delta", **ids, delta=piece, **self.obfuscation())
        if self.reply.interleave and self._message is not None:
            self._message.close("completed")
        self.host.emit("response.function_call_arguments.done", **ids, name=call.name, arguments=full)
        self.end_item(item, index, "completed")

    def obfuscation(self) -> dict[str, str]:
        """The extra key of text deltas."""
        return {"obfuscation": noise(self.host.rng)} if self.host.scenario.extras else {}

    # -- the response object --------------------------------------------------------------------------

    def wire(self) -> dict[str, Any]:
        """The `response` of response.created and response.done."""
        config, output = self.host.config, self.host.config["audio"]["output"]
        asked = self.params.get("audio", {}).get("output", {})
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self._details(),
            "output": [item.wire() for item in self.output] if self.status != "in_progress" else [],
            "conversation_id": self.host.conversation_id if self.in_conversation else None,
            "output_modalities": [self.modality],
            "max_output_tokens": self.params.get("max_output_tokens", config["max_output_tokens"]),
            "audio": {"output": {"format": self.format, "voice": asked.get("voice", output["voice"])}},
            "usage": None if self.status == "in_progress" else self._usage(),
            "metadata": self.params.get("metadata"),
        }

    @property
    def format(self) -> dict[str, Any]:
        """The output format in force."""
        asked = self.params.get("audio", {}).get("output", {})
        chosen: dict[str, Any] = asked.get("format", self.host.config["audio"]["output"]["format"])
        return chosen

    @property
    def most_audio_ms(self) -> float:
        """What `max_output_tokens` leaves room for."""
        most = self.params.get("max_output_tokens", self.host.config["max_output_tokens"])
        return float("inf") if most == "inf" else float(most * usage.ASSISTANT_MS_PER_TOKEN)

    def _details(self) -> dict[str, Any] | None:
        if self.status in ("completed", "in_progress"):
            return None
        if self.status == "failed":
            code = self.reply.code
            kind = "server_error" if code is None else "invalid_request_error"
            message = "The server had an error while processing your request." if code is None else f"Failed: {code}."
            return {"type": "failed", "error": {"type": kind, "code": code, "message": message}}
        return {"type": self.status, "reason": self._why()}

    def _usage(self) -> dict[str, Any]:
        if not self.output:
            return self.host.meter.nothing()
        out_text = sum(usage.text_tokens(item.text) for item in self.output)
        out_audio = usage.assistant_tokens(self.audio_ms)
        reasoning = 31 if self.host.scenario.extras and self.host.reasons else None
        return self.host.meter.usage(self._in_text, self._in_audio, out_text, out_audio, reasoning)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def describe(wanted: Sound) -> dict[str, Any]:
    """A sound for the log: what a listener should have heard."""
    described: dict[str, Any] = {"clip": wanted.clip or None, "ms": wanted.ms, "numbered": None}
    if wanted.numbered and not wanted.clip:
        described["numbered"] = {"session": wanted.session, "utterance": wanted.utterance, "frames": wanted.ms // 20}
    return described


def spaced_json(value: object) -> str:
    """JSON with the odd line breaks and blanks that models put into arguments."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"


def split(text: str, pieces: int) -> list[str]:
    """`text` in about `pieces` pieces; never an empty list."""
    size = max(1, -(-len(text) // pieces))
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]
