"""The one websocket: who it is, whether it may come in, and then a call handler for as long as it lasts.

Nothing is accepted before `start` (5 s), and no model is connected before the token was consumed. Whatever goes wrong
here ends as a websocket close: an exception that left this function would be written into the stream as HTTP text.
"""

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from simple_websocket import ConnectionClosed

from media_ws_ai import markers
from media_ws_ai.clock import Deadline
from media_ws_ai.events import CarrierEnded
from media_ws_ai.logs import NO_CALL, CallLog
from media_ws_ai.runtime.carrier_socket import CarrierSocket, Websocket
from media_ws_ai.runtime.handler import CallDeps, CallHandler
from media_ws_ai.runtime.registry import LiveCall
from media_ws_ai.store import calls
from media_ws_ai.store.businesses import Business
from media_ws_ai.store.database import DatabaseUnavailable
from media_ws_ai.store.tokens import Claim, Refused
from media_ws_ai.web.worker import CallKeeper, Worker
from media_ws_ai.wire.twilio import StreamStarted, TwilioParser

START_S: Final = 5.0
ADMIT_S: Final = 1.0
"""Token, business and the lines of an earlier stream, all together: the first sound is due within 3 s of `start`."""

LEAST_S: Final = 0.1
POLICY: Final = 1008
GOING_AWAY: Final = 1001
TRY_LATER: Final = 1013

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdmittedStream:
    """A stream that may come in, and for whom. `started_at`: when its `start` was read (monotonic seconds)."""

    start: StreamStarted
    claim: Claim
    business: Business
    log: CallLog
    started_at: float


class MediaRoute:
    """The route function of /twilio/media."""

    def __init__(self, worker: Worker) -> None:
        self._w = worker

    def __call__(self, ws: Websocket) -> None:
        socket = CarrierSocket(ws)
        try:
            self._serve(socket)
        except Exception:  # see above: gunicorn would answer into the open websocket
            _log.exception("a media stream failed")
            socket.close(1011, "fault")

    def _serve(self, socket: CarrierSocket) -> None:
        parser = TwilioParser()
        start = self._await_start(socket, parser)
        if isinstance(start, str):
            self._refuse(socket, NO_CALL, start, POLICY)
            return
        started_at = time.monotonic()
        patience = Deadline(ADMIT_S)
        log = CallLog(start.call_sid, start.stream_sid)
        claim = self._check(start, patience)
        if isinstance(claim, str):
            self._refuse(socket, log, claim, POLICY)
            return
        business = self._business(claim, patience)
        if business is None:
            self._refuse(socket, log, "no_business", POLICY)
            return
        full = self._w.registry.enter()
        if full:
            self._refuse(socket, log, full, GOING_AWAY if full == "draining" else TRY_LATER)
            return
        reason = "fault"
        try:
            stream = AdmittedStream(start, claim, business, log, started_at)
            reason = self._run(socket, parser, stream, patience)
        finally:
            self._w.registry.leave(reason)

    def _run(self, socket: CarrierSocket, parser: TwilioParser, stream: "AdmittedStream", patience: Deadline) -> str:
        w, start, claim = self._w, stream.start, stream.claim
        business, log = stream.business, stream.log
        log.write(markers.stream_started(tracks="inbound", encoding="audio/x-mulaw"))
        log.write(
            markers.call_started(
                business_id=business.id,
                caller=claim.caller,
                lang=business.language,
                goal=business.call_goal,
                attempt=claim.attempt,
            )
        )
        w.recorder.submit(
            partial(
                calls.stream_started,
                call_sid=start.call_sid,
                stream_sid=start.stream_sid,
                attempt=claim.attempt,
                at=datetime.now(UTC),
                business_id=business.id,
                caller=claim.caller,
                called=claim.to,
            )
        )
        keeper = CallKeeper(w, start.call_sid, claim.attempt)
        deps = CallDeps(w.model, w.hangup, keeper, tools={})
        earlier = w.registry.get(start.call_sid)
        if earlier is not None:  # its last lines are part of what this one must know
            earlier.order(CarrierEnded("replaced"))
            w.recorder.flush(patience.left())
        params = w.params(business, claim, max(LEAST_S, patience.left()))
        handler = CallHandler(socket, parser, params, log, deps, stream.started_at)
        live = LiveCall(start.call_sid, start.stream_sid, business.id, handler.order, claim.attempt, claim.caller)
        w.registry.add(live)
        try:
            handler.run()
        finally:
            w.registry.remove(live)
        return handler.reason

    # --- admission ------------------------------------------------------------------------------------------------

    @staticmethod
    def _await_start(socket: CarrierSocket, parser: TwilioParser) -> StreamStarted | str:
        deadline = Deadline(START_S)
        while not deadline.is_over():
            try:
                message = socket.receive(deadline.left())
            except (ConnectionClosed, OSError):
                return "closed_before_start"
            if message is None:
                break
            for event in parser.feed(message):
                if isinstance(event, StreamStarted):
                    return event
        return "no_start"

    def _check(self, start: StreamStarted, patience: Deadline) -> Claim | str:
        settings = self._w.settings
        if not start.is_pcmu:
            return "media_format"
        if settings.twilio_account_sid and start.account_sid != settings.twilio_account_sid:
            return "account"
        token = start.parameters.get("tok", "")
        if not token:
            return "no_token"
        claim = self._w.tokens.consume(token, start.call_sid, deadline_s=patience.left())
        return f"token_{claim.reason}" if isinstance(claim, Refused) else claim

    def _business(self, claim: Claim, patience: Deadline) -> Business | None:
        """From the worker's memory; where the database is down and nothing is known, there is no call to hold."""
        try:
            if claim.business_id:
                return self._w.businesses.by_id(claim.business_id, max(LEAST_S, patience.left()))
            return self._w.businesses.demo(max(LEAST_S, patience.left()))
        except DatabaseUnavailable as error:
            NO_CALL.write(markers.db_unavailable(operation="business", took_ms=500, reason=str(error)))
            return None

    @staticmethod
    def _refuse(socket: CarrierSocket, log: CallLog, reason: str, code: int) -> None:
        log.write(markers.stream_refused(reason=reason))
        socket.close(code, reason)
