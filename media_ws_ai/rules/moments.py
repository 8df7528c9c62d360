"""Which log lines of a call are moments worth keeping with it: they become rows beside what was said.

One home for the choice: whoever asks "why did it do that?" reads the conversation and these, in order.
"""

from collections.abc import Iterable
from typing import Final

from media_ws_ai.commands import Command, Log, Record

KEPT: Final = frozenset(
    {
        "ai_starting",
        "backlog_full",
        "call_limit_near",
        "clip_playing",
        "cut",
        "first_sound",
        "hangup",
        "media_gap_filled",
        "model_fallback_transcription",
        "model_lost",
        "model_not_as_asked",
        "model_ready",
        "model_renewed",
        "model_renewing",
        "model_stall",
        "prompt_given_up",
        "prompt_upgraded",
        "response_rejected",
        "system_message",
        "turn_detected_violation",
        "utterance_cut",
    }
)


def kept(orders: Iterable[Command], offset_ms: int) -> list[Command]:
    """A row for each line among `orders` that is such a moment."""
    return [
        Record("moment", offset_ms, {"what": order.line.marker, "line": order.line.text})
        for order in orders
        if isinstance(order, Log) and order.line.marker in KEPT
    ]
