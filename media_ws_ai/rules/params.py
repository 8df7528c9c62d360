"""What the rules know of a call from its first moment: frozen, from business, settings and token."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from media_ws_ai.commands import Prompt
from media_ws_ai.rules.history import Said


@dataclass(frozen=True, slots=True)
class Clip:
    """A spoken clip of ours: whole μ-law frames and what they say."""

    audio: bytes
    text: str


@dataclass(frozen=True, slots=True)
class CallParams:
    """One call's givens. Lengths in seconds."""

    business_id: int
    language: str
    voice: str
    greeting: str
    compact: Prompt
    full: Prompt
    policy: Mapping[str, object]
    """What E1 prints: call_goal, enable_calendar_scheduling, auto_end_on_goodbye."""
    clips: Mapping[str, Clip]
    model: str = ""
    transcribe_model: str = ""
    transcribe_fallback: str = ""
    max_output_tokens: int = 2400
    speed: float | None = None
    tools: tuple[Mapping[str, object], ...] = ()
    attempt: int = 1
    history: tuple[Said, ...] = field(default_factory=tuple)
    """Lines of an earlier stream of this call, whose worker died."""
    max_call_s: float = 1800.0
    first_sound_s: float = 2.5
    """No answer heard by then: a clip asks the caller to hold on (3 s is the promise)."""
    stall_s: float = 4.0
    """Nothing from the model for so long after a create is a stall."""

    @property
    def is_resumed(self) -> bool:
        return self.attempt > 1
