"""One call, owned: its rules, its threads, its end. The websocket's own thread lives here from `start` to close.

    run: build ─▶ start TwilioTx, RealtimeSender, RealtimeThread, TwilioReader ─▶ tick, 10 a second, until Finish
    close: stop ─▶ channels and model socket ─▶ join all within 5 s ─▶ survivors named ─▶ state reset (only when TX is
           dead) ─▶ carrier socket closed quietly ─▶ last metrics line

`close` may be called twice. Nothing of a call outlives `run`.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from media_ws_ai import markers
from media_ws_ai.clock import MonotonicClock
from media_ws_ai.events import CarrierEnded, Event, HangupSettled, Tick
from media_ws_ai.logs import CallLog
from media_ws_ai.rules.history import Said
from media_ws_ai.rules.params import CallParams
from media_ws_ai.rules.session import Session
from media_ws_ai.runtime.carrier_socket import SEND_LIMIT_S, CarrierSocket
from media_ws_ai.runtime.core import CallCore, EventSink
from media_ws_ai.runtime.hangup import Hangup
from media_ws_ai.runtime.model import ModelAccess, ModelSide
from media_ws_ai.runtime.reader import TwilioReader
from media_ws_ai.runtime.threads import CallThreads
from media_ws_ai.runtime.tool_runner import Tool, ToolRunner
from media_ws_ai.runtime.tx import TwilioTx
from media_ws_ai.wire.twilio import TwilioParser, TwilioWriter

TICK_S: Final = 0.1
TX_ROLE: Final = "TwilioTx"
LAST_SEND_S: Final = 0.5
"""For a send under way at the end: a carrier that reads takes it at once, and is then told a proper close."""


class Keeper(Protocol):
    """Where a call's traces go. None of it may block longer than it says."""

    def record(self, kind: str, offset_ms: int, payload: Mapping[str, object]) -> None:
        """A row of `call_events`; does not block."""

    def intend_hangup(self) -> None:
        """In memory at once, in the database within 1 s."""

    def hand_on(self, lines: tuple[Said, ...]) -> None:
        """The call goes on elsewhere: its lines are in the database within 1 s, or kept in memory."""

    def finished(self, reason: str, metrics: Mapping[str, Any], tokens: Mapping[str, int]) -> None:
        """The call's row; does not block."""


@dataclass(frozen=True, slots=True)
class CallDeps:
    """What a call is given by its process."""

    model: ModelAccess
    hangup: Hangup
    keeper: Keeper
    tools: Mapping[str, Tool]


class CallHandler:
    """Runs one call on the websocket's own thread."""

    def __init__(
        self,
        socket: CarrierSocket,
        parser: TwilioParser,
        params: CallParams,
        log: CallLog,
        deps: CallDeps,
        started_at: float,
    ) -> None:
        """`started_at`: when the carrier's `start` was read (monotonic seconds); the call's clock begins there."""
        self._socket = socket
        self._log = log
        self._deps = deps
        self._clock = MonotonicClock()
        self._is_closed = False
        self._threads = CallThreads(log.call_sid, log, self._thread_failed)
        stop = self._threads.stop
        self._model = ModelSide(deps.model, log, stop)
        record: EventSink = deps.keeper.record
        self._core = CallCore(Session(params, started_at), log, record, self._model.renew)
        self._model.attach(self._core)
        self._tx = TwilioTx(socket, TwilioWriter(parser.stream_sid), self._core, stop)
        self._reader = TwilioReader(socket, parser, self._core, log, stop)
        self._parser = parser
        self._tools = ToolRunner(deps.tools, self._core, stop) if deps.tools else None
        self.reason = ""

    def order(self, event: Event) -> None:
        """A fact from outside the call: drain, an operator's order."""
        self._core.handle(event)

    def run(self) -> None:
        """From the accepted `start` to the closed socket. Returns only when nothing of the call is left."""
        own = threading.current_thread()
        name, own.name = own.name, f"CallHandler-{self._log.call_sid[-6:]}"
        try:
            self._threads.start(self._parts())
            while self._core.finish is None:
                self._core.changed.wait(TICK_S)
                self._core.changed.clear()
                self._core.handle(Tick())
                self._watch_tx()
                if self._core.hang_up is not None and self._core.finish is None:
                    self._hang_up()
        finally:
            self.close()
            own.name = name

    def _parts(self) -> list[tuple[str, Callable[[], None]]]:
        parts: list[tuple[str, Callable[[], None]]] = [
            (TX_ROLE, self._tx.run),
            ("RealtimeSender", self._model.write),
            ("RealtimeThread", self._model.read),
            ("TwilioReader", self._reader.run),
        ]
        if self._tools is not None:
            parts.append(("ToolRunner", self._tools.run))
        return parts

    def _watch_tx(self) -> None:
        """A peer that stops reading blocks TX for ever: neither gevent nor the kernel ends that send in time."""
        blocked_s = self._tx.blocked_s()
        if blocked_s < SEND_LIMIT_S:
            return
        self._log.write(markers.tx_blocked(blocked_ms=round(blocked_s * 1000)))
        self._core.handle(CarrierEnded("blocked"))
        self._socket.abort()

    def _thread_failed(self, role: str, error: Exception) -> None:
        self._core.handle(CarrierEnded(f"fault_{role}", type(error).__name__))

    def _hang_up(self) -> None:
        """Intent first, so that whoever is asked next knows; then REST; else the close of the stream does it."""
        self._core.hang_up = None
        self._deps.keeper.intend_hangup()
        began = self._clock.now()
        result = self._deps.hangup(self._log.call_sid, self._watch_tx)
        how = "stream" if result in ("failed", "none") else "REST"
        took_ms = round((self._clock.now() - began) * 1000)
        self._log.write(markers.hangup_result(how=how, result=result, took_ms=took_ms))
        self._core.handle(HangupSettled(how))

    def close(self) -> None:
        """End everything of the call, in order. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        finish = self._core.finish
        self.reason = finish.reason if finish else "fault"
        self._threads.stop.set()
        self._core.uplink.close()
        self._core.tools.close()
        self._core.tx_wake.set()
        self._model.end()
        if not self._threads.has_ended(TX_ROLE, LAST_SEND_S):
            self._socket.abort()
        survivors = self._threads.join_all()
        metrics = {**self._core.metrics(), **self._model.counts()}
        tokens = dict(self._core.session.tokens)
        if finish and finish.is_intended:
            self._deps.keeper.intend_hangup()
        else:
            self._deps.keeper.hand_on(self._core.session.history.lines())
        self._survived()
        if TX_ROLE not in survivors:
            self._log.write(markers.cleanup_reset())
            self._core.reset()
            self._log.write(markers.cleanup_done())
        try:
            self._log.write(self._socket.close(finish.code if finish else 1011, self.reason))
        finally:
            self._deps.keeper.finished(self.reason, metrics, tokens)
            self._log_end(metrics, tokens)

    def _survived(self) -> None:
        counts = {
            "malformed": self._parser.malformed,
            "foreign": self._parser.foreign,
            "unknown": self._parser.unknown,
        }
        for what, count in counts.items():
            if count:
                self._log.write(markers.stream_survived(what=what, count=count))

    def _log_end(self, metrics: dict[str, Any], tokens: Mapping[str, int]) -> None:
        self._log.write(markers.call_ended(reason=self.reason, duration_s=metrics["duration_s"]))
        if tokens:
            self._log.write(markers.usage(tokens=tokens))
        audited = {name: metrics.pop(name) for name in AUDITED}
        self._log.write(
            markers.call_metrics(call_sid=self._log.call_sid, stream_sid=self._log.stream_sid, **audited, extra=metrics)
        )


AUDITED: Final = (
    "duration_s",
    "avg_fps",
    "max_gap_ms",
    "frames_sent",
    "frames_dropped",
    "frames_flushed",
    "barge_in_candidates",
    "barge_in_events",
    "barge_in_rejected",
)


def live_threads() -> list[str]:
    """Names of the threads of calls that are alive in this process; for /metrics and for tests."""
    return [t.name for t in threading.enumerate() if t.name.partition("-")[0] in ROLES]


ROLES: Final = frozenset({TX_ROLE, "RealtimeSender", "RealtimeThread", "TwilioReader", "ToolRunner"})
