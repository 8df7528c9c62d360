"""One call's rules behind one lock. Orders are put on channels before the lock is released; nothing here blocks."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from media_ws_ai import commands as c
from media_ws_ai import markers
from media_ws_ai.events import Event
from media_ws_ai.logs import CallLog
from media_ws_ai.rules.playout import Out
from media_ws_ai.rules.session import Session
from media_ws_ai.runtime.channel import Channel

SLOW_S: Final = 0.010
"""A rule that takes longer delays every caller of the process."""

UPLINK_AUDIO: Final = 50
UPLINK_ORDERS: Final = 512
TOOLS: Final = 8

Uplink = Channel[tuple[int, c.ModelCommand]]


class EventSink(Protocol):
    """Where rows of `call_events` go; must not block."""

    def __call__(self, kind: str, offset_ms: int, payload: Mapping[str, object]) -> None: ...


def new_uplink() -> Uplink:
    return Channel(UPLINK_ORDERS, lambda item: isinstance(item[1], c.AppendAudio), UPLINK_AUDIO)


class CallCore:
    """The door to the rules. Any thread may call it."""

    def __init__(self, session: Session, log: CallLog, record: EventSink, renew: Callable[[int], None]) -> None:
        self.session = session
        self.uplink = new_uplink()
        self.tools: Channel[c.RunTool] = Channel(TOOLS)
        self.tx_wake = threading.Event()
        self.changed = threading.Event()
        """Set when the handler has something to do: hang up, or finish."""
        self.hang_up: c.HangUp | None = None
        self.finish: c.Finish | None = None
        self.slow = 0
        self._log = log
        self._record = record
        self._renew = renew
        self._lock = threading.Lock()

    def handle(self, event: Event) -> None:
        """One fact into the rules, their orders onto the channels."""
        with self._lock:
            began = time.monotonic()
            self._dispatch(self.session.handle(event, began))
            took = time.monotonic() - began
        if took > SLOW_S:
            self.slow += 1
            self._log.write(markers.slow(what=type(event).__name__, took_ms=took * 1000))

    def take(self) -> tuple[list[Out], float]:
        """For TX: messages to write now, and until when it may sleep afterwards (monotonic seconds)."""
        with self._lock:
            now = time.monotonic()
            out, notes = self.session.take(now)
            if notes:
                self._dispatch(notes)
            return out, now + self.session.tx_wait_s(now)

    def metrics(self) -> Mapping[str, Any]:
        with self._lock:
            return {**self.session.metrics(time.monotonic()), **self._own_counts()}

    def reset(self) -> None:
        """F1: nothing of the call is left in reach; the threads that used it have ended."""
        with self._lock:
            self.session.reset()
            self.uplink.take(0)
            self.tools.take(0)
            self.hang_up = None

    def _own_counts(self) -> dict[str, int]:
        counts = {"uplink_dropped": self.uplink.dropped, "uplink_refused": self.uplink.refused, "slow": self.slow}
        return {name: count for name, count in counts.items() if count}

    def _dispatch(self, orders: list[c.Command]) -> None:
        for order in orders:
            if isinstance(order, c.ModelCommand):
                link = self.session.link.number
                if not self.uplink.put((link, order)) and not self.uplink.is_closed:
                    self._renew(link)
            elif isinstance(order, c.Log):
                self._log.write(order.line)
            elif isinstance(order, c.WakeTx):
                self.tx_wake.set()
            else:
                self._dispatch_rare(order)

    def _dispatch_rare(self, order: c.Command) -> None:
        match order:
            case c.Record():
                self._record(order.kind, order.offset_ms, order.payload)
            case c.RenewModel():
                self._renew(order.link)
            case c.RunTool():
                if not self.tools.put(order):
                    refusal = '{"ok":false,"reason":"busy"}'
                    self.uplink.put((self.session.link.number, c.AnswerTool(order.call_id, order.call_id, refusal)))
            case c.HangUp():
                self.hang_up = order
                self.changed.set()
            case c.Finish():
                self.finish = order
                self.changed.set()
                self.tx_wake.set()
            case _:
                raise TypeError(f"no one carries out {type(order).__name__}")
