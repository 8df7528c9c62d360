"""Markers of a call's frame: start, end, its metrics, and the carrier's requests around it."""

from types import MappingProxyType
from typing import Final

from media_ws_ai.markers.fields import Decimal1, Int, OptInt, Pairs, Phone, Word
from media_ws_ai.markers.line import WARNING, marker

_NOTHING: Final = MappingProxyType[str, object]({})


@marker(
    "A1",
    "[CALL_METRICS] call_sid={call_sid} stream_sid={stream_sid} duration_s={duration_s} avg_fps={avg_fps} "
    "max_gap_ms={max_gap_ms} frames_sent={frames_sent} frames_dropped={frames_dropped} "
    "frames_flushed={frames_flushed} barge_in_candidates={barge_in_candidates} barge_in_events={barge_in_events} "
    "barge_in_rejected={barge_in_rejected}{extra}",
    older=("[CALL_METRICS]{extra}",),
)
def call_metrics(
    *,
    call_sid: Word,
    stream_sid: Word,
    duration_s: Decimal1,
    avg_fps: Decimal1,
    max_gap_ms: Decimal1,
    frames_sent: Int,
    frames_dropped: Int,
    frames_flushed: Int,
    barge_in_candidates: Int,
    barge_in_events: Int,
    barge_in_rejected: Int,
    extra: Pairs = _NOTHING,
) -> None:
    """The call in one line, at its end; whatever else is useful follows the fixed keys."""


@marker(
    "-",
    "[CALL] started business_id={business_id} caller={caller} lang={lang} goal={goal} attempt={attempt}",
)
def call_started(*, business_id: OptInt, caller: Phone, lang: Word, goal: Word, attempt: Int = 1) -> None:
    """The stream is accepted; `attempt` is above 1 when a call whose worker died is resumed."""


@marker("-", "[CALL] first sound after {after_ms}ms by={source}")
def first_sound(*, after_ms: Int, source: Word) -> None:
    """From `start` to the first frame; `source` is `model` or `clip`."""


@marker("-", "[CALL] time limit in {left_s}s", level=WARNING)
def call_limit_near(*, left_s: Int) -> None:
    """The longest permitted call is nearly over."""


@marker("-", "[CALL] ended reason={reason} duration_s={duration_s}{extra}")
def call_ended(*, reason: Word, duration_s: Decimal1, extra: Pairs = _NOTHING) -> None:
    """Why the call ended."""


@marker("-", "[STREAM] refused reason={reason}", level=WARNING)
def stream_refused(*, reason: Word) -> None:
    """A websocket that was not accepted (signature, token, late start…)."""


@marker("-", "[STREAM] started tracks={tracks} encoding={encoding}")
def stream_started(*, tracks: Word, encoding: Word) -> None:
    """The carrier's `start`."""


@marker("-", "[STREAM] survived {what} count={count}", level=WARNING)
def stream_survived(*, what: Word, count: Int) -> None:
    """Messages of the carrier that were counted and ignored (foreign media, bad JSON…)."""


@marker("-", "[STREAM] resume attempt={attempt} turns={turns}", level=WARNING)
def stream_resumed(*, attempt: Int, turns: Int) -> None:
    """The stream ended without a recorded end; the caller gets a fresh one."""


@marker("-", "[WEBHOOK] {route} {verdict} reason={reason} in {took_ms}ms")
def webhook(*, route: Word, verdict: Word, reason: Word = "-", took_ms: Int) -> None:
    """A request of the carrier and what was answered (`connect`, `decline`, `hangup`, `repeat`, `refused`…)."""


@marker("-", "[STATUS] {event} state={state} sequence={sequence} {verdict}")
def status_callback(*, event: Word, state: Word, sequence: OptInt = None, verdict: Word = "kept") -> None:
    """A status callback; `verdict` is `kept`, `late` or `repeat`."""
