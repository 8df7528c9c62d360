"""The calls of this process: how many, which, and orders to them from outside. Admission and drain look here."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from media_ws_ai.events import Event
from media_ws_ai.rules.history import Said

MAX_INTENTS: Final = 1000
"""Recorded ends kept in memory, for `stream-ended` while the database is down; a call asks within seconds."""


@dataclass(frozen=True, slots=True)
class LiveCall:
    """One call that runs here. `order` puts a fact into its rules from any thread."""

    call_sid: str
    stream_sid: str
    business_id: int
    order: Callable[[Event], None]
    attempt: int = 1
    caller: str = field(default="", repr=False)


class Registry:
    """Counts calls by state and keeps the live ones by call_sid."""

    def __init__(self, max_calls: int) -> None:
        self._lock = threading.Lock()
        self._max = max_calls
        self._live: dict[str, LiveCall] = {}
        self._entered = 0
        self._intents: dict[str, str] = {}
        self._lines: dict[str, tuple[Said, ...]] = {}
        self.started = 0
        self.ended: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.is_draining = False

    # --- admission ------------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        return self._entered >= self._max

    @property
    def active(self) -> int:
        """Calls that are running or closing."""
        return self._entered

    def enter(self) -> str:
        """Take a place. Empty: taken; else why not: draining, full."""
        with self._lock:
            reason = "draining" if self.is_draining else "full" if self._entered >= self._max else ""
            if reason:
                self.refused[reason] = self.refused.get(reason, 0) + 1
            else:
                self._entered += 1
                self.started += 1
            return reason

    def leave(self, reason: str) -> None:
        """Give the place back."""
        with self._lock:
            self._entered -= 1
            self.ended[reason] = self.ended.get(reason, 0) + 1

    # --- live calls -----------------------------------------------------------------------------------------------

    def add(self, call: LiveCall) -> None:
        with self._lock:
            self._live[call.call_sid] = call

    def remove(self, call: LiveCall) -> None:
        with self._lock:
            if self._live.get(call.call_sid) is call:
                del self._live[call.call_sid]

    def live(self) -> list[LiveCall]:
        with self._lock:
            return list(self._live.values())

    def get(self, call_sid: str) -> LiveCall | None:
        with self._lock:
            return self._live.get(call_sid)

    # --- intents --------------------------------------------------------------------------------------------------

    def intend(self, call_sid: str, intent: str) -> None:
        """Remember how a call is meant to go on once its stream has ended: hangup."""
        with self._lock:
            if call_sid not in self._intents and len(self._intents) >= MAX_INTENTS:
                self._intents.pop(next(iter(self._intents)))
            self._intents[call_sid] = intent

    def keep_lines(self, call_sid: str, lines: tuple[Said, ...]) -> None:
        """What a call has heard so far, for when it goes on here while the database is down."""
        with self._lock:
            if call_sid not in self._lines and len(self._lines) >= MAX_INTENTS:
                self._lines.pop(next(iter(self._lines)))
            self._lines[call_sid] = lines

    def lines(self, call_sid: str) -> tuple[Said, ...]:
        with self._lock:
            return self._lines.get(call_sid, ())

    def intent(self, call_sid: str) -> str:
        with self._lock:
            return self._intents.get(call_sid, "")
