"""The Realtime dialect (GA): frames of JSON → our events, our commands → frames. No socket here.

Nothing outside this file knows one of its names. Another dialect is another file with the same shape:
`feed`, `encode`, `closed`, `refused`, `capabilities`.
Source: openai.types.realtime 3.54; the ids, flags and codes are those of its types and of recorded traffic.
"""

import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai.wire.usage import tokens_of_response, tokens_of_transcript

FATAL_CODES: Final = frozenset(
    {
        "session_expired",
        "invalid_api_key",
        "insufficient_quota",
        "account_deactivated",
        "billing_hard_limit_reached",
        "model_not_found",
        "beta_api_shape_disabled",
    }
)
HOPELESS_CODES: Final = FATAL_CODES - {"session_expired"}
"""A new connection would meet the same answer."""

HOPELESS_STATUS: Final = frozenset({400, 401, 403, 404})

PREFIX_PADDING_MS: Final = 300
SILENCE_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What rules may count on with this dialect."""

    can_cancel: bool = True
    can_truncate: bool = True
    is_paced: bool = False
    """True: the model sends audio as it is to be heard, not as fast as it can."""


_APPEND: Final = b'{"type":"input_audio_buffer.append","audio":"'

Json = Mapping[str, Any]


class RealtimeDialect:
    """One connection's dialect; it remembers the prompt in force, because a response's instructions replace it."""

    capabilities = Capabilities()

    def __init__(self) -> None:
        self._instructions = ""
        self.unknown = 0
        self.malformed = 0

    # --- their frames → our events ----------------------------------------------------------------------------

    def feed(self, frame: bytes | str) -> list[e.Event]:
        """One text frame. Unknown kinds and keys are ignored (counted); a broken frame is counted, never raised."""
        try:
            data = orjson.loads(frame)
            parse = _PARSERS.get(data["type"])
            if parse is None:
                self.unknown += 1
                return []
            return [parse(data)]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, OverflowError, AttributeError):
            self.malformed += 1
            return []

    @staticmethod
    def closed(link: int, code: int, reason: str) -> e.ModelLost:
        """The model closed connection `link` with a websocket close code."""
        detail = f"{code} {reason}".strip()
        if code == 4000 or any(known in reason for known in HOPELESS_CODES):
            return e.ModelLost(link, "refused", detail, is_hopeless=True)
        if code == 1001 or "maximum duration" in reason:
            return e.ModelLost(link, "expired", detail)
        return e.ModelLost(link, "closed", detail)

    @staticmethod
    def refused(link: int, status: int, body: str) -> e.ModelLost:
        """The handshake was answered with an HTTP status instead of an upgrade."""
        return e.ModelLost(link, "refused", f"HTTP {status} {body}".strip(), is_hopeless=status in HOPELESS_STATUS)

    # --- our commands → their frames --------------------------------------------------------------------------

    def encode(self, command: c.ModelCommand) -> bytes:
        """One frame for one command."""
        if isinstance(command, c.AppendAudio):
            return _APPEND + binascii.b2a_base64(command.audio, newline=False) + b'"}'
        return orjson.dumps(self._frame(command))

    def _frame(self, command: c.ModelCommand) -> dict[str, Any]:
        match command:
            case c.Configure():
                self._instructions = command.prompt.joined()
                return self._update(command.ref, self._session(command))
            case c.Reprompt():
                self._instructions = command.prompt.joined()
                return self._update(command.ref, {"instructions": self._instructions})
            case c.Transcribe():
                listen = {"transcription": _transcription(command.model, command.language)}
                return self._update(command.ref, {"audio": {"input": listen}})
            case c.RequestResponse():
                response: dict[str, Any] = {"metadata": {"ref": command.ref}}
                if command.instructions:
                    response["instructions"] = f"{self._instructions}\n\n{command.instructions}"
                return {"type": "response.create", "event_id": command.ref, "response": response}
            case c.CancelResponse():
                return {"type": "response.cancel", "event_id": command.ref, "response_id": command.response_id}
            case c.TruncateItem():
                return {
                    "type": "conversation.item.truncate",
                    "event_id": command.ref,
                    "item_id": command.item_id,
                    "content_index": 0,
                    "audio_end_ms": command.heard_ms,
                }
            case c.DeleteItem():
                return {"type": "conversation.item.delete", "event_id": command.ref, "item_id": command.item_id}
            case c.AddText():
                kind = "output_text" if command.role == "assistant" else "input_text"
                content = [{"type": kind, "text": command.text}]
                return _item(command.ref, {"type": "message", "role": command.role, "content": content})
            case c.AnswerTool():
                output = {"type": "function_call_output", "call_id": command.call_id, "output": command.output}
                return _item(command.ref, output)
        raise TypeError(f"no frame for {type(command).__name__}")

    @staticmethod
    def _update(ref: str, session: dict[str, Any]) -> dict[str, Any]:
        return {"type": "session.update", "event_id": ref, "session": {"type": "realtime", **session}}

    @staticmethod
    def _session(command: c.Configure) -> dict[str, Any]:
        output: dict[str, Any] = {"format": {"type": "audio/pcmu"}, "voice": command.voice}
        if command.speed is not None:
            output["speed"] = command.speed
        return {
            "output_modalities": ["audio"],
            "instructions": command.prompt.joined(),
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "noise_reduction": None,
                    "transcription": _transcription(command.transcribe_model, command.language),
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.5,
                        "prefix_padding_ms": PREFIX_PADDING_MS,
                        "silence_duration_ms": SILENCE_MS,
                        "idle_timeout_ms": None,
                        "create_response": False,
                        "interrupt_response": False,
                    },
                },
                "output": output,
            },
            "tools": list(command.tools),
            "tool_choice": "auto",
            "max_output_tokens": command.max_output_tokens,
        }


def _transcription(model: str, language: str) -> dict[str, str]:
    return {"model": model, "language": language}


def _item(ref: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "conversation.item.create", "event_id": ref, "item": item}


def _text(data: Json, key: str) -> str:
    """A string, or the frame counts as malformed: rules look ids up and join texts."""
    value = data[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _text_or(data: Json, key: str) -> str | None:
    return None if data.get(key) is None else _text(data, key)


def _number(data: Json, key: str) -> int:
    value = data[key]
    if not isinstance(value, int):
        raise TypeError(f"{key} is no number")
    return value


def _code(error: Json, unknown: str) -> str:
    return str(error.get("code") or error.get("type") or unknown)


def _ref(response: Json) -> str | None:
    """What we put into the metadata of the create that this response came of."""
    ref = (response.get("metadata") or {}).get("ref")
    return None if ref is None else str(ref)


def _is_pcmu(side: Json) -> bool:
    form = side.get("format")
    return isinstance(form, dict) and form.get("type") == "audio/pcmu"


def _configured(d: Json) -> e.Event:
    audio = d["session"]["audio"]
    listen, speak = audio["input"], audio["output"]
    turns = listen.get("turn_detection")
    return e.ModelConfigured(
        is_pcmu=_is_pcmu(listen) and _is_pcmu(speak),
        leaves_turns_to_us=turns is None
        or (turns.get("create_response") is False and turns.get("interrupt_response") is False),
        transcribes=bool(listen.get("transcription")),
    )


def _error(d: Json) -> e.Event:
    error = d["error"]
    code = _code(error, "unknown")
    about = f"{error.get('param') or ''} {error.get('message') or ''}".lower()
    return e.ModelError(
        code=code,
        message=str(error.get("message") or ""),
        ref=_text_or(error, "event_id"),
        is_fatal=code in FATAL_CODES,
        about="transcription" if "transcri" in about else "",
    )


def _created(d: Json) -> e.Event:
    response = d["response"]
    return e.ResponseCreated(_text(response, "id"), _ref(response))


_ROLES: Final = {"function_call": "tool_call", "function_call_output": "tool_output"}


def _added(d: Json) -> e.Event:
    item = d["item"]
    role = _text_or(item, "role") or _ROLES.get(item.get("type", ""), "other")
    return e.ItemAdded(_text(item, "id"), role, _text_or(d, "previous_item_id"))


def _ended(d: Json) -> e.Event:
    response = d["response"]
    details = response.get("status_details") or {}
    error = details.get("error") or {}
    calls = tuple(
        e.ToolCall(_text(item, "call_id"), _text(item, "name"), _text_or(item, "arguments") or "")
        for item in response.get("output") or ()
        if item.get("type") == "function_call"
    )
    return e.ResponseEnded(
        response_id=_text(response, "id"),
        ref=_ref(response),
        status=_text(response, "status"),
        reason=_text_or(details, "reason") or "",
        code=_code(error, ""),
        is_hopeless=error.get("code") in HOPELESS_CODES,
        tokens=tokens_of_response(response.get("usage")),
        calls=calls,
    )


def _transcript(d: Json) -> e.Event:
    return e.Transcript(_text(d, "item_id"), _text(d, "transcript"), tokens_of_transcript(d.get("usage")))


def _transcript_failed(d: Json) -> e.Event:
    error = d.get("error") or {}
    return e.TranscriptFailed(_text(d, "item_id"), _code(error, "unknown"))


def _audio(d: Json) -> e.Event:
    return e.ModelAudio(_text(d, "response_id"), _text(d, "item_id"), binascii.a2b_base64(d["delta"], strict_mode=True))


def _committed(d: Json) -> e.Event:
    return e.TurnCommitted(_text(d, "item_id"), _text_or(d, "previous_item_id"))


_PARSERS: Final[Mapping[str, Callable[[Json], e.Event]]] = {
    "response.output_audio.delta": _audio,
    "response.output_audio_transcript.delta": lambda d: e.ModelText(
        _text(d, "response_id"), _text(d, "item_id"), _text(d, "delta")
    ),
    "response.output_audio_transcript.done": lambda d: e.ModelTextDone(
        _text(d, "response_id"), _text(d, "item_id"), _text(d, "transcript")
    ),
    "response.output_audio.done": lambda d: e.ModelAudioDone(_text(d, "response_id"), _text(d, "item_id")),
    "response.created": _created,
    "response.done": _ended,
    "session.created": lambda d: e.ModelGreeted(),
    "session.updated": _configured,
    "conversation.item.added": _added,
    "input_audio_buffer.speech_started": lambda d: e.SpeechStarted(_text(d, "item_id"), _number(d, "audio_start_ms")),
    "input_audio_buffer.speech_stopped": lambda d: e.SpeechStopped(_text(d, "item_id"), _number(d, "audio_end_ms")),
    "input_audio_buffer.committed": _committed,
    "conversation.item.input_audio_transcription.delta": lambda d: e.TranscriptPart(
        _text(d, "item_id"), _text_or(d, "delta") or ""
    ),
    "conversation.item.input_audio_transcription.completed": _transcript,
    "conversation.item.input_audio_transcription.failed": _transcript_failed,
    "error": _error,
}
