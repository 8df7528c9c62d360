"""Compact first, full once (E1, E2): the greeting comes quickly, the rules are whole before the first answer.

COMPACT ──first answer generated──▶ SENT ──echo──▶ FULL
                                     │ error, or 2 s of silence: once more, then
                                     └────────────▶ GIVEN_UP   (COMPACT holds every critical rule)
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from media_ws_ai import markers
from media_ws_ai.commands import Command, Log, Prompt, Reprompt
from media_ws_ai.rules.refs import Refs

ECHO_WAIT_S: Final = 2.0
ANSWER_WAIT_S: Final = 0.3
"""The first answer waits this long for the upgrade, no longer."""

TRIES: Final = 2


class Stage(StrEnum):
    COMPACT = "compact"
    SENT = "sent"
    FULL = "full"
    GIVEN_UP = "given_up"


class PromptUpgrade:
    """One upgrade per call."""

    def __init__(
        self, refs: Refs, compact: Prompt, full: Prompt, business_id: int, policy: Mapping[str, object]
    ) -> None:
        self._refs = refs
        self._compact = compact
        self._full = full
        self._business_id = business_id
        self._policy = policy
        self._ref = ""
        self._first_at = 0.0
        self._sent_at = 0.0
        self._tries = 0
        self.stage = Stage.COMPACT

    @property
    def in_force(self) -> Prompt:
        """What a new connection is configured with: the full prompt, once it was to be in force."""
        return self._compact if self.stage in (Stage.COMPACT, Stage.GIVEN_UP) else self._full

    def holds_answer(self, now: float) -> bool:
        return self.stage is Stage.SENT and now - self._first_at < ANSWER_WAIT_S

    def start(self, now: float) -> list[Command]:
        """The greeting is generated (it still plays): send the full prompt. Only the first call does anything."""
        if self.stage is not Stage.COMPACT:
            return []
        self._first_at = now
        line = markers.prompt_upgrading(compact_chars=len(self._compact), full_chars=len(self._full))
        return [Log(line), *self._send(now)]

    def _send(self, now: float) -> list[Command]:
        self.stage = Stage.SENT
        self._sent_at = now
        self._tries += 1
        self._ref = self._refs("prompt")
        return [Reprompt(self._ref, self._full)]

    def echoed(self, now: float) -> list[Command]:
        """The model confirmed a session: the full prompt is in force."""
        if self.stage is not Stage.SENT:
            return []
        self.stage = Stage.FULL
        took_ms = round((now - self._sent_at) * 1000)
        return [
            Log(markers.prompt_upgraded(upgrade_ms=took_ms)),
            Log(
                markers.prompt_policy(
                    business_id=self._business_id, upgrade_duration_ms=took_ms, policy=dict(self._policy)
                )
            ),
        ]

    def refused(self, ref: str | None, why: str, now: float) -> list[Command] | None:
        """An error names one of our messages; None when it is not this one."""
        if self.stage is not Stage.SENT or ref != self._ref:
            return None
        return self._failed(why, now)

    def tick(self, now: float) -> list[Command]:
        if self.stage is Stage.SENT and now - self._sent_at >= ECHO_WAIT_S:
            return self._failed("no answer for 2 s", now)
        return []

    def link_renewed(self, now: float) -> list[Command]:
        """A new connection was configured with `in_force`: an upgrade that was under way has thereby happened."""
        return self.echoed(now)

    def _failed(self, why: str, now: float) -> list[Command]:
        out: list[Command] = [Log(markers.prompt_failed(attempt=self._tries, reason=why))]
        if self._tries < TRIES:
            return out + self._send(now)
        self.stage = Stage.GIVEN_UP
        return [*out, Log(markers.prompt_given_up())]
