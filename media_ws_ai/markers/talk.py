"""Markers of item G and of the conversation: turns, repeated questions, messages of ours, clips."""

from media_ws_ai.markers.fields import Int, Text, Word
from media_ws_ai.markers.line import WARNING, marker


@marker(
    "G",
    "⚠️ [G ANTI-LOOP] Duplicate question detected! Similarity={similarity}% | "
    "Current: '{current}' | Previous: '{previous}'",
    level=WARNING,
)
def duplicate_question(*, similarity: Int, current: Text, previous: Text) -> None:
    """The same question twice without the caller speaking."""


@marker("G", "[SYSTEM] Message sent: {text}")
def system_message(*, text: Text) -> None:
    """A message of ours to the model."""


@marker("-", "[TURN] caller text='{text}'")
def caller_said(*, text: Text) -> None:
    """A completed transcript of the caller."""


@marker("-", "[TURN] agent text='{text}'")
def agent_said(*, text: Text) -> None:
    """What the agent said, as far as it was heard."""


@marker("-", "[TURN] caller transcription failed: {reason}", level=WARNING)
def caller_unheard(*, reason: Text) -> None:
    """The caller spoke and no transcript came."""


@marker("-", "[TURN] cut: utterance={utterance} generated_ms={generated_ms} sent_ms={sent_ms} heard_ms={heard_ms}")
def utterance_cut(*, utterance: Int, generated_ms: Int, sent_ms: Int, heard_ms: Int) -> None:
    """The ledger of an utterance when it was cut."""


@marker("-", "[CLIP] playing {name} lang={lang} frames={frames}")
def clip_playing(*, name: Word, lang: Word, frames: Int) -> None:
    """A spoken clip of ours instead of the model."""


@marker("-", "[DTMF] digit={digit}")
def dtmf(*, digit: Word) -> None:
    """A key pressed by the caller."""


@marker("A3", "[CUT] reason={reason}")
def cut(*, reason: Word) -> None:
    """What is heard is stopped for a named reason other than a confirmed interruption."""


@marker(
    "A3",
    "🧹 [CUT FLUSH] OpenAI queue: {model_flushed}/{model_held} frames | TX queue: {tx_flushed}/{tx_held} frames",
)
def cut_flush(*, model_flushed: Int, model_held: Int, tx_flushed: Int, tx_held: Int) -> None:
    """Flushed and held frames at a cut that was no interruption."""
