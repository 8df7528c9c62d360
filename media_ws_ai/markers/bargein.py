"""Markers of items A3 and B: interruptions, and the model's own cancellations."""

from media_ws_ai.markers.fields import Int, ShortId, Text, Word
from media_ws_ai.markers.line import marker


@marker(
    "A3",
    "🧹 [BARGE-IN FLUSH] OpenAI queue: {model_flushed}/{model_held} frames | TX queue: {tx_flushed}/{tx_held} frames",
)
def barge_in_flush(*, model_flushed: Int, model_held: Int, tx_flushed: Int, tx_held: Int) -> None:
    """Flushed and held frames when the caller's interruption was confirmed."""


@marker(
    "B1",
    "[BARGE-IN] ✅ CONFIRMED: {reason} text='{text}'",
    older=("✅ CONFIRMED: {reason} text='{text}'",),
)
def barge_in_confirmed(*, reason: Word, text: Text) -> None:
    """The caller interrupts: by transcript, digit (`dtmf`), partial transcript or `sustained_speech_840ms`."""


@marker("B1", "[BARGE-IN] Cancelled AI response: {response_id}...")
def barge_in_cancelled(*, response_id: ShortId) -> None:
    """The response being heard was given up."""


@marker("B1+", "[BARGE-IN] AI starting to speak - response_id={response_id}...")
def ai_starting(*, response_id: ShortId) -> None:
    """The first frame of an answer leaves."""


@marker("B2", "[BARGE-IN] ❌ NOT CONFIRMED: {reason} text='{text}'")
def barge_in_rejected(*, reason: Word, text: Text) -> None:
    """Breath, noise, a filler: the agent goes on."""


@marker("B3", "[RESPONSE] Cancelled: reason={reason}")
def response_cancelled(*, reason: Word) -> None:
    """The model reports a response as cancelled."""


@marker("B3", "✅ [B3] turn_detected after confirmed barge-in (expected)")
def turn_detected_expected() -> None:
    """The model's own cancellation, after ours."""


@marker("B3", "⚠️ [B3 VIOLATION] OpenAI turn_detected cancellation WITHOUT confirmed barge-in!", flag=True)
def turn_detected_violation() -> None:
    """Caller audio leaked through the gate."""
