"""The life of the connection to the model: set up, verified, renewed, given up.

    DOWN ─connected─▶ OPEN ─greeted─▶ CONFIGURING ─echo as asked─▶ READY ─lost / expired / stall─▶ DOWN (renew)
                       │ silent          │ refused: transcription? once more with the fallback
                       │                 │ echo not as asked, refused for another reason ─▶ DEAD (apology, not static)
                       └── renew ◀───────┘ silent: once more, then renew

Caller audio that comes before READY waits here, two seconds at most; then the oldest is lost, and counted.
"""

from collections import deque
from enum import StrEnum
from typing import Final

from media_ws_ai import markers
from media_ws_ai.audio.frame import FRAMES_PER_SEC, PTIME_MS
from media_ws_ai.commands import AddText, AppendAudio, Command, Configure, Log, RenewModel, Transcribe
from media_ws_ai.events import ModelConfigured, ModelConnected, ModelError, ModelLost
from media_ws_ai.rules.history import History, Said
from media_ws_ai.rules.params import CallParams
from media_ws_ai.rules.prompts import PromptUpgrade
from media_ws_ai.rules.refs import Refs

GREET_WAIT_S: Final = 3.0
CONFIGURE_WAIT_S: Final = 2.0
CONFIGURE_TRIES: Final = 2
HELD_FRAMES: Final = 2 * FRAMES_PER_SEC
MAX_UNREADY: Final = 2
"""Renewals in a row that brought no session: some 9 s."""

MAX_SHORT: Final = 6
"""Renewals without a session that held for LASTING_S between them; a model that keeps going away is no model."""

LASTING_S: Final = 60.0

RENEW_AT_S: Final = 55 * 60.0
"""Sessions end at 60 minutes; renewed before, in a moment when nobody speaks."""

FIRST_TRANSCRIPTS: Final = 2
"""So many failed transcriptions at the start mean that the transcription model is not to be had."""

BENIGN: Final = frozenset(
    {
        "response_cancel_not_active",
        "conversation_already_has_active_response",
        "unsupported_content_type",
        "item_truncate_invalid_item_id",
        "item_delete_invalid_item_id",
        "input_audio_buffer_commit_empty",
        "cannot_update_voice",
        "invalid_value",
        "invalid_request_error",
    }
)
STRANGE_LIMIT: Final = 5
STRANGE_WITHIN_S: Final = 10.0
"""Unknown errors, repeated quickly, are fatal for the connection."""


class Stage(StrEnum):
    DOWN = "down"
    OPEN = "open"
    CONFIGURING = "configuring"
    READY = "ready"
    DEAD = "dead"


class Link:
    """One call's connection, whichever number it has now."""

    def __init__(self, params: CallParams, refs: Refs, prompt: PromptUpgrade, history: History, now: float) -> None:
        self._p = params
        self._refs = refs
        self._prompt = prompt
        self._history = history
        self._held: deque[bytes] = deque(maxlen=HELD_FRAMES)
        self._ref = ""
        self._since = now
        self._down_since = now
        self._ready_at = 0.0
        self._configure_tries = 0
        self._transcripts_failed = 0
        self._transcripts_ok = 0
        self._strange: deque[float] = deque(maxlen=STRANGE_LIMIT)
        self._transcribe_model = params.transcribe_model
        self.stage = Stage.DOWN
        self.number = 0
        self.renewals = 0
        self._unready = 1  # the first connection is not a renewal, and takes its share of the caller's patience
        self._short = 0
        self.lost_audio_frames = 0
        self.appended_ms = 0
        self.dead_reason = ""

    @property
    def is_ready(self) -> bool:
        return self.stage is Stage.READY

    @property
    def is_dead(self) -> bool:
        return self.stage is Stage.DEAD

    # --- caller audio -----------------------------------------------------------------------------------------

    def append(self, audio: bytes) -> list[Command]:
        """One frame of the caller, or silence in its place."""
        if self.stage is Stage.READY:
            self.appended_ms += PTIME_MS
            return [AppendAudio(audio)]
        if len(self._held) == HELD_FRAMES:
            self.lost_audio_frames += 1
        self._held.append(audio)
        return []

    def reset(self) -> None:
        """Nothing of the caller is kept."""
        self._held.clear()

    def _release(self) -> list[Command]:
        held = b"".join(self._held)
        frames = len(self._held)
        self._held.clear()
        self.appended_ms = frames * PTIME_MS
        return [AppendAudio(held)] if held else []

    # --- set-up -----------------------------------------------------------------------------------------------

    def connected(self, event: ModelConnected, now: float) -> list[Command]:
        """A connection stands. Where another was believed to stand, it is gone with everything on it."""
        if self.is_dead:
            return []
        out: list[Command] = []
        if self.stage is not Stage.DOWN:
            self.renewals += 1
            out.append(Log(markers.model_lost(reason="replaced")))
        self.number = event.link
        self._enter(Stage.OPEN, now)
        self._configure_tries = 0
        return [*out, Log(markers.model_connected(took_ms=event.took_ms))]

    def greeted(self, now: float) -> list[Command]:
        if self.stage is not Stage.OPEN:
            return []
        return self._configure(now)

    def _configure(self, now: float) -> list[Command]:
        self._enter(Stage.CONFIGURING, now)
        self._configure_tries += 1
        self._ref = self._refs("session")
        return [
            Configure(
                ref=self._ref,
                prompt=self._prompt.in_force,
                language=self._p.language,
                voice=self._p.voice,
                transcribe_model=self._transcribe_model,
                max_output_tokens=self._p.max_output_tokens,
                speed=self._p.speed,
                tools=self._p.tools,
            )
        ]

    def configured(
        self, event: ModelConfigured, being_said: tuple[Said, ...], now: float
    ) -> tuple[bool, list[Command]]:
        """(the session has become ready by this echo, orders). Every echo is verified, also that of an upgrade.

        `being_said`: what the caller is hearing at this moment, which is no line of the history yet.
        """
        if not (event.is_pcmu and event.leaves_turns_to_us):
            what = "audio format" if not event.is_pcmu else "turn detection"
            return False, [*self._die("not_as_asked", now), Log(markers.model_not_as_asked(detail=what))]
        if self.stage is not Stage.CONFIGURING:
            return False, []
        took_ms = round((now - self._down_since) * 1000)
        out: list[Command] = [
            Log(
                markers.model_ready(
                    took_ms=took_ms,
                    model=self._p.model,
                    voice=self._p.voice,
                    transcription=self._transcribe_model if event.transcribes else "none",
                )
            )
        ]
        self._enter(Stage.READY, now)
        self._ready_at = now
        out += self._prompt.link_renewed(now)
        lines = self._history.lines(being_said)
        out += [AddText(self._refs("line"), said.role, said.text) for said in lines]
        if self.renewals:
            out.append(Log(markers.model_renewed(took_ms=took_ms, turns=len(lines))))
        return True, out + self._release()

    # --- faults -----------------------------------------------------------------------------------------------

    def lost(self, event: ModelLost, now: float) -> list[Command]:
        """The runtime says that connection `event.link`, or the attempt to make it, is over."""
        is_known = event.link < self.number or (event.link == self.number and self.stage is Stage.DOWN)
        if self.is_dead or is_known:
            return []
        line = Log(markers.model_lost(reason=f"{event.reason} {event.detail}".strip()))
        if event.is_hopeless:
            return [line, *self._die(event.reason, now)]
        return [line, *self.renew(event.reason, now)]

    def renew(self, why: str, now: float) -> list[Command]:
        """Make a new connection; the history goes with it as text."""
        if self.is_dead:
            return []
        if self.stage is Stage.READY:
            self._down_since = now
            self._unready = 0
            if now - self._ready_at >= LASTING_S:
                self._short = 0
        self.renewals += 1
        self._unready += 1
        self._short += 1
        if self._unready > MAX_UNREADY + 1 or self._short > MAX_SHORT:
            return self._die("renewed_too_often", now)
        self._enter(Stage.DOWN, now)
        line = markers.model_renewing(attempt=self.renewals, reason=why)
        return [Log(line), RenewModel(self.number, why)]

    def refused(self, event: ModelError, now: float) -> list[Command]:
        """An error that no other rule claimed."""
        if event.is_fatal:
            out: list[Command] = [self._error_line(event, "fatal")]
            if event.code == "session_expired":
                return out + self.renew("expired", now)
            return out + self._die(event.code, now)
        if self.stage is Stage.CONFIGURING and event.ref == self._ref:
            return self._configure_refused(event, now)
        if event.code in BENIGN:
            return [self._error_line(event, "tolerated")]
        self._strange.append(now)
        if len(self._strange) == STRANGE_LIMIT and now - self._strange[0] <= STRANGE_WITHIN_S:
            self._strange.clear()
            return [self._error_line(event, "renewed"), *self.renew("errors", now)]
        return [self._error_line(event, "tolerated")]

    def _configure_refused(self, event: ModelError, now: float) -> list[Command]:
        fallback = self._p.transcribe_fallback
        if event.about == "transcription" and fallback and self._transcribe_model != fallback:
            return [self._error_line(event, "retried"), self._fall_back(), *self._configure(now)]
        return [self._error_line(event, "fatal"), *self._die("session_refused", now)]

    def _fall_back(self) -> Log:
        refused, self._transcribe_model = self._transcribe_model, self._p.transcribe_fallback
        return Log(markers.model_fallback_transcription(model=self._transcribe_model, refused=refused))

    @staticmethod
    def _error_line(event: ModelError, verdict: str) -> Log:
        return Log(markers.model_error(code=event.code, verdict=verdict, message=event.message))

    def transcribed(self) -> None:
        self._transcripts_ok += 1

    def transcript_failed(self) -> list[Command]:
        """The first transcriptions of a call fail: once, the other transcription model is tried."""
        self._transcripts_failed += 1
        fallback = self._p.transcribe_fallback
        if self._transcripts_ok or self._transcripts_failed < FIRST_TRANSCRIPTS or not fallback:
            return []
        if self._transcribe_model == fallback:
            return []
        line = self._fall_back()
        return [line, Transcribe(self._refs("session"), self._transcribe_model, self._p.language)]

    # --- time -------------------------------------------------------------------------------------------------

    def tick(self, now: float, is_quiet: bool) -> list[Command]:
        """`is_quiet`: nobody speaks and nothing is asked for."""
        waited = now - self._since
        if self.stage is Stage.OPEN and waited >= GREET_WAIT_S:
            return self.renew("no_greeting", now)
        if self.stage is Stage.CONFIGURING and waited >= CONFIGURE_WAIT_S:
            if self._configure_tries < CONFIGURE_TRIES:
                return self._configure(now)
            return self.renew("no_echo", now)
        if self.stage is Stage.READY and is_quiet and now - self._ready_at >= RENEW_AT_S:
            return self.renew("old", now)
        return []

    def _die(self, reason: str, now: float) -> list[Command]:
        self._enter(Stage.DEAD, now)
        self.dead_reason = reason
        return []

    def _enter(self, stage: Stage, now: float) -> None:
        self.stage = stage
        self._since = now
