"""What one worker process holds for all its calls, built once after the fork. The composition root: no logic here."""

import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from media_ws_ai import clips, markers
from media_ws_ai.config import Settings
from media_ws_ai.logs import NO_CALL
from media_ws_ai.rules.history import Said
from media_ws_ai.rules.manners import compose
from media_ws_ai.rules.params import CallParams, Clip
from media_ws_ai.runtime.drain import Drain
from media_ws_ai.runtime.hangup import RestHangup
from media_ws_ai.runtime.health import ModelHealth
from media_ws_ai.runtime.model import ModelAccess
from media_ws_ai.runtime.model_socket import Endpoint
from media_ws_ai.runtime.registry import Registry
from media_ws_ai.runtime.resolver import Resolver
from media_ws_ai.store import calls
from media_ws_ai.store.businesses import Business, Businesses
from media_ws_ai.store.database import Database, DatabaseUnavailable
from media_ws_ai.store.recorder import Recorder
from media_ws_ai.store.tokens import Claim, StreamTokens

INTENT_S: Final = 1.0
HISTORY_S: Final = 1.0
LEAST_CALL_S: Final = 30.0
"""A call resumed at its very end still gets a polite one."""

FLUSH_S: Final = 2.0

_log: Final = logging.getLogger(__name__)


class Worker:
    """One process's parts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started_at = time.monotonic()
        self.registry = Registry(settings.max_calls)
        self.database = Database(settings.database_url)
        self.businesses = Businesses(self.database)
        self.tokens = StreamTokens(self.database, settings.secret_key)
        self.recorder = Recorder(self.database)
        self.hangup = RestHangup(settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_api_url)
        self.model = ModelAccess(
            Endpoint(settings.openai_realtime_url, settings.openai_realtime_model, settings.openai_api_key),
            ssl.create_default_context(),
            Resolver(),
            ModelHealth(),
        )
        self.drain = Drain(self.registry, settings.drain_s, lambda: self.recorder.flush(FLUSH_S))

    def warm_up(self) -> None:
        """Know the businesses before the first call; a database that is down is noted, not fatal."""
        try:
            _log.info("%d businesses known", self.businesses.warm())
            _log.info("%d old stream tokens deleted", self.tokens.prune())
        except DatabaseUnavailable as error:
            NO_CALL.write(markers.db_unavailable(operation="warm_up", took_ms=2000, reason=str(error)))

    def close(self) -> None:
        """At the worker's end: what is queued for the database is written, within its deadline."""
        self.recorder.close(FLUSH_S)
        self.database.close()

    def clips_of(self, language: str, voice: str) -> dict[str, Clip]:
        """The worker's clips in the business's voice, where they were rendered, else as shipped."""
        overrides = self.settings.clips_dir / voice
        return {name: Clip(clips.clip(language, name, overrides), clips.text(language, name)) for name in clips.names()}

    def params(self, business: Business, claim: Claim, deadline_s: float = HISTORY_S) -> CallParams:
        """All that the rules are told of a call; an earlier stream's lines are looked up within `deadline_s`."""
        history, elapsed_s = self._earlier(claim, deadline_s)
        compact, full = compose(business.language, business.name, business.prompt)
        response = business.response
        speed = response.get("speed")
        return CallParams(
            business_id=business.id,
            language=business.language,
            voice=business.voice,
            greeting=business.greeting,
            compact=compact,
            full=full,
            policy={
                "call_goal": business.call_goal,
                "enable_calendar_scheduling": business.enable_calendar_scheduling,
                "auto_end_on_goodbye": business.auto_end_on_goodbye,
            },
            clips=self.clips_of(business.language, business.voice),
            model=self.settings.openai_realtime_model,
            transcribe_model=self.settings.openai_transcribe_model,
            transcribe_fallback=self.settings.openai_transcribe_fallback,
            max_output_tokens=int(response.get("max_output_tokens", 2400)),
            speed=float(speed) if speed is not None else None,
            attempt=claim.attempt,
            history=history,
            max_call_s=max(LEAST_CALL_S, self.settings.max_call_s - elapsed_s),
        )

    def _earlier(self, claim: Claim, deadline_s: float) -> tuple[tuple[Said, ...], float]:
        """What earlier streams of this call have heard, and how long ago it began [s].

        While the database is down: the lines as far as this process knows them, and a call that begins anew.
        """
        if claim.attempt <= 1:
            return (), 0.0
        try:
            state = self.database.run(lambda session: calls.resume_state(session, claim.call_sid), deadline_s)
        except DatabaseUnavailable as error:
            took_ms = round(deadline_s * 1000)
            NO_CALL.write(markers.db_unavailable(operation="resume", took_ms=took_ms, reason=str(error)))
            return self.registry.lines(claim.call_sid), 0.0
        roles = {"caller": "user", "agent": "assistant"}
        lines = state.lines if state else ()
        began = state.started_at if state else None
        elapsed_s = (datetime.now(UTC) - began).total_seconds() if began else 0.0
        return tuple(Said(roles[line.speaker], line.text, line.offset_ms) for line in lines), max(0.0, elapsed_s)


@dataclass(frozen=True, slots=True)
class CallKeeper:
    """Where one call's traces go: the recorder, and the memory that `stream-ended` asks first."""

    worker: Worker
    call_sid: str
    attempt: int

    def record(self, kind: str, offset_ms: int, payload: Mapping[str, object]) -> None:
        self.worker.recorder.put(self.call_sid, self.attempt, offset_ms, kind, payload)  # type: ignore[arg-type]

    def intend_hangup(self) -> None:
        """Another worker may be asked how the call goes on: it must find the intent in the database."""
        if self.worker.registry.intent(self.call_sid):
            return
        self.worker.registry.intend(self.call_sid, "hangup")
        save = partial(calls.record_intent, call_sid=self.call_sid, intent="hangup", at=datetime.now(UTC))
        self.worker.recorder.submit(save)
        self.worker.recorder.flush(INTENT_S)

    def hand_on(self, lines: tuple[Said, ...]) -> None:
        """Before the carrier asks who goes on: what was said must be where the next worker looks for it."""
        self.worker.registry.keep_lines(self.call_sid, lines)
        self.worker.recorder.flush(INTENT_S)

    def finished(self, reason: str, metrics: Mapping[str, Any], tokens: Mapping[str, int]) -> None:
        self.worker.recorder.finish(
            call_sid=self.call_sid,
            attempt=self.attempt,
            end_reason=reason,
            metrics=metrics,
            tokens=tokens,
            at=datetime.now(UTC),
        )
