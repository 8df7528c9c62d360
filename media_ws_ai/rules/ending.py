"""How a call ends: words first, then the carrier is asked, then we close. Whatever ended it, one reason is kept.

OPEN ──end_with_words──▶ LEAVING ─line quiet, or 5 s─▶ WORDS ─heard, or audio + 2 s─▶ HANGING ─settled─▶ DONE
  └──carrier ended · handover ───────────────────────────────────────────────────────────────────────▶ DONE
"""

from enum import StrEnum
from typing import Final

from media_ws_ai import markers
from media_ws_ai.commands import Command, Finish, HangUp, Log, WakeTx
from media_ws_ai.rules.params import Clip
from media_ws_ai.rules.playout import Playout, Utterance

LEAVE_S: Final = 5.0
"""How long a sentence that is being heard may go on before the closing words cut it."""

WORDS_GRACE_S: Final = 2.0
SETTLE_S: Final = 5.0
"""REST has 3 s, recording the intent 1 s; after this the stream is closed, which ends the call by its own road."""


class Stage(StrEnum):
    OPEN = "open"
    LEAVING = "leaving"
    WORDS = "words"
    HANGING = "hanging"
    DONE = "done"


class Ending:
    """One call's end; `is_closing` stops new answers."""

    def __init__(self, playout: Playout, lang: str) -> None:
        self._playout = playout
        self._lang = lang
        self._words: Utterance | None = None
        self._clip_name = ""
        self._clip: Clip | None = None
        self._until = 0.0
        self.reason = ""
        self.stage = Stage.OPEN

    @property
    def is_closing(self) -> bool:
        return self.stage is not Stage.OPEN

    @property
    def is_done(self) -> bool:
        return self.stage is Stage.DONE

    def end_with_words(self, reason: str, name: str, clip: Clip, now: float) -> list[Command]:
        """Say `clip`, once what is being heard has been heard, then hang up. The first reason stands."""
        if self.is_closing:
            return []
        self.reason, self._clip_name, self._clip = reason, name, clip
        self.stage = Stage.LEAVING
        self._until = now + LEAVE_S
        return [Log(markers.hangup_words(reason=reason))]

    def carrier_ended(self, reason: str, is_intended: bool) -> list[Command]:
        """The other side is gone. A hang-up of ours that was under way keeps its reason and its intent."""
        if self.is_done:
            return []
        was_ours = self.is_closing
        self.reason = self.reason or reason
        self.stage = Stage.DONE
        return [Finish(self.reason, is_intended=is_intended or was_ours)]

    def hand_over(self, reason: str, code: int) -> list[Command]:
        """Close without an end: the carrier asks us, or another worker, how to go on."""
        if self.is_done:
            return []
        was_ours = self.is_closing
        self.reason = self.reason or reason
        self.stage = Stage.DONE
        return [Finish(self.reason, code, is_intended=was_ours)]

    def needs_cut(self, now: float) -> bool:
        """The sentence being heard takes longer than the end can wait."""
        return self.stage is Stage.LEAVING and not self._playout.is_idle and now >= self._until

    def tick(self, now: float) -> list[Command]:
        if self.stage is Stage.LEAVING and self._playout.is_idle:
            return self._say(now)
        if self.stage is Stage.WORDS and (self._are_words_heard() or now >= self._until):
            self.stage = Stage.HANGING
            self._until = now + SETTLE_S
            return [Log(markers.hangup(reason=self.reason)), HangUp(self.reason)]
        if now >= self._until:
            return self.settled()
        return []

    def _are_words_heard(self) -> bool:
        return self._words is None or self._words.heard_ms is not None

    def _say(self, now: float) -> list[Command]:
        clip = self._clip
        assert clip is not None
        self._words = self._playout.say(self._clip_name, clip.audio, clip.text)
        self.stage = Stage.WORDS
        self._until = now + self._playout.remaining_s() + WORDS_GRACE_S
        line = markers.clip_playing(name=self._clip_name, lang=self._lang, frames=self._words.frames)
        return [Log(line), WakeTx()]

    def settled(self) -> list[Command]:
        """The carrier was asked to end the call, or could not be: close."""
        if self.stage is not Stage.HANGING:
            return []
        self.stage = Stage.DONE
        return [Finish(self.reason)]
