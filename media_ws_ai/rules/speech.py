"""The model's answers on their way to the ear: audio and text by item, the end of each, and the one cut.

`cut` is the only place that cancels, truncates and clears. It is called for reasons that are named and logged;
nothing in this file decides that a caller has interrupted.
"""

from collections.abc import Iterable
from typing import Final

from media_ws_ai import markers
from media_ws_ai.commands import Command, DeleteItem, Log, Record, TruncateItem, WakeTx
from media_ws_ai.events import ModelAudio, ModelText, ModelTextDone
from media_ws_ai.rules.history import History, Said
from media_ws_ai.rules.params import Clip
from media_ws_ai.rules.playout import Out, Playout, Utterance
from media_ws_ai.rules.refs import Refs
from media_ws_ai.rules.requester import Requester

MAX_TEXTS: Final = 32
"""Items whose text is kept while they wait or are heard; an answer has one or two."""

TRUNCATE_MARGIN_MS: Final = 85
"""The model's own count of an item's audio can be this much below ours: a longer truncation is refused."""


class Speech:
    """Feeds the play-out and keeps the book of what was said."""

    def __init__(self, playout: Playout, requester: Requester, history: History, refs: Refs, lang: str) -> None:
        self._playout = playout
        self._requester = requester
        self._history = history
        self._refs = refs
        self._lang = lang
        self._open: Utterance | None = None
        self._texts: dict[str, str] = {}
        self._started_at = 0.0
        self.first_sound_ms: int | None = None
        self.overruns = 0
        self.dropped_bytes = 0
        self.cuts = 0

    def begin_call(self, now: float) -> None:
        self._started_at = now

    def offset_ms(self, now: float) -> int:
        return int((now - self._started_at) * 1000)

    def reset(self) -> None:
        """No text is kept, nothing grows."""
        self._texts.clear()
        self._open = None

    # --- from the model ---------------------------------------------------------------------------------------

    def audio(self, event: ModelAudio, now: float) -> list[Command]:
        """Never waits: what has no room ends the response, and is counted."""
        if not self._requester.progress(event.response_id, now, is_audio=True):
            return []
        utterance = self._open
        if utterance is None or utterance.is_closed or utterance.item_id != event.item_id:
            utterance = self._open = self._playout.begin("model", event.response_id, event.item_id)
        was_dry = not self._playout.outlet.tx_frames
        if self._playout.feed(utterance, event.audio):
            return [WakeTx()] if was_dry else []
        self.overruns += 1
        self.dropped_bytes += len(event.audio)
        self._playout.finish(utterance)
        queued_ms = round(self._playout.remaining_s() * 1000)
        line = markers.backlog_full(queued_ms=queued_ms, dropped_ms=len(event.audio) // 8)
        return [Log(line), *self._requester.give_up(now)[1], WakeTx()]

    def text(self, event: ModelText, now: float) -> None:
        if self._requester.progress(event.response_id, now):
            self._keep_text(event.item_id, self._texts.get(event.item_id, "") + event.text)

    def text_done(self, event: ModelTextDone, now: float) -> None:
        """The whole text of an item; of an answer that was given up, only where its beginning is known."""
        if self._requester.progress(event.response_id, now) or event.item_id in self._texts:
            self._keep_text(event.item_id, event.text)

    def _keep_text(self, item_id: str, text: str) -> None:
        if item_id not in self._texts and len(self._texts) >= MAX_TEXTS:
            self._texts.pop(next(iter(self._texts)))
        self._texts[item_id] = text

    def item_done(self, item_id: str) -> list[Command]:
        """No more audio of this item."""
        if self._open is None or self._open.item_id != item_id:
            return []
        return self.close_open()

    def close_open(self) -> list[Command]:
        """Whatever was still growing is complete now."""
        if self._open is None:
            return []
        self._playout.finish(self._open)
        self._open = None
        return [WakeTx()]

    def say_clip(self, name: str, clip: Clip) -> list[Command]:
        """A clip of ours, behind whatever waits."""
        self._open = None
        utterance = self._playout.say(name, clip.audio, clip.text)
        return [Log(markers.clip_playing(name=name, lang=self._lang, frames=utterance.frames)), WakeTx()]

    def being_said(self, now: float) -> tuple[Said, ...]:
        """Texts that are being heard or wait to be: no lines of the history yet."""
        texts = [(u, self._texts.get(u.item_id, u.text)) for u in self._playout.live()]
        return tuple(Said("assistant", text, self.offset_ms(u.first_at or now)) for u, text in texts if text)

    # --- to the ear -------------------------------------------------------------------------------------------

    def take(self, now: float) -> tuple[list[Out], list[Command]]:
        """TX's step: what must be written now, and what is to be noted about it."""
        waiting = next((u for u in self._playout.live() if u.first_at is None), None)
        out = self._playout.take(now, self.offset_ms(now))
        if waiting is None or waiting.first_at is None:
            return out, []
        notes: list[Command] = []
        if waiting.response_id:
            notes.append(Log(markers.ai_starting(response_id=waiting.response_id)))
        if self.first_sound_ms is None:
            self.first_sound_ms = self.offset_ms(now)
            source = "model" if waiting.source == "model" else "clip"
            notes.append(Log(markers.first_sound(after_ms=self.first_sound_ms, source=source)))
        return out, notes

    def over(self, utterances: Iterable[Utterance], now: float) -> list[Command]:
        """These have been heard to their end, or were cut: they become lines of the conversation."""
        out: list[Command] = []
        for utterance in utterances:
            utterance.text = self._texts.pop(utterance.item_id, utterance.text)
            text = utterance.text_heard()
            if not utterance.sent_frames:
                continue
            started_ms = self.offset_ms(utterance.first_at if utterance.first_at is not None else now)
            payload = {
                "text": text,
                "source": utterance.source,
                "response_id": utterance.response_id,
                "generated_ms": utterance.generated_ms,
                "heard_ms": utterance.heard_ms or 0,
                "cut": utterance.was_cut,
            }
            out.append(Record("agent_line", started_ms, payload))
            if text:
                self._history.add("assistant", text, started_ms)
                out.append(Log(markers.agent_said(text=text)))
        return out

    # --- the cut ----------------------------------------------------------------------------------------------

    def cut(self, reason: str, now: float, is_model_there: bool) -> list[Command]:
        """Stop what is being heard and all that waits behind it, and let the model know what was heard."""
        if self._playout.is_idle and not self._requester.is_busy:
            return []
        self.cuts += 1
        out: list[Command] = [Log(markers.cut(reason=reason))]
        out += self._requester.give_up(now)[1]
        flushed, cut = self._playout.flush(now)
        self._open = None
        out.append(WakeTx())
        out.append(
            Log(
                markers.cut_flush(
                    model_flushed=flushed.openai_flushed,
                    model_held=flushed.openai_held,
                    tx_flushed=flushed.tx_flushed,
                    tx_held=flushed.tx_held,
                )
            )
        )
        for utterance in cut:
            out.append(
                Log(
                    markers.utterance_cut(
                        utterance=utterance.id,
                        generated_ms=utterance.generated_ms,
                        sent_ms=utterance.sent_ms,
                        heard_ms=utterance.heard_ms or 0,
                    )
                )
            )
            if is_model_there and utterance.item_id:
                out.append(self._correct(utterance))
        return out + self.over(cut, now)

    def _correct(self, utterance: Utterance) -> Command:
        heard_ms = utterance.heard_ms or 0
        if heard_ms == 0:
            return DeleteItem(self._refs("delete"), utterance.item_id)
        limit = max(0, utterance.generated_ms - TRUNCATE_MARGIN_MS)
        return TruncateItem(self._refs("truncate"), utterance.item_id, min(heard_ms, limit))
