"""The listening half of a session: appended audio, VAD events, commits, idle timeout, transcripts."""

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from media_ws_ai.peers.model import g711
from media_ws_ai.peers.model.director import Heard
from media_ws_ai.peers.model.heard import FrameIndex, Listener, Utterance
from media_ws_ai.peers.model.ids import new_id
from media_ws_ai.peers.model.items import Item
from media_ws_ai.peers.model.refusal import Refusal
from media_ws_ai.peers.model.transcription import Transcriber
from media_ws_ai.peers.model.vad import Edge, EnergyVad

if TYPE_CHECKING:
    from media_ws_ai.peers.model.session import Session

LEAST_COMMIT_MS: Final = 100
DEFAULT_PADDING_MS: Final = 300
EAGERNESS_MS: Final = {"low": 2000, "medium": 1000, "auto": 1000, "high": 500}
"""Silence that ends a turn for semantic VAD, which this stand-in does by energy as well."""

_BYTES_PER_MS: Final = {"audio/pcmu": 8, "audio/pcma": 8, "audio/pcm": 48}


class Ear:
    """What a session hears; time is audio appended, in milliseconds."""

    def __init__(self, session: "Session", index: FrameIndex) -> None:
        self._session = session
        self._vad = EnergyVad()
        self._listener = Listener(index)
        self._transcriber = Transcriber(session.emit, session.rng, session.later)
        self._format = "audio/pcm"
        self._detection: dict[str, Any] | None = None
        self._appended_ms = 0.0
        self._buffered_ms = 0.0
        self._item_id: str | None = None
        self._start_ms = 0
        self._idle_from_ms: float | None = None
        self.configure()

    def configure(self) -> None:
        """Take the parameters of the session as they are now."""
        config = self._session.config["audio"]["input"]
        self._format = config["format"]["type"]
        self._detection = config["turn_detection"]
        if self._detection is None:
            self._vad.forget()
        elif self._detection["type"] == "semantic_vad":
            self._vad.configure(0.5, EAGERNESS_MS[self._detection.get("eagerness", "auto")])
        else:
            self._vad.configure(self._detection["threshold"], self._detection["silence_duration_ms"])

    # -- client events --------------------------------------------------------------------------------

    def append(self, event: dict[str, Any]) -> None:
        """`input_audio_buffer.append`: never acknowledged. Raises Refusal."""
        try:
            data = base64.b64decode(event["audio"], validate=True)
        except KeyError as error:
            raise Refusal("missing_required_parameter", "Missing required parameter: 'audio'.", "audio") from error
        except (binascii.Error, TypeError, ValueError) as error:
            message = "Invalid 'audio'. Expected base64-encoded audio bytes."
            raise Refusal("invalid_value", message, "audio") from error
        journal = self._session.journal
        journal.appends += 1
        journal.append_bytes += len(data)
        ms = len(data) / _BYTES_PER_MS[self._format]
        self._appended_ms += ms
        self._buffered_ms += ms
        ulaw = self._as_ulaw(data)
        self._listener.feed(ulaw)
        edges = self._vad.feed(ulaw)
        if self._detection is None:
            if edges:
                self._vad.forget()
            return
        for edge in edges:
            self._on_edge(edge)
        if self._item_id is not None and self._session.scenario.hearing.during_speech and self._options is not None:
            self._transcriber.partial(self._item_id, self._listener.text_so_far.split())
        self._watch_idle()

    def _as_ulaw(self, data: bytes) -> bytes:
        if self._format == "audio/pcmu":
            return data
        return g711.alaw_to_ulaw(data) if self._format == "audio/pcma" else g711.pcm24_to_ulaw(data)

    def commit_by_hand(self, event: dict[str, Any]) -> None:
        """`input_audio_buffer.commit`. Raises Refusal when there is less than 100 ms."""
        if self._buffered_ms < LEAST_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {self._buffered_ms:.2f}ms of audio."
            )
            raise Refusal("input_audio_buffer_commit_empty", message)
        start_ms = self._appended_ms - self._buffered_ms
        self._commit(self._item_id or new_id(self._session.rng, "item"), int(start_ms), int(self._appended_ms))
        self._vad.forget()

    def clear(self, event: dict[str, Any]) -> None:
        """`input_audio_buffer.clear`."""
        self._buffered_ms = 0.0
        self._item_id = None
        self._listener.forget()
        self._vad.forget()
        self._session.emit("input_audio_buffer.cleared")

    # -- speech ---------------------------------------------------------------------------------------

    def _on_edge(self, edge: Edge) -> None:
        assert self._detection is not None
        session = self._session
        if edge.kind == "started":
            self._item_id = new_id(session.rng, "item")
            self._start_ms = max(0, edge.at_ms - self._detection.get("prefix_padding_ms", DEFAULT_PADDING_MS))
            self._idle_from_ms = None
            session.emit("input_audio_buffer.speech_started", item_id=self._item_id, audio_start_ms=self._start_ms)
            if session.active is not None and self._detection.get("interrupt_response", True):
                session.active.cancel("turn_detected")
            return
        if self._item_id is None:
            return
        session.emit("input_audio_buffer.speech_stopped", item_id=self._item_id, audio_end_ms=edge.at_ms)
        self._commit(self._item_id, self._start_ms, edge.at_ms)
        if self._detection.get("create_response", True) and session.active is None:
            session.respond({}, automatic=True)

    def _commit(self, item_id: str, start_ms: int, end_ms: int) -> None:
        session, utterance = self._session, self._listener.utterance(start_ms, end_ms)
        self._item_id, self._buffered_ms = None, 0.0
        heard = session.director.heard(utterance)
        self._log(item_id, utterance, heard)
        session.emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=session.conversation.last_id)
        session.add_item(_audio_item(item_id, end_ms - start_ms))
        if self._options is not None:
            include = session.config["include"] or ()
            logprobs = "item.input_audio_transcription.logprobs" in include
            self._transcriber.commit(item_id, heard, end_ms - start_ms, self._options, logprobs)

    def _log(self, item_id: str, utterance: Utterance, heard: Heard) -> None:
        at_s = self._session.journal.now()
        outcome = "failed" if heard.failed else heard.hearing.result
        self._session.journal.utterances.append(
            lambda: {"at_s": at_s, **utterance.report(), "item_id": item_id, "text": heard.text, "transcript": outcome}
        )

    @property
    def _options(self) -> dict[str, Any] | None:
        """The session's transcription; None when it is off."""
        options: dict[str, Any] | None = self._session.config["audio"]["input"]["transcription"]
        return options

    # -- idle timeout ---------------------------------------------------------------------------------

    def idle_after(self, audio_ms: float) -> None:
        """A response of this much audio ended: silence counts from when it has been heard."""
        self._idle_from_ms = self._appended_ms + audio_ms

    def _watch_idle(self) -> None:
        assert self._detection is not None
        session, limit_ms, since_ms = self._session, self._detection.get("idle_timeout_ms"), self._idle_from_ms
        if not limit_ms or since_ms is None or self._vad.speaking or session.active is not None:
            return
        if self._appended_ms - since_ms < limit_ms:
            return
        self._idle_from_ms, item_id = None, new_id(session.rng, "item")
        start_ms, end_ms = int(since_ms), int(self._appended_ms)
        session.emit(
            "input_audio_buffer.timeout_triggered", audio_start_ms=start_ms, audio_end_ms=end_ms, item_id=item_id
        )
        notice = [{"type": "input_text", "text": "The user has not said anything for a while."}]
        body = {"type": "message", "role": "system", "content": notice}
        session.add_item(Item(new_id(session.rng, "item"), body))
        session.emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=session.conversation.last_id)
        session.add_item(_audio_item(item_id, end_ms - start_ms))
        self._buffered_ms = 0.0
        if self._options is not None:
            self._transcriber.empty(item_id)
        if self._detection.get("create_response", True):
            session.respond({}, automatic=True)


def _audio_item(item_id: str, audio_ms: float) -> Item:
    content = [{"type": "input_audio", "transcript": None}]
    return Item(item_id, {"type": "message", "role": "user", "content": content}, audio_ms=audio_ms)
