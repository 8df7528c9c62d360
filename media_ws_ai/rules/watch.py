"""What time does to a call: the first sound is due, the model stalls, the longest permitted call is nearly over.

Each look is cheap and changes nothing unless its moment has come.
"""

from typing import Final

from media_ws_ai import markers
from media_ws_ai.commands import AddText, Command, Log
from media_ws_ai.rules import spoken
from media_ws_ai.rules.link import Link
from media_ws_ai.rules.params import CallParams
from media_ws_ai.rules.playout import HOLD, Playout
from media_ws_ai.rules.refs import Refs
from media_ws_ai.rules.requester import Requester
from media_ws_ai.rules.speech import Speech

WARN_BEFORE_END_S: Final = 60.0
STALLS_BEFORE_RENEWAL: Final = 2
COMPANY_S: Final = 3.5
"""An answer takes 1 to 2 s; twice that without a sound, and the caller asks whether anybody is there."""


class Watch:
    """The patience of one call."""

    def __init__(
        self,
        params: CallParams,
        refs: Refs,
        playout: Playout,
        requester: Requester,
        speech: Speech,
        link: Link,
        started_at: float,
    ) -> None:
        self._p = params
        self._refs = refs
        self._playout = playout
        self._requester = requester
        self._speech = speech
        self._link = link
        self._waits_since: float | None = started_at
        self._has_warned = False
        self.stalls = 0

    def company(self, now: float) -> list[Command]:
        """The caller waits for us and hears nothing: a clip asks them to hold on, and again after a while.

        Waiting is: an answer is owed, or there is no model. The first sound is due sooner than the ones after it.
        """
        is_owed = self._requester.is_busy or self._requester.has_pending or not self._link.is_ready
        if not is_owed or not self._playout.is_idle:
            self._waits_since = None
            return []
        if self._waits_since is None:
            self._waits_since = now
        patience_s = COMPANY_S if self._speech.first_sound_ms is not None else self._p.first_sound_s
        if now - self._waits_since < patience_s:
            return []
        self._waits_since = None
        return self._speech.say_clip(HOLD, self._p.clips[HOLD])

    def stall(self, now: float) -> list[Command]:
        """Nothing of an answer for 4 s after it was asked for, and nothing left to play: cancel, once more, renew."""
        silent_s = self._requester.stalled_s(now)
        is_dry = not (self._requester.has_audio and self._playout.outlet.tx_frames)
        if not self._requester.is_useless and not (silent_s >= self._p.stall_s and is_dry):
            return []
        self.stalls += 1
        line = markers.model_stall(phase=self._requester.phase, silent_ms=round(silent_s * 1000))
        had_audio = self._requester.has_audio
        wish, orders = self._requester.give_up(now)
        out: list[Command] = [Log(line), *orders, *self._speech.close_open()]
        if wish is None:
            return out + self._link.renew("refusals", now)
        self._requester.again(spoken.go_on(wish, self._p.language) if had_audio else wish)
        if wish.tries + 1 >= STALLS_BEFORE_RENEWAL:
            out += self._link.renew("stall", now)
        return out

    def nearly_over(self, left_s: float) -> list[Command]:
        """A minute before the limit the model is told, once."""
        if left_s > WARN_BEFORE_END_S or self._has_warned or not self._link.is_ready:
            return []
        self._has_warned = True
        text = spoken.nearly_over(self._p.language)
        return [
            Log(markers.call_limit_near(left_s=round(left_s))),
            Log(markers.system_message(text=text)),
            AddText(self._refs("line"), "system", text),
        ]
