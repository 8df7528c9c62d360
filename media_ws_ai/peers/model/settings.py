"""The session object: its defaults, what an update may hold, and how an update is merged."""

import copy
import random
import time
from typing import Any, Final

from media_ws_ai.peers.model.checks import (
    Check,
    anything,
    array,
    by_type,
    either,
    flag,
    nullable,
    number,
    one_of,
    table,
    text,
)
from media_ws_ai.peers.model.ids import new_id
from media_ws_ai.peers.model.refusal import Refusal

VOICES: Final = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
SESSION_S: Final = 3600
PLAIN_MODELS: Final = ("gpt-realtime", "gpt-realtime-2025-08-28", "gpt-realtime-1.5")
"""Models of the older defaults: silence 200 ms, voice alloy, no reasoning."""


def _voice(value: Any, path: str) -> None:
    if isinstance(value, dict):
        table({"id": text}, ("id",))(value, path)
    else:
        one_of(*VOICES)(value, path)


_FORMAT: Final = by_type(
    {
        "audio/pcmu": table({"type": text}),
        "audio/pcma": table({"type": text}),
        "audio/pcm": table({"type": text, "rate": number(24000, 24000, whole=True)}),
    }
)
_VAD_FLAGS: Final[dict[str, Check]] = {"type": text, "create_response": flag, "interrupt_response": flag}
_TURN_DETECTION: Final = by_type(
    {
        "server_vad": table(
            {
                **_VAD_FLAGS,
                "threshold": number(0, 1),
                "prefix_padding_ms": number(0, 5000, whole=True),
                "silence_duration_ms": number(0, 10000, whole=True),
                "idle_timeout_ms": nullable(number(5000, 30000, whole=True)),
            }
        ),
        "semantic_vad": table({**_VAD_FLAGS, "eagerness": one_of("low", "medium", "high", "auto")}),
    }
)
_TRANSCRIPTION: Final = table(
    {
        "model": text,
        "language": nullable(text),
        "prompt": nullable(text),
        "keywords": array(text),
        "languages": array(text),
        "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
    }
)
_TOOL: Final = by_type(
    {
        "function": table({"type": text, "name": text, "description": text, "parameters": anything}, ("name",)),
        "mcp": anything,
    }
)
_TOOL_CHOICE: Final = either(
    "auto",
    either("none", either("required", by_type({"function": table({"type": text, "name": text}), "mcp": anything}))),
)
_MAX_TOKENS: Final = either("inf", number(1, 4096, whole=True))
_REASONING: Final = table({"effort": one_of("minimal", "low", "medium", "high", "xhigh")})
_METADATA: Final = nullable(lambda value, path: _metadata(value, path))

_SESSION: Final = table(
    {
        "type": one_of("realtime"),
        "model": text,
        "output_modalities": array(one_of("audio", "text")),
        "instructions": text,
        "audio": table(
            {
                "input": table(
                    {
                        "format": _FORMAT,
                        "noise_reduction": nullable(
                            table({"type": one_of("near_field", "far_field"), "strength": number(0, 10)})
                        ),
                        "transcription": nullable(_TRANSCRIPTION),
                        "turn_detection": nullable(_TURN_DETECTION),
                    }
                ),
                "output": table({"format": _FORMAT, "voice": _voice, "speed": number(0.25, 1.5)}),
            }
        ),
        "tools": array(_TOOL),
        "tool_choice": _TOOL_CHOICE,
        "parallel_tool_calls": flag,
        "reasoning": nullable(_REASONING),
        "max_output_tokens": _MAX_TOKENS,
        "truncation": anything,
        "tracing": anything,
        "include": nullable(array(one_of("item.input_audio_transcription.logprobs"))),
        "prompt": anything,
    },
    ("type",),
)

_RESPONSE: Final = table(
    {
        "instructions": text,
        "output_modalities": array(one_of("audio", "text")),
        "audio": table({"output": table({"format": _FORMAT, "voice": _voice})}),
        "tools": array(_TOOL),
        "tool_choice": _TOOL_CHOICE,
        "parallel_tool_calls": flag,
        "reasoning": nullable(_REASONING),
        "max_output_tokens": _MAX_TOKENS,
        "metadata": _METADATA,
        "conversation": one_of("auto", "none"),
        "input": array(anything),
        "prompt": anything,
    }
)


def _metadata(value: Any, path: str) -> None:
    if not isinstance(value, dict) or len(value) > 16:
        raise Refusal("invalid_value", f"Invalid '{path}': an object of at most 16 pairs.", path)
    for key, item in value.items():
        if not isinstance(item, str) or len(key) > 64 or len(item) > 512:
            message = f"Invalid '{path}.{key}': keys up to 64 characters, values strings up to 512."
            raise Refusal("invalid_value", message, f"{path}.{key}")


def check_response(params: object) -> dict[str, Any]:
    """The `response` of a `response.create`, checked. Raises Refusal."""
    if params is None:
        return {}
    _RESPONSE(params, "response")
    assert isinstance(params, dict)
    _one_modality(params, "response")
    return params


def defaults(model: str, rng: random.Random) -> dict[str, Any]:
    """The session as `session.created` tells it: PCM both ways, no transcription, VAD that answers by itself."""
    plain = model in PLAIN_MODELS
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": new_id(rng, "sess"),
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "Your knowledge cutoff is 2025-06. You are a helpful, witty and friendly AI.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "expires_at": int(time.time()) + SESSION_S,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200 if plain else 500,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": "alloy" if plain else "marin",
                "speed": 1.0,
            },
        },
    }


def updated(session: dict[str, Any], change: object, voice_locked: bool, speaking: bool) -> dict[str, Any]:
    """The session after an update; the given one stays as it is, so a refusal changes nothing.

    Args:
        voice_locked: audio was produced already.
        speaking: a response is running.

    Raises: Refusal.
    """
    if not isinstance(change, dict):
        raise Refusal("missing_required_parameter", "Missing required parameter: 'session'.", "session")
    _SESSION(change, "session")
    _one_modality(change, "session")
    result = _merge(session, change)
    if result["model"] != session["model"]:
        raise Refusal("invalid_value", "The model of a session cannot be changed.", "session.model")
    output, before = result["audio"]["output"], session["audio"]["output"]
    if voice_locked and output["voice"] != before["voice"]:
        message = "Cannot update a conversation's voice if assistant audio is present."
        raise Refusal("cannot_update_voice", message, "session.audio.output.voice")
    if speaking and output["speed"] != before["speed"]:
        message = "The speed can be changed between responses only."
        raise Refusal("invalid_value", message, "session.audio.output.speed")
    if session["tracing"] is not None and result["tracing"] != session["tracing"]:
        raise Refusal("invalid_value", "Tracing cannot be modified once enabled.", "session.tracing")
    if result.get("reasoning") and not result["model"].startswith("gpt-realtime-2"):
        raise Refusal("unknown_parameter", "Unknown parameter: 'session.reasoning'.", "session.reasoning")
    _check_transcription(result["audio"]["input"]["transcription"])
    return result


def _one_modality(params: dict[str, Any], path: str) -> None:
    if len(params.get("output_modalities") or ["audio"]) != 1:
        name = f"{path}.output_modalities"
        raise Refusal("invalid_value", "Invalid modalities: supported are ['text'] and ['audio'].", name)


def _check_transcription(transcription: dict[str, Any] | None) -> None:
    """Options that belong to some transcription models only."""
    if transcription is None:
        return
    model = transcription.get("model") or ""
    streaming = model in ("gpt-transcribe", "gpt-live-transcribe")
    fits = {
        "prompt": model != "gpt-realtime-whisper",
        "keywords": streaming,
        "languages": streaming,
        "delay": model == "gpt-realtime-whisper",
    }
    for key, fit in fits.items():
        if transcription.get(key) and not fit:
            name = f"session.audio.input.transcription.{key}"
            raise Refusal("invalid_value", f"'{key}' is not supported by '{model}'.", name)


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(old)
    for key, value in new.items():
        before = result.get(key)
        same_type = isinstance(before, dict) and isinstance(value, dict) and before.get("type") == value.get("type")
        nested = (
            key in ("audio", "input", "output") or (key == "turn_detection" and same_type) or key == "transcription"
        )
        if nested and isinstance(before, dict) and isinstance(value, dict):
            result[key] = _merge(before, value)
        elif key == "turn_detection" and isinstance(value, dict):
            result[key] = {**_TURN_DEFAULTS[value["type"]], **value}
        else:
            result[key] = copy.deepcopy(value)
    return result


_TURN_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "server_vad": {
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {"eagerness": "auto", "create_response": True, "interrupt_response": True},
}
