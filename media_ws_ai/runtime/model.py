"""The model's side of a call: RealtimeThread makes connections and reads them, RealtimeSender is the only writer.

connect (bounded, jittered tries) ─▶ read ─▶ facts        renew ordered · lost ─▶ next connection, number + 1
uplink ─▶ orders of this connection's number ─▶ write     orders of an older number are dropped, counted
"""

import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from media_ws_ai import markers
from media_ws_ai.commands import AppendAudio, ModelCommand
from media_ws_ai.errors import PeerError
from media_ws_ai.events import ModelConfigured, ModelConnected, ModelLost
from media_ws_ai.logs import CallLog
from media_ws_ai.runtime.core import CallCore
from media_ws_ai.runtime.health import ModelHealth
from media_ws_ai.runtime.model_socket import (
    OPCODE_CLOSE,
    OPCODE_TEXT,
    Endpoint,
    HandshakeRefused,
    ModelSocket,
    Opening,
    close_code,
)
from media_ws_ai.runtime.resolver import Resolver
from media_ws_ai.runtime.turnstile import Turnstile
from media_ws_ai.wire.realtime import RealtimeDialect

TRIES: Final = 3
TRIES_S: Final = 6.0
SILENT_S: Final = 15.0
"""No frame, and no answer to a ping, for so long: the model is gone, whatever TCP says."""

SEND_WAIT_S: Final = 0.5

BURST_S: Final = 0.001
"""A reader that has found so long a stretch of frames without waiting lets others run before it reads on."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection and the dialect spoken on it."""

    number: int
    socket: ModelSocket
    dialect: RealtimeDialect


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """What a process needs to reach the model, made once."""

    endpoint: Endpoint
    context: ssl.SSLContext
    resolver: Resolver
    health: ModelHealth
    setups: Turnstile = field(default_factory=Turnstile)
    """Shared with whatever else sets a call up."""
    bursts: Turnstile = field(default_factory=Turnstile)


class ModelSide:
    """Both halves; they share the current connection."""

    def __init__(self, access: ModelAccess, log: CallLog, stop: threading.Event) -> None:
        self._access = access
        self._log = log
        self._stop = stop
        self._next = threading.Event()
        """Set: the current connection is no longer wanted, or the call ends."""
        self._wanted = 1
        self._current: Connection | None = None
        self._opening: Opening | None = None
        self._core: CallCore | None = None
        self.stale_orders = 0
        self._unknown = 0
        self._malformed = 0

    def counts(self) -> dict[str, int]:
        """What was lost or not understood on all connections of the call; those that are not zero."""
        counts = {
            "orders_stale": self.stale_orders,
            "model_events_unknown": self._unknown,
            "model_events_malformed": self._malformed,
        }
        return {name: count for name, count in counts.items() if count}

    def attach(self, core: CallCore) -> None:
        self._core = core

    # --- from the rules, and from the handler ---------------------------------------------------------------------

    def renew(self, number: int) -> None:
        """Replace connection `number`. Does not block: it is called under the call's lock."""
        if number + 1 > self._wanted:
            self._wanted = number + 1
        self._next.set()
        current = self._current
        if current is not None and current.number <= number:
            current.socket.abort()

    def end(self) -> None:
        """Wake both halves for good; `stop` is set."""
        self._next.set()
        opening, current = self._opening, self._current
        if opening is not None:
            opening.abort()
        if current is not None:
            current.socket.abort()

    # --- RealtimeThread -------------------------------------------------------------------------------------------

    def read(self) -> None:
        core = self._core
        assert core is not None
        while not self._stop.is_set():
            number = self._wanted
            self._next.clear()
            connection = self._connect(number, core)
            if connection is not None:
                try:
                    self._receive(connection, core)
                finally:
                    self._current = None
                    self._unknown += connection.dialect.unknown
                    self._malformed += connection.dialect.malformed
                    connection.socket.abort()
                    connection.socket.release()
            while self._wanted == number and not self._stop.is_set():
                self._next.wait(SEND_WAIT_S)

    def _connect(self, number: int, core: CallCore) -> Connection | None:
        began = time.monotonic()
        access = self._access
        retrying = Retrying(
            stop=stop_after_attempt(TRIES) | stop_after_delay(TRIES_S) | stop_when_event_set(self._stop),
            wait=wait_random_exponential(multiplier=0.2, max=2.0),
            sleep=sleep_using_event(self._stop),
            retry=retry_if_exception(_is_passing),
            before_sleep=self._note_failure,
            reraise=True,
        )
        try:
            socket = retrying(self._open)
        except HandshakeRefused as error:
            access.health.failed()
            core.handle(RealtimeDialect.refused(number, error.status, error.body))
            return None
        except (PeerError, OSError, RetryError) as error:
            if self._stop.is_set():  # broken off by us: it says nothing of the model
                return None
            access.health.failed()
            detail = f"{type(error).__name__}: {error}"
            core.handle(ModelLost(number, "unreachable", detail, is_hopeless=True))
            return None
        connection = Connection(number, socket, RealtimeDialect())
        self._current = connection
        if self._stop.is_set():
            socket.abort()
        core.handle(ModelConnected(number, round((time.monotonic() - began) * 1000)))
        return connection

    def _open(self) -> ModelSocket:
        access, opening = self._access, Opening()
        self._opening = opening
        if self._stop.is_set():
            opening.abort()
        if access.endpoint.url.startswith("wss:"):
            access.setups.wait()  # a handshake is a few ms of this process
        try:
            return ModelSocket.connect(access.endpoint, access.context, access.resolver, opening)
        finally:
            self._opening = None

    def _note_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._log.write(markers.model_connect_failed(attempt=state.attempt_number, reason=f"{error}"))

    def _receive(self, connection: Connection, core: CallCore) -> None:
        heard_at = rested_at = time.monotonic()
        feed = connection.dialect.feed
        while not self._stop.is_set() and self._wanted == connection.number:
            asked_at = time.monotonic()
            if asked_at - rested_at >= BURST_S:
                self._access.bursts.wait()
                asked_at = rested_at = time.monotonic()
            try:
                received = connection.socket.receive()
            except (PeerError, OSError) as error:
                self._lost(connection, ModelLost(connection.number, "lost", f"{error}"), core)
                return
            now = time.monotonic()
            if now - asked_at >= BURST_S:
                rested_at = now
            if received is None:
                if now - heard_at >= SILENT_S:
                    self._lost(connection, ModelLost(connection.number, "silent", f"for {now - heard_at:.0f} s"), core)
                    return
                self._ping(connection, core)
                continue
            heard_at = now
            opcode, data = received
            if opcode == OPCODE_TEXT:
                for event in feed(data):
                    if isinstance(event, ModelConfigured):
                        self._access.health.reached()
                    core.handle(event)
            elif opcode == OPCODE_CLOSE:
                self._lost(connection, connection.dialect.closed(connection.number, *close_code(data)), core)
                return

    def _lost(self, connection: Connection, event: ModelLost, core: CallCore) -> None:
        if event.is_hopeless:
            self._access.health.failed()
        if not self._stop.is_set() and self._wanted == connection.number:
            core.handle(event)

    @staticmethod
    def _ping(connection: Connection, core: CallCore) -> None:
        core.uplink.put((connection.number, Ping()))

    # --- RealtimeSender -------------------------------------------------------------------------------------------

    def write(self) -> None:
        core = self._core
        assert core is not None
        while not self._stop.is_set():
            for number, order in _joined(core.uplink.take(SEND_WAIT_S)):
                connection = self._current
                if connection is None or connection.number != number:
                    self.stale_orders += 1
                    continue
                try:
                    if isinstance(order, Ping):
                        connection.socket.ping()
                    else:
                        connection.socket.send(connection.dialect.encode(order))
                except (PeerError, OSError) as error:
                    connection.socket.abort()
                    self._lost(connection, ModelLost(number, "send", f"{type(error).__name__}: {error}"), core)


class Ping(ModelCommand):
    """Not an order of the rules: the reader asks the only writer for a sign of life."""


def _joined(items: list[tuple[int, ModelCommand]]) -> list[tuple[int, ModelCommand]]:
    """The same orders, neighbouring audio of one connection in one frame."""
    if len(items) < 2:
        return items
    out: list[tuple[int, ModelCommand]] = []
    for number, order in items:
        if isinstance(order, AppendAudio) and out:
            last_number, last = out[-1]
            if last_number == number and isinstance(last, AppendAudio):
                out[-1] = (number, AppendAudio(last.audio + order.audio))
                continue
        out.append((number, order))
    return out


def _is_passing(error: BaseException) -> bool:
    """Worth another try: not a refusal that will be repeated."""
    if isinstance(error, HandshakeRefused):
        return error.status == 429 or error.status >= 500
    return isinstance(error, (PeerError, OSError))
