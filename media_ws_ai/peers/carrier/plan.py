"""What is to happen: the plan of a run as frozen dataclasses, read from JSON.

A plan is a list of calls, a call a list of steps, a step one action and the trigger that sets it off. README.md
in this folder shows every key. Reading is strict: a key or a value nobody knows is refused with its place, since a
misspelt fault would otherwise be a test that tests nothing. Nothing here acts; `script` and `call` do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from media_ws_ai.peers.carrier.reader import Known, PlanError, read_fields

__all__ = [
    "CallPlan", "MarkFaults", "Plan", "PlanError", "RestFaults", "Step", "StreamFaults", "Trigger", "WebhookFaults",
]  # fmt: skip

ACTIONS: Final[Mapping[str, str]] = {
    "say": "text",
    "dtmf": "text",
    "wait": "ms",
    "silence": "ms",
    "gap": "ms",
    "await_end": "ms",
    "hangup": "flag",
    "reset": "choice",
    "stop_reading": "flag",
    "resume_reading": "flag",
    "freeze": "flag",
    "thaw": "flag",
    "rubbish": "choice",
}
"""Every action and what its value is: text, milliseconds, `true`, or one of CHOICES."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "reset": ("call", "stream"),
    "rubbish": ("malformed", "not_an_object", "foreign_stream", "unknown_event", "bad_base64", "binary", "oversize"),
}

TRIGGERS: Final = (
    "previous", "start", "agent_starts", "agent_done", "answered", "caller_starts", "caller_done", "clear",
)  # fmt: skip

STEP_KEYS: Final = frozenset({"after", "at_ms", "ms", "nth", "quiet_ms", "within_ms", "times"})


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a step is due: `ms` after the event named by `after`.

    `nth` counts the agent's utterances from the start of the call; without it the next one counts. `quiet_ms` is
    how long the agent must send nothing, with an empty play-out buffer, to have finished. When the event has not
    come `within_ms` after the previous step, the step is due all the same and the report names it.
    """

    after: str = "previous"
    ms: int = 0
    nth: int | None = None
    quiet_ms: int = 600
    within_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One action: its name (a key of ACTIONS), its text or milliseconds, how often, and when."""

    do: str
    text: str = ""
    ms: int = 0
    times: int = 1
    when: Trigger = field(default_factory=Trigger)


@dataclass(frozen=True, slots=True)
class MarkFaults:
    """Echoes that come `late_ms` late (every `late_every`-th) or not at all (every `lose_every`-th; 0: none)."""

    late_ms: int = 0
    late_every: int = 1
    lose_every: int = 0


@dataclass(frozen=True, slots=True)
class WebhookFaults:
    """How the voice webhook is called: its signature, and whether it comes a second time with the same token."""

    signature: Literal["right", "wrong", "none"] = "right"
    twice: bool = False
    twice_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class StreamFaults:
    """What is wrong with the media websocket. With any fault but `second_after_ms` and `start_delay_ms` the call ends
    when this stream does: who forges a stream has no call to continue."""

    signature: Literal["right", "wrong", "none"] = "right"
    token: Literal["right", "wrong", "none"] = "right"
    token_parameter: str = ""
    second_after_ms: int | None = None
    start_delay_ms: int = 0
    never_start: bool = False
    call_sid: str = ""
    account_sid: str = ""

    @property
    def forged(self) -> bool:
        """True when the worker is to refuse this stream."""
        return bool(
            self.signature != "right" or self.token != "right" or self.never_start or self.call_sid or self.account_sid
        )


@dataclass(frozen=True, slots=True)
class RestFaults:
    """How the REST stand-in answers for this call. `slow`: after `slow_s`; `acts`: whether the order is carried out."""

    answer: Literal["ok", "fail", "slow", "gone", "ended"] = "ok"
    slow_s: float = 5.0
    acts: bool = True


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One call. Empty `call_sid`: one is made. `jitter_ms` delays each caller frame by 0…n ms, `burst_frames` sends
    them n at a time; both are drawn from `seed`. `rcvbuf_bytes` narrows the socket (0: the system's choice)."""

    call_sid: str = ""
    caller: str = "+972541234567"
    called: str = "+97231234567"
    start_after_ms: int = 0
    max_s: float = 120.0
    steps: tuple[Step, ...] = ()
    jitter_ms: float = 0.0
    burst_frames: int = 1
    seed: int = 0
    rcvbuf_bytes: int = 0
    skip_verbs: bool = False
    status_callback: bool = True
    marks: MarkFaults = field(default_factory=MarkFaults)
    webhook: WebhookFaults = field(default_factory=WebhookFaults)
    stream: StreamFaults = field(default_factory=StreamFaults)
    rest: RestFaults = field(default_factory=RestFaults)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls to place, the n-th `stagger_ms` · n after the first."""

    calls: tuple[CallPlan, ...]
    stagger_ms: int = 0

    @classmethod
    def of(cls, data: object) -> "Plan":
        """A plan from parsed JSON: an object with `calls`, or the bare list of calls.

        Raises: PlanError, a sentence with the place and what was expected there.
        """
        if isinstance(data, list):
            data = {"calls": data}
        if not isinstance(data, dict):
            raise PlanError("a plan is an object with the key calls, or a list of calls")
        unknown = set(data) - {"calls", "stagger_ms"}
        if unknown:
            raise PlanError(f"plan: unknown key {sorted(unknown)[0]!r}; known are calls, stagger_ms")
        calls = data.get("calls")
        if not isinstance(calls, list) or not calls:
            raise PlanError("plan.calls: a list with at least one call is expected")
        stagger = data.get("stagger_ms", 0)
        if not isinstance(stagger, int) or stagger < 0:
            raise PlanError("plan.stagger_ms: whole milliseconds, 0 or more, are expected")
        made: list[CallPlan] = []
        for number, call in enumerate(calls):
            made += _calls(call, f"plan.calls[{number}]")
        sids = [call.call_sid for call in made if call.call_sid]
        if len(sids) != len(set(sids)):
            raise PlanError("plan.calls: a call_sid stands there twice")
        return cls(tuple(made), stagger)

    @classmethod
    def load(cls, path: Path) -> "Plan":
        """The plan in a JSON file. Raises: PlanError, OSError."""
        try:
            return cls.of(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            if isinstance(error, PlanError):
                raise
            raise PlanError(f"{path.name} is not JSON: {error}") from error


_CALL: Final = {
    "call_sid": Known(str), "from": Known(str, "caller"), "to": Known(str, "called"), "start_after_ms": Known(int),
    "max_s": Known(float), "jitter_ms": Known(float), "burst_frames": Known(int), "seed": Known(int),
    "name": Known(str), "rcvbuf_bytes": Known(int), "skip_verbs": Known(bool), "status_callback": Known(bool),
}  # fmt: skip
_FAULTS: Final[Mapping[str, tuple[type, dict[str, Known]]]] = {
    "marks": (MarkFaults, {"late_ms": Known(int), "late_every": Known(int), "lose_every": Known(int)}),
    "webhook": (
        WebhookFaults,
        {"signature": Known(("right", "wrong", "none")), "twice": Known(bool), "twice_after_ms": Known(int)},
    ),
    "stream": (
        StreamFaults,
        {
            "signature": Known(("right", "wrong", "none")), "token": Known(("right", "wrong", "none")),
            "token_parameter": Known(str), "second_after_ms": Known(int), "start_delay_ms": Known(int),
            "never_start": Known(bool), "call_sid": Known(str), "account_sid": Known(str),
        },
    ),
    "rest": (
        RestFaults,
        {"answer": Known(("ok", "fail", "slow", "gone", "ended")), "slow_s": Known(float), "acts": Known(bool)},
    ),
}  # fmt: skip


def _calls(data: object, where: str) -> list[CallPlan]:
    """The calls of one entry: `repeat` makes several, each with its own seed."""
    if not isinstance(data, dict):
        raise PlanError(f"{where}: an object is expected")
    repeat = data.get("repeat", 1)
    if not isinstance(repeat, int) or isinstance(repeat, bool) or repeat < 1:
        raise PlanError(f"{where}.repeat: a whole number of 1 or more is expected")
    rest = {key: value for key, value in data.items() if key not in {"repeat", "steps", *_FAULTS}}
    values: dict[str, Any] = read_fields(rest, _CALL, where, also=("repeat", "steps", *_FAULTS))
    for key, (cls, known) in _FAULTS.items():
        if key in data:
            values[key] = cls(**read_fields(data[key], known, f"{where}.{key}"))
    steps = data.get("steps", [])
    if not isinstance(steps, list):
        raise PlanError(f"{where}.steps: a list is expected")
    values["steps"] = tuple(read_step(step, f"{where}.steps[{number}]") for number, step in enumerate(steps))
    call = CallPlan(**values)
    if call.max_s <= 0 or call.burst_frames < 1 or call.marks.late_every < 1:
        raise PlanError(f"{where}: max_s, burst_frames and marks.late_every are greater than 0")
    if repeat > 1 and call.call_sid:
        raise PlanError(f"{where}: call_sid and repeat exclude each other")
    return [replace(call, seed=call.seed + number) for number in range(repeat)]


def read_step(data: object, where: str = "step") -> Step:
    """One step from parsed JSON. Raises: PlanError."""
    if not isinstance(data, dict):
        raise PlanError(f"{where}: an object such as {{'say': 'he_book'}} is expected")
    unknown = set(data) - set(ACTIONS) - STEP_KEYS
    if unknown:
        raise PlanError(
            f"{where}: unknown key {sorted(unknown)[0]!r}; actions are {', '.join(ACTIONS)}; "
            f"other keys {', '.join(sorted(STEP_KEYS))}"
        )
    named = [key for key in data if key in ACTIONS]
    if len(named) != 1:
        raise PlanError(f"{where}: exactly one action is expected, found {', '.join(named) or 'none'}")
    do = named[0]
    text, ms = _value(do, data[do], f"{where}.{do}")
    numbers = read_fields(
        {key: data[key] for key in ("ms", "nth", "quiet_ms", "within_ms", "times") if key in data},
        {key: Known(int) for key in ("ms", "nth", "quiet_ms", "within_ms", "times")},
        where,
    )
    times = numbers.pop("times", 1)
    return Step(do, text, ms, times, _trigger(data, numbers, where))


def _value(do: str, value: object, where: str) -> tuple[str, int]:
    kind = ACTIONS[do]
    if kind == "text" and isinstance(value, str) and value:
        return value, 0
    if kind == "ms" and isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return "", value
    if kind == "flag" and value is True:
        return "", 0
    if kind == "choice" and (value in CHOICES[do] or (value is True and do == "reset")):
        return (str(value) if isinstance(value, str) else CHOICES[do][0]), 0
    expected = {"text": "a text", "ms": "whole milliseconds", "flag": "true"}.get(kind) or " or ".join(CHOICES[do])
    raise PlanError(f"{where}: {expected} expected, found {value!r}")


def _trigger(data: Mapping[str, Any], numbers: dict[str, Any], where: str) -> Trigger:
    if "at_ms" in data:
        if "after" in data or "ms" in numbers:
            raise PlanError(f"{where}: at_ms excludes after and ms")
        at_ms = read_fields({"at_ms": data["at_ms"]}, {"at_ms": Known(int)}, where)["at_ms"]
        return Trigger(after="start", ms=at_ms, **numbers)
    after = data.get("after", "previous")
    if isinstance(after, str) and after.startswith("+"):
        digits = after[1:].removesuffix("ms").strip()
        if not digits.isdigit() or "ms" in numbers:
            raise PlanError(f"{where}.after: '+500ms' and the like, without ms, is expected, found {after!r}")
        return Trigger(ms=int(digits), **numbers)
    if after not in TRIGGERS:
        raise PlanError(f"{where}.after: {', '.join(TRIGGERS)} or '+500ms' expected, found {after!r}")
    if "nth" in numbers and after not in ("agent_starts", "agent_done"):
        raise PlanError(f"{where}.nth: only with after agent_starts or agent_done")
    return Trigger(after=after, **numbers)
