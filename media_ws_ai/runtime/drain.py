"""SIGTERM: no new calls; those that run may end by themselves for a while, then move to another worker.

    0 ── calls run on ──▶ hand over (DRAIN_S − 8) ── close 1001 ──▶ done (DRAIN_S − 3) ── gunicorn's limit (DRAIN_S)

The signal handler sets a flag and nothing more; a thread of the process watches it. Ended by 1001, the carrier asks
`stream-ended`, and whichever worker answers goes on with the call.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from media_ws_ai import markers
from media_ws_ai.events import DrainStarted
from media_ws_ai.logs import NO_CALL
from media_ws_ai.runtime.registry import LiveCall, Registry

POLL_S: Final = 0.2
MARGIN_S: Final = 3.0
CLOSE_S: Final = 5.0
LAST_WORDS_S: Final = 1.5
"""Calls that are saying goodbye may do so until then."""

_log: Final = logging.getLogger(__name__)

STOPS_ACCEPTING_S: Final = 1.5
"""gunicorn's worker takes requests for up to a second after SIGTERM: a call handed over before would come back here."""


class Drain:
    """One per process."""

    def __init__(self, registry: Registry, drain_s: float, flush: Callable[[], bool]) -> None:
        self._registry = registry
        self._done_s = max(0.5, drain_s - MARGIN_S)
        self._handover_s = max(min(STOPS_ACCEPTING_S, self._done_s), self._done_s - CLOSE_S)
        self._flush = flush
        self._thread: threading.Thread | None = None
        self._is_asked = False
        self._is_closed = False

    def watch(self) -> None:
        """Start the thread that waits for `ask`."""
        self._thread = threading.Thread(target=self._run, name="Drain", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """From the signal handler, any number of times: flags only."""
        self._registry.is_draining = True
        self._is_asked = True

    def close(self) -> None:
        self._is_closed = True

    def finish(self) -> None:
        """Wait for a drain under way, within DRAIN_S; at once when none is."""
        if self._thread is not None and self._is_asked:
            self._thread.join(self._done_s + MARGIN_S)

    def _run(self) -> None:
        tick = threading.Event()  # never set: a wait that both kinds of thread understand
        while not self._is_asked:
            if self._is_closed:
                return
            tick.wait(POLL_S)
        began = time.monotonic()
        calls = self._registry.active
        NO_CALL.write(markers.drain_started(calls=calls, limit_s=self._done_s))
        self._wait(tick, began + self._handover_s)
        handed = self._registry.live()
        if handed:
            NO_CALL.write(markers.drain_handover(calls=len(handed)))
            self._order(handed, DrainStarted())
            self._wait(tick, began + self._done_s - LAST_WORDS_S)
            self._order(self._registry.live(), DrainStarted(is_final=True))
            self._wait(tick, began + self._done_s)
        self._flush()
        left = self._registry.active
        took_ms = round((time.monotonic() - began) * 1000)
        NO_CALL.write(markers.drain_done(ended=calls - left, left=left, took_ms=took_ms))

    @staticmethod
    def _order(calls: list[LiveCall], event: DrainStarted) -> None:
        """One call's fault is no reason to leave the others behind."""
        for call in calls:
            try:
                call.order(event)
            except Exception:
                _log.exception("a call could not be handed over: %s", call.call_sid)

    def _wait(self, tick: threading.Event, until: float) -> None:
        while self._registry.active and time.monotonic() < until:
            tick.wait(POLL_S / 4)
