"""One call: every fact goes to the machines it concerns, their orders come back in order. Nothing here blocks.

caller audio ─▶ continuity ─▶ levels ─▶ link (appends, or holds until the model is ready)
model audio  ─▶ requester (whose?) ─▶ speech ─▶ playout ─▶ TX takes
transcript   ─▶ turns ─▶ requester (one answer at a time, when the agent has finished)
faults, time ─▶ link (renew) · requester (stall) · prompts (upgrade) · ending
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from media_ws_ai import events as e
from media_ws_ai import markers
from media_ws_ai.audio.continuity import Continuity
from media_ws_ai.audio.frame import PTIME_MS
from media_ws_ai.audio.levels import Levels
from media_ws_ai.audio.outlet import TX_CAPACITY_FRAMES
from media_ws_ai.commands import Command, Finish, Log, Record
from media_ws_ai.rules import moments, spoken
from media_ws_ai.rules.answers import Answers
from media_ws_ai.rules.ending import Ending
from media_ws_ai.rules.history import History
from media_ws_ai.rules.link import Link
from media_ws_ai.rules.metrics import call_metrics
from media_ws_ai.rules.params import CallParams
from media_ws_ai.rules.playout import Out, Playout
from media_ws_ai.rules.prompts import PromptUpgrade
from media_ws_ai.rules.refs import Refs
from media_ws_ai.rules.requester import Requester
from media_ws_ai.rules.speech import Speech
from media_ws_ai.rules.tools import ToolCalls
from media_ws_ai.rules.turns import Turns
from media_ws_ai.rules.watch import Watch

LEVELS_EVERY_S: Final = 10.0
SECOND_S: Final = 1.0
TX_GRACE_S: Final = 0.3
"""So late, TX does not write its line any more: the tick does."""

MAX_SECONDS: Final = 10
MAX_DIGITS: Final = 64
"""Keys kept; the newest count."""


class Session:
    """The rules of one call. Not thread-safe: the runtime holds one lock around it."""

    def __init__(self, params: CallParams, now: float) -> None:
        self.params = params
        self._refs = Refs()
        self.history = History(params.history)
        self.playout = Playout()
        self.requester = Requester(self._refs)
        self.prompt = PromptUpgrade(self._refs, params.compact, params.full, params.business_id, params.policy)
        self.link = Link(params, self._refs, self.prompt, self.history, now)
        self.speech = Speech(self.playout, self.requester, self.history, self._refs, params.language)
        self.turns = Turns(self.requester, self.history)
        self.ending = Ending(self.playout, params.language)
        self.tools = ToolCalls(params.tools, self._refs, self.requester)
        self.answers = Answers(
            params.language, self.requester, self.speech, self.playout, self.link, self.prompt, self.tools
        )
        self.watch = Watch(params, self._refs, self.playout, self.requester, self.speech, self.link, now)
        self.continuity = Continuity()
        self.caller_levels = Levels()
        self.tokens: dict[str, int] = {}
        self.caller_frames = 0
        self.dtmf = ""
        self._started_at = now
        self._second_at = now + SECOND_S
        self._levels_at = now + LEVELS_EVERY_S
        self._has_opened = False
        self._renewals = 0
        self.speech.begin_call(now)

    # --- facts ------------------------------------------------------------------------------------------------

    def handle(self, event: e.Event, now: float) -> list[Command]:
        """One fact; the orders that follow from it. After the end every fact is nothing."""
        if self.ending.is_done:
            return []
        out = self._on[type(event)](self, event, now)
        out += self._follow_up(now)
        place = next((i for i, order in enumerate(out) if isinstance(order, Finish)), None)
        if place is not None:
            out[place:place] = self._last_lines(now)
        return out + moments.kept(out, self.speech.offset_ms(now)) if out else out

    def _caller_frame(self, event: e.CallerFrame, now: float) -> list[Command]:
        out: list[Command] = []
        silence = self.continuity.missing_before(event.timestamp_ms)
        for frame in silence:
            out += self.link.append(frame)
        if silence:
            gap = markers.media_gap_filled(gap_ms=len(silence) * PTIME_MS, frames=len(silence))
            out.append(Log(gap))
        self.caller_frames += 1
        self.caller_levels.frame(event.audio, event.timestamp_ms)
        return out + self.link.append(event.audio)

    def _dtmf(self, event: e.DtmfPressed, now: float) -> list[Command]:
        self.dtmf = (self.dtmf + event.digit)[-MAX_DIGITS:]
        moment = Record("moment", self.speech.offset_ms(now), {"what": "dtmf", "digit": event.digit})
        return [Log(markers.dtmf(digit=event.digit)), moment]

    def _mark(self, event: e.MarkEchoed, now: float) -> list[Command]:
        return self.speech.over(self.playout.mark_echoed(event.name, now), now)

    def _carrier_ended(self, event: e.CarrierEnded, now: float) -> list[Command]:
        is_caller = event.reason == "stop"
        reason = "caller_hangup" if is_caller else f"carrier_{event.reason}"
        return self.ending.carrier_ended(reason, is_intended=is_caller)

    def _connected(self, event: e.ModelConnected, now: float) -> list[Command]:
        return self.link.connected(event, now)

    def _greeted(self, event: e.ModelGreeted, now: float) -> list[Command]:
        return self.link.greeted(now)

    def _configured(self, event: e.ModelConfigured, now: float) -> list[Command]:
        became_ready, out = self.link.configured(event, self.speech.being_said(now), now)
        if became_ready:
            if not self._has_opened:
                self._has_opened = True
                self.requester.wish(spoken.opening(self.params))
        elif self.link.is_ready:
            out += self.prompt.echoed(now)
        return out

    def _model_lost(self, event: e.ModelLost, now: float) -> list[Command]:
        return self.link.lost(event, now)

    def _model_error(self, event: e.ModelError, now: float) -> list[Command]:
        if not event.is_fatal:
            if self.requester.rejected(event.ref, now):
                return [Log(markers.response_rejected(reason=f"{event.code} {event.message}"))]
            refused = self.prompt.refused(event.ref, event.code, now)
            if refused is not None:
                return refused
        return self.link.refused(event, now)

    def _created(self, event: e.ResponseCreated, now: float) -> list[Command]:
        return self.requester.created(event.response_id, event.ref, now)

    def _audio(self, event: e.ModelAudio, now: float) -> list[Command]:
        return self.speech.audio(event, now)

    def _audio_done(self, event: e.ModelAudioDone, now: float) -> list[Command]:
        return self.speech.item_done(event.item_id)

    def _text(self, event: e.ModelText, now: float) -> list[Command]:
        self.speech.text(event, now)
        return []

    def _text_done(self, event: e.ModelTextDone, now: float) -> list[Command]:
        self.speech.text_done(event, now)
        return []

    def _response_ended(self, event: e.ResponseEnded, now: float) -> list[Command]:
        self._spent(event.tokens)
        return self.answers.ended(event, now)

    def _spent(self, tokens: Mapping[str, int]) -> None:
        for kind, count in tokens.items():
            self.tokens[kind] = self.tokens.get(kind, 0) + count

    def _tool_done(self, event: e.ToolDone, now: float) -> list[Command]:
        return self.tools.done(event)

    def _speech_started(self, event: e.SpeechStarted, now: float) -> list[Command]:
        self.turns.speech_started(event, self.speech.offset_ms(now))
        return []

    def _transcript(self, event: e.Transcript, now: float) -> list[Command]:
        self._spent(event.tokens)
        self.link.transcribed()
        return self.turns.transcribed(event, self.speech.offset_ms(now))

    def _transcript_failed(self, event: e.TranscriptFailed, now: float) -> list[Command]:
        return self.turns.failed_to_transcribe(event, self.speech.offset_ms(now)) + self.link.transcript_failed()

    def _cut_ordered(self, event: e.CutOrdered, now: float) -> list[Command]:
        return self.speech.cut(event.reason, now, self.link.is_ready)

    def _end_ordered(self, event: e.EndOrdered, now: float) -> list[Command]:
        return self._end(event.reason, "goodbye", now)

    def _settled(self, event: e.HangupSettled, now: float) -> list[Command]:
        return self.ending.settled()

    def _drain(self, event: e.DrainStarted, now: float) -> list[Command]:
        return [] if self.ending.is_closing and not event.is_final else self.ending.hand_over("drain", 1001)

    def _nothing(self, event: e.Event, now: float) -> list[Command]:
        return []

    # --- what follows from the state, whatever came -----------------------------------------------------------

    def _follow_up(self, now: float) -> list[Command]:
        out: list[Command] = []
        if self.link.renewals != self._renewals:
            self._renewals = self.link.renewals
            out += self.answers.connection_lost()
        if self.link.is_dead and not self.ending.is_closing:
            is_static = self.link.dead_reason == "not_as_asked"  # what such a model says is noise
            out += self._end("model_failed", "apology", now, at_once=is_static)
        if self.ending.is_closing:
            return out + self.ending.tick(now)
        if self.link.is_ready and self.playout.is_free:
            if self.requester.next_purpose == "answer":
                out += self.prompt.start(now)  # the greeting never came to its end: no answer without the whole prompt
            if not self.prompt.holds_answer(now):
                out += self.requester.ask(now)
        return out

    def _tick(self, event: e.Tick, now: float) -> list[Command]:
        out = self.speech.over(self.playout.tick(now), now)
        out += self._seconds(now, TX_GRACE_S)
        is_quiet = self.playout.is_idle and not (self.requester.is_busy or self.tools.is_running)
        out += self.link.tick(now, is_quiet)
        if self.link.is_ready:
            out += self.prompt.tick(now)
        if not self.ending.is_closing:
            out += self.watch.stall(now) if self.link.is_ready else []
            out += self.watch.company(now)
            left_s = self._started_at + self.params.max_call_s - now
            out += self.watch.nearly_over(left_s) if left_s > 0 else self._end("max_call_s", "goodbye", now)
        if self.ending.needs_cut(now):
            out += self.speech.cut("end_of_call", now, self.link.is_ready)
        if now >= self._levels_at:
            self._levels_at = now + LEVELS_EVERY_S
            out += self._take_levels()
        return out

    def _end(self, reason: str, clip: str, now: float, at_once: bool = False) -> list[Command]:
        if self.ending.is_closing:
            return []
        self.requester.drop_pending()
        out = self.ending.end_with_words(reason, clip, self.params.clips[clip], now)
        if at_once:
            out += self.speech.cut(reason, now, self.link.is_ready)
        else:
            out += self.requester.give_up(now)[1] + self.speech.close_open()
        return out

    # --- the end ----------------------------------------------------------------------------------------------

    def _last_lines(self, now: float) -> list[Command]:
        """What was being heard when the line went, and how loud it all was to the end."""
        heard = []
        for utterance in list(self.playout.live()):
            utterance.heard_ms = utterance.heard_at(now)
            utterance.was_cut = True
            heard.append(utterance)
        self.caller_levels.finish()
        self.playout.levels.finish()
        return self.speech.over(heard, now) + self._take_levels()

    def _take_levels(self) -> list[Command]:
        out: list[Command] = []
        for track, levels in (("caller", self.caller_levels), ("agent", self.playout.levels)):
            start_ms, values = levels.take()
            if values:
                out.append(Record("levels", start_ms, {"track": track, "step_ms": 100, "dbov": values}))
        return out

    def metrics(self, now: float) -> Mapping[str, Any]:
        """All figures of the call, the audited names first; asked for once, at its end: it closes the open second."""
        self.playout.meter.second(now)
        return call_metrics(self, now - self._started_at)

    def reset(self) -> None:
        """F1: every flag and buffer of the call back to nothing."""
        self.requester.drop_pending()
        self.requester.link_lost()
        self.playout.reset()
        self.speech.reset()
        self.link.reset()
        self.turns.reset()
        self.tools.reset()
        self.dtmf = ""

    # --- TX ---------------------------------------------------------------------------------------------------

    def take(self, now: float) -> tuple[list[Out], list[Command]]:
        """TX's step: messages to write now, in order, and notes."""
        if self.ending.is_done:
            return [], []
        out, notes = self.speech.take(now)
        notes += self._seconds(now, 0.0)
        return out, notes + moments.kept(notes, self.speech.offset_ms(now)) if notes else notes

    def _seconds(self, now: float, grace_s: float) -> list[Command]:
        """A line for each second that has passed (A1: always). TX asks; where it hangs in a send, the tick does."""
        out: list[Command] = []
        while now >= self._second_at + grace_s and len(out) < MAX_SECONDS:
            second = self.playout.meter.second(min(now, self._second_at) if out else now)
            line = markers.tx_metrics(
                fps=second.fps,
                max_gap_ms=second.max_gap_ms,
                frames=second.frames,
                queued=self.playout.outlet.tx_frames,
                capacity=TX_CAPACITY_FRAMES,
            )
            out.append(Log(line))
            self._second_at += SECOND_S
        return out

    def tx_wait_s(self, now: float) -> float:
        """How long TX may sleep if nothing wakes it [s]."""
        if self.ending.is_done:  # frames may be left, and are never due again
            return SECOND_S
        wait = self.playout.wait_s(now)
        until_second = max(0.0, self._second_at - now)
        return until_second if wait is None else min(wait, until_second)

    _on: Final[Mapping[type[e.Event], Callable[["Session", Any, float], list[Command]]]] = {
        e.CallerFrame: _caller_frame,
        e.DtmfPressed: _dtmf,
        e.MarkEchoed: _mark,
        e.CarrierEnded: _carrier_ended,
        e.ModelConnected: _connected,
        e.ModelGreeted: _greeted,
        e.ModelConfigured: _configured,
        e.ModelLost: _model_lost,
        e.ModelError: _model_error,
        e.ResponseCreated: _created,
        e.ItemAdded: _nothing,
        e.ModelAudio: _audio,
        e.ModelAudioDone: _audio_done,
        e.ModelText: _text,
        e.ModelTextDone: _text_done,
        e.ResponseEnded: _response_ended,
        e.SpeechStarted: _speech_started,
        e.SpeechStopped: _nothing,
        e.TurnCommitted: _nothing,
        e.TranscriptPart: _nothing,
        e.Transcript: _transcript,
        e.TranscriptFailed: _transcript_failed,
        e.Tick: _tick,
        e.ToolDone: _tool_done,
        e.HangupSettled: _settled,
        e.DrainStarted: _drain,
        e.CutOrdered: _cut_ordered,
        e.EndOrdered: _end_ordered,
    }
