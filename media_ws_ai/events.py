"""Facts that enter the rules: frozen, past tense, in our own words. Nothing here knows a protocol's name.

Two kinds of time appear: `now` is given beside the event (monotonic seconds of the worker);
`*_ms` fields count on the clock their docstring names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all facts."""


# --- the carrier ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallerFrame(Event):
    """One frame of the caller: 160 bytes of μ-law; `timestamp_ms` on the carrier's stream clock."""

    audio: bytes
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class DtmfPressed(Event):
    digit: str


@dataclass(frozen=True, slots=True)
class MarkEchoed(Event):
    """The carrier has played all audio before this mark, or thrown it away after a clear."""

    name: str


@dataclass(frozen=True, slots=True)
class CarrierEnded(Event):
    """The carrier's side is over. `reason`: stop, closed, lost, silent, blocked."""

    reason: str
    detail: str = ""


# --- the model -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelConnected(Event):
    """A new connection, number `link`; nothing may be sent on it before ModelGreeted."""

    link: int
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class ModelGreeted(Event):
    """The model's first message on a connection."""


@dataclass(frozen=True, slots=True)
class ModelConfigured(Event):
    """The model echoed the session that is in force.

    `is_pcmu`: both directions are μ-law 8 kHz. `leaves_turns_to_us`: it neither answers nor interrupts by itself.
    """

    is_pcmu: bool
    leaves_turns_to_us: bool
    transcribes: bool


@dataclass(frozen=True, slots=True)
class ModelLost(Event):
    """The connection `link` ended or cannot be made. `reason`: expired, closed, refused, timeout, silent, error."""

    link: int
    reason: str
    detail: str = ""
    is_hopeless: bool = False
    """No further try can help: bad key, no quota, unknown model."""


@dataclass(frozen=True, slots=True)
class ModelError(Event):
    """The model refused one of our messages; `ref` is that message's own id, when it said which."""

    code: str
    message: str
    ref: str | None
    is_fatal: bool
    about: str = ""
    """What the refusal is about, when it can be told: transcription."""


@dataclass(frozen=True, slots=True)
class ResponseCreated(Event):
    response_id: str
    ref: str | None
    """The `ref` of our RequestResponse, when the model repeats it."""


@dataclass(frozen=True, slots=True)
class ItemAdded(Event):
    """A conversation item exists. `role`: user, assistant, system, tool_call, tool_output."""

    item_id: str
    role: str
    previous_id: str | None


@dataclass(frozen=True, slots=True)
class ModelAudio(Event):
    """Audio of an answer: μ-law bytes of any length."""

    response_id: str
    item_id: str
    audio: bytes


@dataclass(frozen=True, slots=True)
class ModelAudioDone(Event):
    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class ModelText(Event):
    """A piece of the text of what the answer says."""

    response_id: str
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ModelTextDone(Event):
    response_id: str
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call inside a finished response; `arguments` is JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ResponseEnded(Event):
    """`status`: completed, cancelled, failed, incomplete. `tokens` by kind, e.g. {"input_audio": 12}."""

    response_id: str
    ref: str | None
    status: str
    reason: str = ""
    code: str = ""
    is_hopeless: bool = False
    """Asking again, here or on a new connection, meets the same answer."""
    tokens: Mapping[str, int] = field(default_factory=dict)
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeechStarted(Event):
    """The model's own turn detection heard speech. Evidence only. `audio_ms` on the input clock."""

    item_id: str
    audio_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped(Event):
    item_id: str
    audio_ms: int


@dataclass(frozen=True, slots=True)
class TurnCommitted(Event):
    """The caller's turn became a conversation item; its transcript follows, late or never."""

    item_id: str
    previous_id: str | None


@dataclass(frozen=True, slots=True)
class TranscriptPart(Event):
    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Transcript(Event):
    item_id: str
    text: str
    tokens: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TranscriptFailed(Event):
    item_id: str
    code: str


# --- ourselves -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick(Event):
    """Time has passed; deadlines are looked at."""


@dataclass(frozen=True, slots=True)
class ToolDone(Event):
    """A tool's answer, JSON text."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class HangupSettled(Event):
    """The carrier was asked to end the call. `how`: rest, over, socket."""

    how: str


@dataclass(frozen=True, slots=True)
class DrainStarted(Event):
    """The worker is going away: this call moves to another one. `is_final`: at once, even in its closing words."""

    is_final: bool = False


@dataclass(frozen=True, slots=True)
class CutOrdered(Event):
    """The session's own command to stop what is being heard, with the reason that is logged."""

    reason: str


@dataclass(frozen=True, slots=True)
class EndOrdered(Event):
    """An operator, or the worker, ends the call: closing words by clip, then hang-up."""

    reason: str
