"""What a response or a transcript cost, by kind. Cached tokens are a part of the input, not beside it."""

from collections.abc import Mapping
from typing import Any


def tokens_of_response(usage: Mapping[str, Any] | None) -> dict[str, int]:
    """`usage` of a finished response → tokens by kind; missing details count as 0, kinds of 0 are left out."""
    if not usage:
        return {}
    heard = usage.get("input_token_details") or {}
    said = usage.get("output_token_details") or {}
    cached = heard.get("cached_tokens_details") or {}
    kinds = {
        "input_text": heard.get("text_tokens"),
        "input_audio": heard.get("audio_tokens"),
        "cached_text": cached.get("text_tokens"),
        "cached_audio": cached.get("audio_tokens"),
        "output_text": said.get("text_tokens"),
        "output_audio": said.get("audio_tokens"),
        "total": usage.get("total_tokens"),
    }
    return {kind: int(count) for kind, count in kinds.items() if count}


def tokens_of_transcript(usage: Mapping[str, Any] | None) -> dict[str, int]:
    """`usage` of a caller's transcript: by tokens, or by duration (counted in ms)."""
    if not usage:
        return {}
    if usage.get("type") == "duration":
        return {"transcribed_ms": int(float(usage.get("seconds") or 0) * 1000)}
    return {"transcribed_tokens": int(usage.get("total_tokens") or 0)}
