"""The carrier's HTTP side: a call comes in, a stream has ended, a state has changed, a clip is fetched.

Never a 500, and an answer within a second whatever the database does: the look-ups of an answer share one deadline,
and what only needs to be written down is queued.
"""

import logging
import re
import time
from datetime import UTC, datetime
from functools import partial
from typing import Final

from flask import Blueprint, Response, abort, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from media_ws_ai import clips, markers
from media_ws_ai.clock import Deadline
from media_ws_ai.events import CarrierEnded
from media_ws_ai.logs import CallLog
from media_ws_ai.store import calls
from media_ws_ai.store.businesses import Business
from media_ws_ai.store.database import DatabaseUnavailable
from media_ws_ai.store.status import FINAL_STATUSES
from media_ws_ai.web import twiml
from media_ws_ai.web.signature import origin, stream_origin
from media_ws_ai.web.worker import Worker

ANSWER_S: Final = 0.8
"""For all look-ups of one answer together."""

LOOKUP_S: Final = 0.3
STATE_S: Final = 0.4
MAX_ATTEMPTS: Final = 4
"""The first stream and three fresh ones; then an apology."""

MAX_ASKED: Final = 4
"""How often a caller is asked to hold on while only workers that are going away answer."""

DEFAULT_LANGUAGE: Final = "he"

ATTEMPT_DIGITS: Final = 3
SEQUENCE_DIGITS: Final = 18
"""What a BIGINT holds, whatever the digits."""

_SID: Final = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)

_log: Final = logging.getLogger(__name__)


def _call_sid() -> str:
    """The call this request is about; empty when it names none that could be one."""
    call_sid = request.form.get("CallSid", "")
    g.call_sid = call_sid if _SID.fullmatch(call_sid) else ""
    return str(g.call_sid)


def _number(raw: str, digits: int) -> int | None:
    """A whole number from outside, of so many digits at most; None when it is none."""
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) <= digits else None


def _xml(body: str) -> Response:
    return Response(body, mimetype="text/xml")


class Voice:
    """Answers for one worker."""

    def __init__(self, worker: Worker) -> None:
        self._w = worker

    def incoming(self) -> Response:
        """POST /twilio/voice. The same call and idempotency token get the same answer again."""
        began, deadline = time.monotonic(), Deadline(ANSWER_S)
        call_sid = _call_sid()
        log = CallLog(call_sid or "-", "-")
        if not call_sid:
            return self._decline(log, "voice", "no_call_sid", "technical", DEFAULT_LANGUAGE, began)
        try:
            business = self._business(request.form.get("To", ""), deadline)
        except DatabaseUnavailable as error:
            log.write(self._db_line("business", began, error))
            return self._decline(log, "voice", "no_database", "technical", DEFAULT_LANGUAGE, began)
        if business is None:
            return self._decline(log, "voice", "unknown_number", "decline_unknown", DEFAULT_LANGUAGE, began)
        refused = self._refused()
        if refused:
            return self._decline(log, "voice", refused, "decline_busy", business.language, began)
        self._w.recorder.submit(
            partial(
                calls.upsert,
                call_sid=call_sid,
                at=datetime.now(UTC),
                business_id=business.id,
                caller=request.form.get("From"),
                called=request.form.get("To"),
            )
        )
        return self._connect(log, "voice", business, call_sid, 1, began, deadline)

    def ended(self) -> Response:
        """POST /twilio/stream-ended: finish, or resume a call whose worker died."""
        began, deadline = time.monotonic(), Deadline(ANSWER_S)
        call_sid = _call_sid()
        log = CallLog(call_sid or "-", "-")
        if not call_sid or request.form.get("CallStatus", "") in FINAL_STATUSES:
            log.write(self._line("stream-ended", "nothing", "call_over", began))
            return _xml(twiml.nothing())
        state = self._state(log, call_sid, began, deadline)
        if self._w.registry.intent(call_sid) or (state is not None and (state.is_over or state.intent)):
            log.write(self._line("stream-ended", "hangup", "intended", began))
            return _xml(twiml.hang_up())
        attempt = self._attempt(state) + 1
        try:
            business = self._business_of(state, deadline)
        except DatabaseUnavailable as error:
            log.write(self._db_line("business", began, error))
            return self._decline(log, "stream-ended", "no_database", "technical", DEFAULT_LANGUAGE, began)
        if business is None:
            return self._decline(log, "stream-ended", "unknown_number", "technical", DEFAULT_LANGUAGE, began)
        refused = "too_often" if attempt > MAX_ATTEMPTS else self._refused()
        asked = self._told("asked", 0)
        if refused == "draining" and asked < MAX_ASKED:
            log.write(self._line("stream-ended", "wait", refused, began))
            ours = origin(self._w.settings, request)
            again = f"{ours}/twilio/stream-ended?attempt={attempt - 1}&asked={asked + 1}"
            return _xml(twiml.wait_and_ask(ours + twiml.clip_path(business.language, "hold"), again))
        if refused:
            return self._decline(log, "stream-ended", refused, "apology", business.language, began)
        turns = len(state.lines) if state else 0
        log.write(markers.stream_resumed(attempt=attempt, turns=turns))
        return self._connect(log, "stream-ended", business, call_sid, attempt, began, deadline)

    def status(self) -> Response:
        """POST /twilio/status: of the call, or of a stream (told apart by StreamEvent)."""
        form = request.form
        call_sid = _call_sid()
        log = CallLog(call_sid or "-", form.get("StreamSid") or "-")
        event = form.get("StreamEvent")
        if event:
            state = form.get("StreamError") or "-"
            log.write(markers.status_callback(event=event, state=state))
            return Response(status=204)
        status = form.get("CallStatus", "")
        sequence = _number(form.get("SequenceNumber", ""), SEQUENCE_DIGITS)
        log.write(markers.status_callback(event="call", state=status, sequence=sequence))
        if call_sid and status:
            self._w.recorder.submit(
                partial(
                    calls.apply_status,
                    call_sid=call_sid,
                    status=status,
                    sequence_number=sequence,
                    at=datetime.now(UTC),
                    caller=form.get("From"),
                    called=form.get("To"),
                )
            )
            live = self._w.registry.get(call_sid)
            if live is not None and status in FINAL_STATUSES:
                live.order(CarrierEnded("stop"))
        return Response(status=204)

    def clip(self, language: str, name: str) -> Response:
        """GET /twilio/clip/<language>/<name>.wav, for <Play>."""
        if language not in clips.languages() or name not in clips.names():
            abort(404)
        return Response(clips.wav(language, name), mimetype="audio/wav", headers={"Cache-Control": "max-age=3600"})

    def failed(self, error: Exception) -> BaseResponse:
        """A bug of ours, or a refusal on its way: the caller hears words, the carrier never a 500."""
        if isinstance(error, HTTPException):
            return error.get_response(request.environ)
        call_sid = g.get("call_sid", "") or "-"
        _log.error("%s of call %s failed", request.path, call_sid, exc_info=error)
        if request.endpoint == "voice.status":
            return Response(status=204)
        if request.endpoint == "voice.clip":
            return Response(status=404)
        route = "voice" if request.endpoint == "voice.incoming" else "stream-ended"
        return self._decline(CallLog(call_sid, "-"), route, "fault", "technical", DEFAULT_LANGUAGE, time.monotonic())

    # --- parts ----------------------------------------------------------------------------------------------------

    def _business(self, called: str, deadline: Deadline) -> Business | None:
        business = self._w.businesses.by_phone(called, min(LOOKUP_S, deadline.left()))
        if business is None and self._w.settings.is_development:
            return self._w.businesses.demo(min(LOOKUP_S, deadline.left()))
        return business

    def _business_of(self, state: "calls.ResumeState | None", deadline: Deadline) -> Business | None:
        if state is not None and state.business_id:
            return self._w.businesses.by_id(state.business_id, min(LOOKUP_S, deadline.left()))
        return self._business(request.form.get("To", ""), deadline)

    def _refused(self) -> str:
        if self._w.registry.is_draining:
            return "draining"
        return "full" if self._w.registry.is_full else ""

    def _state(self, log: CallLog, call_sid: str, began: float, deadline: Deadline) -> "calls.ResumeState | None":
        within_s = min(STATE_S, deadline.left())
        try:
            return self._w.database.attempt(lambda session: calls.resume_state(session, call_sid), within_s)
        except DatabaseUnavailable as error:
            log.write(self._db_line("resume_state", began, error))
            return None

    def _attempt(self, state: "calls.ResumeState | None") -> int:
        """Which stream has ended: our own address says so, and the database, where it answers."""
        return max(self._told("attempt", 1), state.attempts if state else 1)

    @staticmethod
    def _told(name: str, default: int) -> int:
        """A small number in our own address, which the carrier brings back."""
        number = _number(request.args.get(name, ""), ATTEMPT_DIGITS)
        return default if number is None else number

    def _connect(
        self,
        log: CallLog,
        route: str,
        business: Business,
        call_sid: str,
        attempt: int,
        began: float,
        deadline: Deadline,
    ) -> Response:
        token = self._w.tokens.issue(
            call_sid=call_sid,
            idempotency_key=request.headers.get("I-Twilio-Idempotency-Token", "")[:100],
            attempt=attempt,
            business_id=business.id,
            to=business.phone,
            caller=request.form.get("From", ""),
            deadline_s=min(LOOKUP_S, deadline.left()),
        )
        self._w.model.setups.wait()  # answers of many callers are often ready together
        ours = origin(self._w.settings, request)
        body = twiml.open_stream(
            stream_url=f"{stream_origin(self._w.settings, request)}/twilio/media",
            action_url=f"{ours}/twilio/stream-ended?attempt={attempt}",
            status_url=f"{ours}/twilio/status",
            token=token,
            attempt=attempt,
        )
        log.write(self._line(route, "connect", "-", began))
        return _xml(body)

    def _decline(self, log: CallLog, route: str, reason: str, clip: str, language: str, began: float) -> Response:
        log.write(self._line(route, "decline", reason, began))
        url = origin(self._w.settings, request) + twiml.clip_path(language, clip)
        return _xml(twiml.say_and_end(url))

    @staticmethod
    def _line(route: str, verdict: str, reason: str, began: float) -> markers.Line:
        took_ms = round((time.monotonic() - began) * 1000)
        return markers.webhook(route=route, verdict=verdict, reason=reason, took_ms=took_ms)

    @staticmethod
    def _db_line(operation: str, began: float, error: DatabaseUnavailable) -> markers.Line:
        took_ms = round((time.monotonic() - began) * 1000)
        return markers.db_unavailable(operation=operation, took_ms=took_ms, reason=str(error))


def blueprint(worker: Worker) -> Blueprint:
    """The routes under /twilio, except the websocket."""
    voice = Voice(worker)
    routes = Blueprint("voice", __name__)
    routes.post("/twilio/voice")(voice.incoming)
    routes.post("/twilio/stream-ended")(voice.ended)
    routes.post("/twilio/status")(voice.status)
    routes.get("/twilio/clip/<language>/<name>.wav")(voice.clip)
    routes.register_error_handler(Exception, voice.failed)
    return routes
