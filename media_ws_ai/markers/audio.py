"""Markers of items A and C3: play-out, the local detector, the gate, the caller's audio."""

from media_ws_ai.markers.fields import Decimal1, Int
from media_ws_ai.markers.line import WARNING, marker


@marker("A1", "[TX_METRICS] fps={fps}, max_gap_ms={max_gap_ms}, frames={frames}, q={queued}/{capacity}")
def tx_metrics(*, fps: Decimal1, max_gap_ms: Decimal1, frames: Int, queued: Int, capacity: Int) -> None:
    """Play-out of the last second; written every second of a call, speech or not."""


@marker(
    "A2",
    "[LOCAL_VAD] 🔶 CANDIDATE barge-in detected: {voice_frames} voice_frames → enabling forward",
    older=(
        "[LOCAL_VAD] CANDIDATE barge-in detected: {voice_frames} voice_frames → enabling forward",
        "[LOCAL_VAD] 🔶 CANDIDATE: Possible user speech detected…",
        "[LOCAL_VAD] CANDIDATE: Possible user speech detected…",
        "CANDIDATE: Possible user speech detected…",
    ),
)
def candidate(*, voice_frames: Int) -> None:
    """The caller may have begun to speak over the agent: forward from here, with the pre-roll. Nothing is cancelled."""


@marker("A2", "[HALF-DUPLEX] Blocking audio to OpenAI - AI speaking")
def gate_blocking() -> None:
    """The noise gate closed (C3 too): the model hears silence while the agent speaks."""


@marker("A1+", "[BACKLOG] full at {queued_ms}ms - response cancelled, {dropped_ms}ms dropped", level=WARNING)
def backlog_full(*, queued_ms: Int, dropped_ms: Int) -> None:
    """The model delivered more audio than the bounded backlog holds."""


@marker("A1", "[TX] blocked for {blocked_ms}ms - closing", level=WARNING)
def tx_blocked(*, blocked_ms: Int) -> None:
    """The carrier stopped reading: a blocked send reached its deadline."""


@marker("-", "[MEDIA] gap filled: {gap_ms}ms with {frames} frames of silence")
def media_gap_filled(*, gap_ms: Int, frames: Int) -> None:
    """Media timestamps of the caller jumped; the hole was filled."""


@marker("-", "[MEDIA] dead line: no caller audio for {silent_s}s", level=WARNING)
def media_dead(*, silent_s: Decimal1) -> None:
    """The carrier sends nothing any more."""
