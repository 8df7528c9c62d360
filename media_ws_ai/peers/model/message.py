"""The spoken (or written) item of a response: text ahead of audio, audio ahead of real time, closing events once."""

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from media_ws_ai.peers.model import voice
from media_ws_ai.peers.model.items import Item
from media_ws_ai.peers.model.journal import now

if TYPE_CHECKING:
    from media_ws_ai.peers.model.responses import Response

AddItem = Callable[[dict[str, Any]], tuple[Item, int]]


class Message:
    """Speaks one sound as a message item of a response."""

    def __init__(self, response: "Response", wanted: voice.Sound, add_item: AddItem) -> None:
        self._response, self._sound = response, wanted
        self._host, self._reply = response.host, response.reply
        self._is_audio = response.modality == "audio"
        self._content: dict[str, Any] = {"type": "output_audio" if self._is_audio else "output_text"}
        self._word = "transcript" if self._is_audio else "text"
        self._said = 0
        self._due: voice.Delta | None = None
        self._closed = self._stalled = False
        self._item, self._index = add_item({"type": "message", "role": "assistant", "content": []})
        self._ids = {
            "response_id": response.id,
            "item_id": self._item.id,
            "output_index": self._index,
            "content_index": 0,
        }
        part = {"type": "audio" if self._is_audio else "text", self._word: ""}
        self._host.emit("response.content_part.added", **self._ids, part=part)
        self._item.body["content"] = [self._content]
        self._content[self._word] = ""
        self._deltas = voice.deltas(wanted, self._reply, response.format["type"], self._host.rng)

    async def speak(self) -> str:
        """All deltas at their times. Returns the status the response takes from it. Raises Cancelled."""
        if not self._is_audio:
            return await self._write()
        reply, response = self._reply, self._response
        await response.pause(reply.first_audio_ms)
        end_ms, status = self._end()
        loop, scale = asyncio.get_running_loop(), self._host.scenario.time_scale
        speed = (reply.speed or self._host.scenario.speed) * scale
        started, sent_ms = loop.time(), 0.0
        for delta in self._deltas:
            self._due = delta
            if sent_ms >= end_ms:
                break
            await self._faults(sent_ms)
            if reply.burst:
                await asyncio.sleep(0)
                await response.pause(0)
            else:
                due_ms = (started + sent_ms / 1000 / speed - loop.time()) * 1000
                await response.pause(due_ms * scale)
            await self._host.room()
            self._speak_text(self._text_due(delta.end_ms))
            self._send(delta)
            sent_ms = delta.end_ms
        await self._faults(sent_ms)
        if status == "completed":
            self._speak_text(len(self._sound.text))
        return status

    def _end(self) -> tuple[float, str]:
        """Where the audio ends, and why."""
        reply, most_ms = self._reply, self._response.most_audio_ms
        if reply.status != "completed":
            end_ms = reply.end_after_ms if reply.end_after_ms is not None else self._sound.ms / 2
            return min(end_ms, most_ms), reply.status
        return (most_ms, "incomplete") if self._sound.ms > most_ms else (self._sound.ms, "completed")

    async def _write(self) -> str:
        text = self._sound.text
        while self._said < len(text):
            await self._response.pause(10)
            self._speak_text(self._word_end(self._said + 8))
        return self._reply.status

    async def _faults(self, sent_ms: float) -> None:
        reply = self._reply
        if reply.drop_line is not None and sent_ms >= reply.drop_line.after_ms:
            self._host.drop_line(reply.drop_line.code)
            await self._response.pause(None)
        if reply.stall == "audio" and not self._stalled and sent_ms >= (reply.end_after_ms or 0):
            self._stalled = True
            await self._response.pause(reply.stall_ms)
        if reply.cancel_by_turn_detected_ms is not None and sent_ms >= reply.cancel_by_turn_detected_ms:
            self._response.cancel("turn_detected")
            await self._response.pause(0)

    # -- text -----------------------------------------------------------------------------------------

    def _text_due(self, end_ms: float) -> int:
        """How many characters may be told once audio up to `end_ms` is."""
        if not self._sound.ms:
            return len(self._sound.text)
        share = self._reply.text_rate * max(0.0, end_ms - self._reply.text_lag_ms) / self._sound.ms
        return self._word_end(int(len(self._sound.text) * min(1.0, share)))

    def _word_end(self, at: int) -> int:
        space = self._sound.text.find(" ", at)
        return len(self._sound.text) if space < 0 else space

    def _speak_text(self, end: int) -> None:
        if end <= self._said:
            return
        piece = self._sound.text[self._said : end]
        self._said = end
        if not self._item.truncated:
            self._content[self._word] += piece
        self._response.entry["text"] += piece
        kind = "response.output_audio_transcript.delta" if self._is_audio else "response.output_text.delta"
        self._host.emit(kind, **self._ids, delta=piece, **self._response.obfuscation())

    # -- audio ----------------------------------------------------------------------------------------

    def _send(self, delta: voice.Delta, late: bool = False) -> None:
        self._due = None
        entry = self._response.entry
        self._host.emit_audio(self._response.id, self._item.id, self._index, delta.base64)
        entry["last_audio_at_s"] = now()
        if entry["first_audio_at_s"] is None:
            entry["first_audio_at_s"] = entry["last_audio_at_s"]
        if late:
            entry["late_audio_ms"] += delta.end_ms - entry["audio_ms"]
        entry["audio_ms"] = delta.end_ms
        if not self._item.truncated:
            self._item.audio_ms = delta.end_ms

    def late(self, count: int) -> None:
        """Deltas of a dead response, text and audio, as real traffic may hold them."""
        if self._closed or not self._is_audio:
            return
        waiting = () if self._due is None else (self._due,)
        for delta in itertools.islice(itertools.chain(waiting, self._deltas), count):
            self._speak_text(self._text_due(delta.end_ms))
            self._send(delta, late=True)

    # -- closing --------------------------------------------------------------------------------------

    def close(self, status: str) -> None:
        """The closing events, once; the text is what was told so far."""
        if self._closed:
            return
        self._closed = True
        said = self._sound.text[: self._said]
        if self._is_audio:
            self._host.emit("response.output_audio.done", **self._ids)
            self._host.emit("response.output_audio_transcript.done", **self._ids, transcript=said)
        else:
            self._host.emit("response.output_text.done", **self._ids, text=said)
        part = {"type": "audio" if self._is_audio else "text", self._word: said}
        self._host.emit("response.content_part.done", **self._ids, part=part)
        self._response.end_item(self._item, self._index, status)
