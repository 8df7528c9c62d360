"""One connection: reads client events in order, answers, and keeps the session's state.

    frames ─▶ run() ─▶ a handler per event type ─▶ emit() ─▶ outbox
    faults of the line (expiry, freeze, stall, kill) come from the scenario or from control

Hearing lives in `ear`, speaking in `responses`; this room holds the protocol between them.
"""

import asyncio
import random
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from media_ws_ai.peers.model import settings, usage
from media_ws_ai.peers.model.director import Choice, Director
from media_ws_ai.peers.model.ear import Ear
from media_ws_ai.peers.model.emitter import UNKNOWN_EVENT, Emitter, decoded_size
from media_ws_ai.peers.model.heard import FrameIndex
from media_ws_ai.peers.model.ids import new_id
from media_ws_ai.peers.model.items import Conversation, Item, parse_item
from media_ws_ai.peers.model.journal import Journal, elided
from media_ws_ai.peers.model.line import Line
from media_ws_ai.peers.model.outbox import Outbox
from media_ws_ai.peers.model.refusal import Refusal
from media_ws_ai.peers.model.responses import Response
from media_ws_ai.peers.model.scenario import Scenario
from media_ws_ai.peers.model.schema import Schema, SchemaError, SessionChecks

GOODBYE_S: Final = 2.0
"""How long our own close frame waits for the peer's."""


class Session:
    """State and handlers of one connection. All methods run in the event loop."""

    def __init__(
        self, number: int, scenario: Scenario, model: str, outbox: Outbox, journal: Journal, schema: Schema,
        index: FrameIndex,
    ) -> None:  # fmt: skip
        self.number, self.scenario, self.journal, self.outbox = number, scenario, journal, outbox
        self.rng = random.Random(f"{scenario.seed}/{number}")
        self.config = settings.defaults(model, self.rng)
        self.conversation = Conversation(self.rng, scenario.truncate_code)
        self.conversation_id = new_id(self.rng, "conv")
        self.meter = usage.Meter()
        self.director = Director(scenario)
        self._checks = SessionChecks(schema)
        self._emitter = Emitter(self.rng, self._checks, journal, outbox)
        self.ear = Ear(self, index)
        self.line = Line(self)
        self.active: Response | None = None
        self._aside: dict[str, Response] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._responses = 0
        self._updates = 0
        self._unknown_sent = not scenario.extras
        self._unread_text: str | None = None
        self._tools: list[str] = []
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self.ear.append,
            "input_audio_buffer.commit": self.ear.commit_by_hand,
            "input_audio_buffer.clear": self.ear.clear,
            "conversation.item.create": self._create_item,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete,
            "conversation.item.retrieve": self._retrieve,
            "response.create": self._create_response,
            "response.cancel": self._cancel,
        }

    @property
    def reasons(self) -> bool:
        """Does the model think before it speaks?"""
        return str(self.config["model"]).startswith("gpt-realtime-2")

    # -- life -----------------------------------------------------------------------------------------

    async def run(self, ws: web.WebSocketResponse) -> None:
        """Until the connection ends, whoever ends it."""
        writer = self.spawn(self.outbox.write())
        self.spawn(self.line.run())
        try:
            async for message in ws:
                await self.line.thawed()
                if message.type is not WSMsgType.TEXT:
                    self._emitter.refuse(Refusal("invalid_value", "Only text frames are understood."), None)
                    continue
                if not self.scenario.silent:
                    self._receive(message.data)
        except SchemaError as error:
            self.broken(error)
        finally:
            self.journal.end("client" if ws.close_code is not None else "drop", ws.close_code or 1006)
            if self.outbox.saying_goodbye:
                await asyncio.wait({writer}, timeout=GOODBYE_S)
            self.outbox.closing = True
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A task that lives no longer than the session; its failure is loud and ends the session."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken(error)

    def broken(self, error: BaseException) -> None:
        """A fault of the stand-in itself: written to stderr, noted, and the session ends with 1011."""
        traceback.print_exception(error, file=sys.stderr)
        self.journal.errors.append({"broken": f"{type(error).__name__}: {error}"})
        self.line.close(1011, "stand-in broken")

    def later(self, ms: float, call: Callable[[], None]) -> None:
        """Call after `ms` of the scenario's time; with 0 at once."""

        def guarded() -> None:
            try:
                call()
            except Exception as error:
                self.broken(error)

        if ms <= 0:
            guarded()
        elif not self.outbox.closing:
            asyncio.get_running_loop().call_later(ms / 1000 / self.scenario.time_scale, guarded)

    def drop_line(self, code: int) -> None:
        self.line.close(code, "scripted")

    async def room(self) -> None:
        await self.outbox.room()

    def report(self) -> dict[str, Any]:
        """The session for the log."""
        items = [{**item.wire(), "audio_ms": item.audio_ms} for item in self.conversation]
        report = self.journal.report(self.config, items, self.conversation.unanswered_calls())
        return {**report, "overflowed": self.outbox.overflowed}

    # -- out ------------------------------------------------------------------------------------------

    def emit(self, kind: str, **fields: Any) -> None:
        """Send one event. Raises SchemaError when the service would not send such a thing."""
        self._emitter.emit(kind, **fields)

    def emit_audio(self, response_id: str, item_id: str, output_index: int, delta: str) -> None:
        """Send one `response.output_audio.delta`."""
        self._emitter.emit_audio(response_id, item_id, output_index, delta)

    # -- in -------------------------------------------------------------------------------------------

    def _receive(self, data: str) -> None:
        event_id: object = None
        try:
            try:
                event = orjson.loads(data)
            except orjson.JSONDecodeError as error:
                raise Refusal("invalid_json", f"The event is not JSON: {error}.") from error
            if not isinstance(event, dict) or not isinstance(event.get("type"), str):
                raise Refusal("missing_required_parameter", "Missing required parameter: 'type'.", "type")
            event_id = event.get("event_id")
            self._note(event)
            handler = self._handlers.get(event["type"])
            if handler is None:
                known = ", ".join(f"'{name}'" for name in self._handlers)
                message = f"Invalid value: '{event['type']}'. Supported values are: {known}."
                raise Refusal("invalid_value", message, "type")
            handler(event)
        except Refusal as refusal:
            self._emitter.refuse(refusal, event_id)

    def _note(self, event: dict[str, Any]) -> None:
        fault = self._checks.client_fault(event)
        if fault is not None:
            self.journal.schema_errors.append(f"client {fault}")
        if event["type"] == "input_audio_buffer.append":
            self.journal.client.add_audio(event["type"], decoded_size(str(event.get("audio", ""))))
        else:
            self.journal.client.add({"type": event["type"], "event": elided(event)})

    def _update(self, event: dict[str, Any]) -> None:
        self._updates += 1
        self._reject_scripted(event)
        speaking = self.active is not None
        self.config = settings.updated(self.config, event.get("session"), self._emitter.audio_sent, speaking)
        echo = self.line.spoiled_echo()
        self.ear.configure()
        if echo is not None:
            self.later(self.scenario.update_delay_ms, lambda: self.emit("session.updated", session=echo))

    def _reject_scripted(self, event: dict[str, Any]) -> None:
        reject = self.scenario.reject_update
        if reject is None:
            return
        session = event.get("session")
        audio = session.get("audio", {}).get("input", {}) if isinstance(session, dict) else {}
        model = (audio.get("transcription") or {}).get("model")
        if self._updates <= reject.first or (model is not None and model == reject.transcription_model):
            raise Refusal(reject.code, reject.message, reject.param)

    # -- items ----------------------------------------------------------------------------------------

    def add_item(self, item: Item) -> None:
        """An item of the server's own making: appended and announced."""
        previous = self.conversation.append(item)
        self.announce(item, previous)

    def announce(self, item: Item, previous: str | None) -> None:
        for kind in ("conversation.item.added", "conversation.item.done"):
            self.emit(kind, previous_item_id=previous, item=item.wire())

    def _create_item(self, event: dict[str, Any]) -> None:
        item, previous = self.conversation.create(event.get("item"), event.get("previous_item_id"))
        if item.type == "function_call_output":
            self._tools.append(self.conversation.tool_name(item.body["call_id"]))
        elif item.role == "user":
            self._unread_text = item.text
        elif item.role == "assistant":
            self._unread_text = None
        self.announce(item, previous)

    def _truncate(self, event: dict[str, Any]) -> None:
        item_id, index, end_ms = event.get("item_id"), event.get("content_index"), event.get("audio_end_ms")
        self.conversation.truncate(item_id, index, end_ms)
        self.later(
            self.scenario.truncate_ack_ms,
            lambda: self.emit("conversation.item.truncated", item_id=item_id, content_index=index, audio_end_ms=end_ms),
        )

    def _delete(self, event: dict[str, Any]) -> None:
        self.conversation.delete(event.get("item_id"))
        self.emit("conversation.item.deleted", item_id=event["item_id"])

    def _retrieve(self, event: dict[str, Any]) -> None:
        self.emit("conversation.item.retrieved", item=self.conversation.retrieve(event.get("item_id")).wire())

    # -- responses ------------------------------------------------------------------------------------

    def _create_response(self, event: dict[str, Any]) -> None:
        params = settings.check_response(event.get("response"))
        for item in params.get("input") or ():
            if isinstance(item, dict) and item.get("type") == "item_reference":
                self.conversation.retrieve(item.get("id"))
            else:
                parse_item(item, self.rng)
        if params.get("conversation") == "none":
            self._begin_aside(params)
            return
        self._refuse_second()
        self.respond(params, automatic=False)

    def _refuse_second(self) -> None:
        if self.active is not None:
            message = (
                f"Conversation already has an active response in progress: {self.active.id}. "
                "Wait until the response is finished before creating a new one."
            )
            raise Refusal("conversation_already_has_active_response", message)

    def respond(self, params: dict[str, Any], automatic: bool) -> None:
        """Begin a response of the conversation; none may be active."""
        self.director.speak(self._language(params))
        if self._unread_text is not None:
            self.director.read(self._unread_text)
            self._unread_text = None
        tools, self._tools = self._tools, []
        choice = self.director.choose(str(params.get("instructions", "")), tools, len(self.conversation) > 0)
        self.active = self._start(choice, params, automatic)

    def _begin_aside(self, params: dict[str, Any]) -> None:
        replies = self.director.script.out_of_band
        choice = Choice("out_of_band", replies[min(len(self._aside), len(replies) - 1)])
        response = self._start(choice, params, automatic=False)
        self._aside[response.id] = response

    def _start(self, choice: Choice, params: dict[str, Any], automatic: bool) -> Response:
        self._responses += 1
        response = Response(self, choice, params, self._responses, automatic)
        self.journal.responses.append(response.entry)
        self.spawn(response.run())
        if not self._unknown_sent:
            self._unknown_sent = True
            self.later(1, lambda: self.emit(UNKNOWN_EVENT, sample={"rtt_ms": 31, "nested": [None, True]}))
        return response

    def claim(self, response: Response) -> bool:
        """A swallowed request comes back: it becomes active, unless another is."""
        if self.active is not None:
            return False
        self.active = response
        return True

    def over(self, response: Response) -> None:
        """The response ended, or the service lost it."""
        self._aside.pop(response.id, None)
        if self.active is response:
            self.active = None
            self.director.finished(response.choice, response.status)
            self.ear.idle_after(response.audio_ms)

    def _cancel(self, event: dict[str, Any]) -> None:
        wanted = event.get("response_id")
        response = self.active if wanted is None else self._running(wanted)
        if response is None or not response.created:
            raise Refusal("response_cancel_not_active", "Cancellation failed: no active response found")
        response.cancel("client_cancelled")

    def _running(self, response_id: object) -> Response | None:
        if self.active is not None and self.active.id == response_id:
            return self.active
        return self._aside.get(str(response_id))

    def _language(self, params: dict[str, Any]) -> str:
        """Of the transcription when it is pinned, else of the instructions."""
        pinned = (self.config["audio"]["input"]["transcription"] or {}).get("language")
        if pinned:
            return str(pinned)[:2]
        words = str(params.get("instructions", "")) + str(self.config["instructions"])
        return "he" if any("\u0590" <= letter <= "\u05ff" for letter in words) else "en"
