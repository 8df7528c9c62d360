"""When the next step is due: triggers judged on what has been heard and said so far. Pure; times are passed in.

A step becomes current when the one before it was performed. Most triggers look at what came after that: an agent
utterance that began before the caller spoke cannot be the answer to it.

    agent_starts   first sound of the next utterance (or of the nth of the call)
    agent_done     sound, then silence of `quiet_ms` with an empty play-out buffer: the current or the next utterance
    answered       as agent_done, of an utterance that began after the last step was begun
    caller_starts  beginning of the last `say`;  caller_done: its end;  previous: end of the last step
    clear          the next `clear` of the worker
"""

from dataclasses import dataclass, field
from typing import Final

from media_ws_ai.peers.carrier.plan import Step, Trigger

NEVER: Final = float("inf")


@dataclass(slots=True)
class Ear:
    """What triggers look at; monotonic seconds. `agent_until`: when the last agent audio has been played."""

    started_at: float | None = None
    agent_starts: list[float] = field(default_factory=list)
    agent_until: float = 0.0
    last_media_at: float = 0.0
    clears: list[float] = field(default_factory=list)
    caller_began_at: float | None = None
    caller_ended_at: float | None = None


@dataclass(slots=True)
class Script:
    """The steps of a call and how far it has come."""

    steps: tuple[Step, ...]
    at: int = 0
    begun_at: float = 0.0
    done_at: float | None = None
    missed: list[dict[str, object]] = field(default_factory=list)

    def start(self, now: float) -> None:
        """The call's first stream has started: triggers count from here."""
        self.begun_at = now
        self.done_at = now

    def step_done(self, now: float) -> None:
        """The last step's action is complete (its speech is over)."""
        if self.done_at is None:
            self.done_at = now

    def next_step(self, ear: Ear, now: float) -> Step | None:
        """The step due now, which is thereby begun; None when none is."""
        if self.at >= len(self.steps) or ear.started_at is None:
            return None
        step = self.steps[self.at]
        when = step.when
        due = self._due(when, ear, now)
        if due > now:
            late = when.within_ms is not None and self.done_at is not None
            if not late or now < (self.done_at or 0.0) + (when.within_ms or 0) / 1000:
                return None
            self.missed.append({"step": self.at, "do": step.do, "after": when.after})
        self.at += 1
        self.begun_at = now
        self.done_at = None
        return step

    def _due(self, when: Trigger, ear: Ear, now: float) -> float:
        base = self._base(when, ear, now)
        return base + when.ms / 1000

    def _base(self, when: Trigger, ear: Ear, now: float) -> float:
        """When the trigger's event happened; NEVER while it has not."""
        done_at = NEVER if self.done_at is None else self.done_at
        match when.after:
            case "previous":
                return done_at
            case "start":
                return NEVER if ear.started_at is None else ear.started_at
            case "caller_starts":
                return NEVER if ear.caller_began_at is None else ear.caller_began_at
            case "caller_done":
                return NEVER if ear.caller_ended_at is None else ear.caller_ended_at
            case "clear":
                return self._first_after(ear.clears, self.begun_at)
            case "agent_starts":
                if when.nth is not None:
                    return ear.agent_starts[when.nth - 1] if len(ear.agent_starts) >= max(1, when.nth) else NEVER
                return self._first_after(ear.agent_starts, self.begun_at)
        return self._finished(when, ear, now, done_at)

    def _finished(self, when: Trigger, ear: Ear, now: float, done_at: float) -> float:
        """When the agent's silence had lasted `quiet_ms`, if it has."""
        quiet_at = max(ear.agent_until, ear.last_media_at) + when.quiet_ms / 1000
        if now < quiet_at:
            return NEVER
        if when.after == "answered":
            return quiet_at if self._first_after(ear.agent_starts, self.begun_at) < NEVER else NEVER
        if when.nth is not None:
            return quiet_at if len(ear.agent_starts) >= max(1, when.nth) else NEVER
        return quiet_at if ear.agent_starts and ear.agent_until > done_at else NEVER

    @staticmethod
    def _first_after(times: list[float], since: float) -> float:
        """The first of these (ascending) times that is later than `since`."""
        return next((at for at in times if at > since), NEVER)
