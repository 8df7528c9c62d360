"""Orders that leave the rules: frozen, imperative. The shells carry them out and decide nothing.

Nothing about the carrier's audio is here: frames, marks and clears wait in `audio.outlet`, which TX empties.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from media_ws_ai.markers import Line


@dataclass(frozen=True, slots=True)
class Command:
    """Base of all orders."""


# --- to the model (by the sender, through the dialect) -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelCommand(Command):
    """Goes to the model; `ref` comes back in an error that it causes."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is told to be, as three texts which the dialect joins in this order."""

    manners: str
    business: str
    tool_law: str

    def __len__(self) -> int:
        return len(self.joined())

    def joined(self) -> str:
        return "\n\n".join(part for part in (self.manners, self.business, self.tool_law) if part)


@dataclass(frozen=True, slots=True)
class Configure(ModelCommand):
    """The whole session, once per connection."""

    ref: str
    prompt: Prompt
    language: str
    voice: str
    transcribe_model: str
    max_output_tokens: int
    speed: float | None = None
    tools: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Reprompt(ModelCommand):
    """Instructions only (E1)."""

    ref: str
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Transcribe(ModelCommand):
    """Change only who writes down what the caller says."""

    ref: str
    model: str
    language: str


@dataclass(frozen=True, slots=True)
class AppendAudio(ModelCommand):
    """Caller audio, or silence in its place: μ-law bytes."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class RequestResponse(ModelCommand):
    """Ask for one answer. `instructions` extends the prompt for this answer only."""

    ref: str
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class CancelResponse(ModelCommand):
    ref: str
    response_id: str


@dataclass(frozen=True, slots=True)
class TruncateItem(ModelCommand):
    """The caller heard only `heard_ms` of the item."""

    ref: str
    item_id: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class DeleteItem(ModelCommand):
    ref: str
    item_id: str


@dataclass(frozen=True, slots=True)
class AddText(ModelCommand):
    """A line of text into the model's conversation. `role`: user, assistant, system."""

    ref: str
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerTool(ModelCommand):
    ref: str
    call_id: str
    output: str


# --- to the runtime ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Log(Command):
    line: Line


@dataclass(frozen=True, slots=True)
class Record(Command):
    """A row of `call_events`. `kind`: caller_line, agent_line, moment, levels. Offset [ms] since the stream's start."""

    kind: str
    offset_ms: int
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class WakeTx(Command):
    """There is something to send, or to stop sending, now."""


@dataclass(frozen=True, slots=True)
class RenewModel(Command):
    """Drop the model's connection `link`, if it still stands, and make a new one."""

    link: int
    why: str


@dataclass(frozen=True, slots=True)
class RunTool(Command):
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class HangUp(Command):
    """Record the intent, then ask the carrier to end the call."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finish(Command):
    """The call is over here: close. `code` is the websocket close code; `is_intended`: nobody shall take over."""

    reason: str
    code: int = 1000
    is_intended: bool = True
