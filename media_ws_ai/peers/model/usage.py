"""Token arithmetic of `response.done`: caller audio 1 token / 100 ms, assistant 1 / 50 ms.

Text is counted as one token per four characters, which is near enough for a stand-in and the same every time.
"""

import math
from typing import Any, Final

CALLER_MS_PER_TOKEN: Final = 100
ASSISTANT_MS_PER_TOKEN: Final = 50
CHARS_PER_TOKEN: Final = 4
CACHE_STEP: Final = 64
"""Cached input comes in blocks of this many tokens."""


def text_tokens(text: str) -> int:
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def caller_tokens(ms: float) -> int:
    return math.ceil(ms / CALLER_MS_PER_TOKEN)


def assistant_tokens(ms: float) -> int:
    return math.ceil(ms / ASSISTANT_MS_PER_TOKEN)


class Meter:
    """One session's usage: input grows with the conversation; what the last response read is cached for the next."""

    def __init__(self) -> None:
        self._cached_text = 0
        self._cached_audio = 0
        self.total_tokens = 0

    def usage(
        self, in_text: int, in_audio: int, out_text: int, out_audio: int, reasoning: int | None
    ) -> dict[str, Any]:
        """`response.usage` of one response; cached tokens are a subset of the input.

        Args:
            in_text, in_audio: tokens of the whole conversation so far, instructions and tools among the text.
            reasoning: tokens thought, added to the text; None for a model that does not reason.
        """
        cached_text = min(in_text, self._cached_text) // CACHE_STEP * CACHE_STEP
        cached_audio = min(in_audio, self._cached_audio) // CACHE_STEP * CACHE_STEP
        self._cached_text, self._cached_audio = in_text, in_audio
        out_text += reasoning or 0
        output: dict[str, Any] = {"text_tokens": out_text, "audio_tokens": out_audio}
        if reasoning is not None:
            output["reasoning_tokens"] = reasoning
        total = in_text + in_audio + out_text + out_audio
        self.total_tokens += total
        return {
            "total_tokens": total,
            "input_tokens": in_text + in_audio,
            "output_tokens": out_text + out_audio,
            "input_token_details": {
                "text_tokens": in_text,
                "audio_tokens": in_audio,
                "image_tokens": 0,
                "cached_tokens": cached_text + cached_audio,
                "cached_tokens_details": {
                    "text_tokens": cached_text,
                    "audio_tokens": cached_audio,
                    "image_tokens": 0,
                },
            },
            "output_token_details": output,
        }

    @staticmethod
    def nothing() -> dict[str, Any]:
        """Usage of a response that ended before it began."""
        return {
            "total_tokens": 0,
            "input_tokens": 0,
            "output_tokens": 0,
            "input_token_details": {
                "text_tokens": 0,
                "audio_tokens": 0,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
        }
