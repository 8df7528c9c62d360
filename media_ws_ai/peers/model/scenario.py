"""The scenario: what the stand-in says, when, and how it misbehaves. Frozen values from JSON; README.md explains each.

Nothing here acts; `director` chooses replies, `responses`, `transcription` and `session` carry them out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Call:
    """One function call inside a reply. `arguments`: an object, or the very string (which may be broken JSON)."""

    name: str
    arguments: object = field(default_factory=dict)
    call_id: str = ""
    pieces: int = 4


@dataclass(frozen=True, slots=True)
class DropLine:
    """The line ends after this much of the reply's audio: with a close `code`, or torn down (1006)."""

    after_ms: int = 0
    code: int = 1006


@dataclass(frozen=True, slots=True)
class Reply:
    """One response: what is said, how fast, and how it ends."""

    text: str = ""
    clip: str = ""
    numbered: float | None = None
    seconds: float | None = None
    empty: bool = False
    calls: tuple[Call, ...] = ()
    then: "Reply | None" = None
    speed: float | None = None
    delta_ms: int = 250
    first_delta_ms: int = 100
    odd_deltas: bool = False
    created_ms: float = 100
    ttfb_ms: float = 300
    first_audio_ms: float = 130
    text_lag_ms: int = 0
    text_rate: float = 1.5
    burst: bool = False
    interleave: bool = False
    status: Literal["completed", "failed", "incomplete"] = "completed"
    code: str | None = None
    end_after_ms: int | None = None
    stall: Literal["no_created", "created", "audio"] | None = None
    stall_ms: float | None = None
    ignore_cancel: bool = False
    cancel_delay_ms: float = 0
    late_deltas: int = 0
    cancel_by_turn_detected_ms: int | None = None
    done_without_created: bool = False
    drop_line: DropLine | None = None

    def __post_init__(self) -> None:
        if min(self.delta_ms, self.first_delta_ms) < 1:
            raise ValueError("delta_ms and first_delta_ms must be at least 1")
        if self.speed is not None and self.speed <= 0:
            raise ValueError("speed must be above 0")


@dataclass(frozen=True, slots=True)
class Hearing:
    """How the caller's words become a transcript. `delay_ms` from the commit: one number, or a range to draw from."""

    text: str | None = None
    result: Literal["completed", "failed", "never"] = "completed"
    unknown: Literal["empty", "failed"] = "empty"
    code: str = "audio_unintelligible"
    delay_ms: tuple[float, ...] = (200.0, 600.0)
    deltas: Literal["words", "whole", "none"] = "words"
    during_speech: bool = False
    after_next: bool = False
    fail_models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.delay_ms) not in (1, 2) or min(self.delay_ms) < 0:
            raise ValueError("delay_ms must be one number or [least, most], none negative")


@dataclass(frozen=True, slots=True)
class Turn:
    """A reply and when it is due: by clip, by regex on the transcript, by a tool's name, by the request's
    instructions; with none of these, in order."""

    reply: tuple[Reply, ...] = (Reply(),)
    clip: tuple[str, ...] = ()
    regex: str | None = None
    nth: int | None = None
    on_tool: str | None = None
    instructions: str | None = None
    times: int | None = None
    hear: Hearing | None = None

    def __post_init__(self) -> None:
        if not self.reply:
            raise ValueError("reply must not be an empty list")
        for pattern in (self.regex, self.instructions):
            try:
                re.compile(pattern or "")
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error

    @property
    def in_order(self) -> bool:
        return not (self.clip or self.regex or self.nth or self.on_tool or self.instructions)


@dataclass(frozen=True, slots=True)
class Script:
    """What is said in one language. Each reply may be a list: the n-th attempt takes the n-th, the last repeats."""

    greeting: tuple[Reply, ...] = (Reply(text="שלום, איך אפשר לעזור?"),)
    turns: tuple[Turn, ...] = ()
    default: tuple[Reply, ...] = (Reply(text="אני כאן. במה אפשר לעזור?"),)
    resumed: tuple[Reply, ...] = ()
    out_of_band: tuple[Reply, ...] = (Reply(text="סיכום השיחה.", ttfb_ms=100),)


@dataclass(frozen=True, slots=True)
class RejectUpdate:
    """Refuse `session.update`: the first `first` of them, or those that name this transcription model."""

    first: int = 0
    transcription_model: str | None = None
    code: str = "invalid_value"
    message: str = "Invalid value for the session."
    param: str = "session.audio.input.transcription.model"


@dataclass(frozen=True, slots=True)
class Scenario(Script):
    """A session: its script, its other languages, and the faults of the line."""

    languages: Mapping[str, Script] = field(default_factory=dict)
    hearing: Hearing = Hearing()
    seed: int = 1
    speed: float = 10.0
    time_scale: float = 1.0
    numbered: bool = False
    refuse_status: int | None = None
    connect_delay_ms: float = 0
    session_created_delay_ms: float = 0
    silent: bool = False
    reject_update: RejectUpdate | None = None
    update_echo: Literal["full", "none", "no_formats", "wrong_format", "wrong_flags"] = "full"
    update_delay_ms: float = 0
    truncate_code: str | None = None
    truncate_ack_ms: float = 0
    expire_after_s: float | None = None
    expire_how: Literal["error_1001", "close_1001", "error_only", "1011", "1012", "1013", "drop", "stall"] = (
        "error_1001"
    )
    freeze_after_s: float | None = None
    extras: bool = True
    rate_limits: bool = True

    def __post_init__(self) -> None:
        if self.speed <= 0 or self.time_scale <= 0:
            raise ValueError("speed and time_scale must be above 0")

    def script(self, language: str) -> Script:
        """The script for a language; the scenario's own where it names no other."""
        return self.languages.get(language, self)
