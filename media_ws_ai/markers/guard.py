"""Markers of items C: which transcripts are believed."""

from media_ws_ai.markers.fields import OptInt, Text, Word
from media_ws_ai.markers.line import marker


@marker("C1", "[C1 STT_GUARD] Accepted (echo_window bypass: {reason}) text='{text}'")
def guard_bypass(*, reason: Word, text: Text) -> None:
    """Accepted inside the echo window, for one of the four measured reasons."""


@marker(
    "C1",
    "[STT_FILTER] drop reason={reason} ms_after_ai={ms_after_ai} text='{text}'",
    older=("[STT_FILTER] drop reason={reason} …text='{text}'",),
)
def guard_drop(*, reason: Word, ms_after_ai: OptInt = None, text: Text) -> None:
    """A transcript not believed; `ms_after_ai`: onset after the end of play-out, `-` when the AI never spoke."""


@marker("C2", "[STT_GUARD] Accepted short phrase: '{text}' (valid {language} phrase in whitelist)")
def guard_short(*, text: Text, language: Word = "Hebrew") -> None:
    """A real short word, never taken for a hallucination."""


@marker("C1", "[STT_GUARD] Accepted: {reason} text='{text}'")
def guard_accept(*, reason: Word, text: Text) -> None:
    """Any other transcript that is believed."""
