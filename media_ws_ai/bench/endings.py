"""How calls end: each ending as the caller's plan, the model's scenario, and what the worker must have made of it.

Plans are the carrier stand-in's (peers/carrier/README.md), scenarios the model stand-in's. Nothing here acts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Step = Mapping[str, Any]

SHORT: Final[Mapping[str, Any]] = {"greeting": {"numbered": 0.6}, "default": {"numbered": 0.6}}
LONG: Final[Mapping[str, Any]] = {"greeting": {"numbered": 30.0}, "default": {"numbered": 0.6}}
PATIENCE_MS: Final = 6000
"""A call that hears nothing goes on with its plan after so long."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One way to end.

    reasons: the worker's reason of at least one stream of every such call. sign: a figure of `[CALL_METRICS]` that
    must be above 0 in it, as proof that the fault was met. by: how the carrier saw the call end.
    """

    name: str
    steps: tuple[Step, ...]
    reasons: frozenset[str]
    by: frozenset[str] = frozenset({"caller"})
    scenario: Mapping[str, Any] = field(default_factory=lambda: SHORT)
    sign: str = ""
    call: Mapping[str, Any] = field(default_factory=dict)
    is_refused: bool = False
    """The worker admits no stream: there is nothing to clean up, and no `[CALL_METRICS]`."""

    def plan(self) -> dict[str, Any]:
        """One call for the carrier."""
        steps = [dict(step) for step in self.steps]
        return {"name": self.name, "max_s": 40, "skip_verbs": True, **self.call, "steps": steps}


def _of(*names: str) -> frozenset[str]:
    return frozenset(names)


def _agent(ms: int, **do: Any) -> Step:
    """A step so long after the agent begins to speak."""
    return {**do, "after": "agent_starts", "ms": ms, "within_ms": PATIENCE_MS}


_HANGUP: Final = _of("caller_hangup")

ENDINGS: Final = (
    Ending("stop", ({"hangup": True, "after": "agent_done", "within_ms": PATIENCE_MS},), _HANGUP),
    Ending("agent_mid_word", (_agent(150, hangup=True),), _HANGUP, scenario=LONG),
    Ending(
        "caller_mid_word",
        (
            {"say": "he_book", "after": "agent_done", "within_ms": PATIENCE_MS},
            {"hangup": True, "after": "caller_starts", "ms": 300},
        ),
        _HANGUP,
    ),
    Ending("reset", (_agent(200, reset="call"),), _of("carrier_lost", "caller_hangup"), scenario=LONG),
    Ending(
        "stream_reset",
        (_agent(200, reset="stream"), {"hangup": True, "after": "previous", "ms": 1500}),
        _of("carrier_lost"),
    ),
    Ending("frozen_caller", (_agent(100, freeze=True), {"await_end": 11_500}), _of("carrier_silent")),
    Ending(
        "stops_reading",
        (_agent(200, stop_reading=True), {"await_end": 11_500}),
        _of("carrier_blocked"),
        scenario=LONG,
        call={"rcvbuf_bytes": 4096},
    ),
    Ending(
        "frozen_model",
        ({"hangup": True, "at_ms": 3500},),
        _HANGUP,
        scenario={**LONG, "freeze_after_s": 1.5},
    ),
    Ending(
        "mute_model",
        ({"hangup": True, "at_ms": 1500},),
        _HANGUP,
        scenario={**SHORT, "connect_delay_ms": 12_000},
    ),
    Ending(
        "killed_model",
        ({"hangup": True, "at_ms": 4000},),
        _HANGUP,
        scenario={**SHORT, "expire_after_s": 1.5, "expire_how": "drop"},
        sign="renewals",
    ),
    Ending(
        "model_1011",
        ({"hangup": True, "at_ms": 4000},),
        _HANGUP,
        scenario={**SHORT, "expire_after_s": 1.5, "expire_how": "1011"},
        sign="renewals",
    ),
    Ending(
        "expired_session",
        ({"hangup": True, "at_ms": 4000},),
        _HANGUP,
        scenario={**SHORT, "expire_after_s": 1.5, "expire_how": "error_1001"},
        sign="renewals",
    ),
    Ending(
        "refused_by_model",
        ({"await_end": 20_000},),
        _of("model_failed"),
        _of("rest"),
        scenario={**SHORT, "refuse_status": 401},
    ),
    Ending(
        "hang_up_without_rest",
        ({"await_end": 20_000},),
        _of("model_failed"),
        _of("worker"),
        scenario={**SHORT, "refuse_status": 401},
        call={"rest": {"answer": "fail", "acts": False}},
    ),
    Ending("forged", (), _of(), _of("refused"), call={"stream": {"token": "wrong"}}, is_refused=True),
)
"""All but the worker's own end, which the bench orders itself."""

REFUSED: Final[Mapping[str, Any]] = {**SHORT, "refuse_status": 401}

LISTENS: Final = Ending("listens", ({"hangup": True, "at_ms": 8000},), _HANGUP, scenario=LONG)

WAVE_ENDINGS: Final = tuple(
    ending
    for ending in ENDINGS
    if ending.name in ("agent_mid_word", "reset", "stream_reset", "frozen_caller", "stops_reading")
) + (
    Ending("model_ill_treated", ({"hangup": True, "at_ms": 6000},), _HANGUP),
    Ending("patient", ({"await_end": 12_000},), _of("caller_hangup", "model_failed")),
)
"""What callers do in a wave, while the model is ill-treated by order: which of them it hits is left to chance."""

BY_CALLER: Final = tuple(ending for ending in ENDINGS if ending.scenario in (SHORT, LONG) and not ending.is_refused)
"""Endings that any well model serves."""

BY_MODEL: Final = tuple(
    ending
    for ending in ENDINGS
    if ending.name in ("frozen_model", "mute_model", "killed_model", "expired_session", "refused_by_model")
)

WAVE_ACTS: Final = ("kill", "close:1011", "expire", "freeze")
WAVE_REASONS: Final = _of("caller_hangup", "carrier_lost", "carrier_silent", "model_failed")


def wave_plan(calls: int) -> list[dict[str, Any]]:
    """So many calls, the endings in turn."""
    return [WAVE_ENDINGS[number % len(WAVE_ENDINGS)].plan() for number in range(calls)]
