"""What becomes of a response: heard, failed, empty, lost with its connection. No wish is lost.

ended: completed ─▶ served        failed ─▶ again after a moment; the third time on a new connection
       nothing in it ─▶ again, once         connection lost ─▶ again on the next
Where part of the answer was already heard, "again" means: go on from there.
"""

from typing import Final

from media_ws_ai import markers
from media_ws_ai.commands import Command, Log
from media_ws_ai.events import ModelError, ResponseEnded
from media_ws_ai.rules import spoken
from media_ws_ai.rules.link import Link
from media_ws_ai.rules.playout import Playout
from media_ws_ai.rules.prompts import PromptUpgrade
from media_ws_ai.rules.requester import AGAIN_S, Requester, Wish
from media_ws_ai.rules.speech import Speech
from media_ws_ai.rules.tools import ToolCalls

FAILED_TRIES: Final = 2


class Answers:
    """One call's responses, from the moment they end."""

    def __init__(
        self,
        language: str,
        requester: Requester,
        speech: Speech,
        playout: Playout,
        link: Link,
        prompt: PromptUpgrade,
        tools: ToolCalls,
    ) -> None:
        self._language = language
        self._requester = requester
        self._speech = speech
        self._playout = playout
        self._link = link
        self._prompt = prompt
        self._tools = tools
        self.empty = 0

    def ended(self, event: ResponseEnded, now: float) -> list[Command]:
        """A response is over, whatever it was."""
        had_audio = self._requester.has_audio
        wish, out = self._requester.ended(event.response_id, event.ref, now)
        if event.status == "cancelled":
            out.append(Log(markers.response_cancelled(reason=event.reason)))
            if event.reason == "turn_detected":
                out.append(Log(markers.turn_detected_violation()))
        if wish is None:
            return out
        newest = self._playout.newest
        audio_ms = newest.generated_ms if newest and newest.response_id == event.response_id else 0
        out += self._speech.close_open()
        out.append(Log(markers.response_done(response_id=event.response_id, status=event.status, audio_ms=audio_ms)))
        if event.status == "failed":
            return out + self._failed(event, self._rest_of(wish, had_audio), now)
        if event.calls and event.status != "cancelled":
            out += self._tools.called(event.calls, is_whole=event.status == "completed")
        elif not had_audio and event.status != "cancelled" and not wish.tries:
            self.empty += 1
            self._requester.again(wish, now + AGAIN_S)
        return out + self._prompt.start(now)

    def _failed(self, event: ResponseEnded, wish: Wish, now: float) -> list[Command]:
        error = ModelError(event.code or "failed", "the response failed", None, event.is_hopeless)
        self._requester.again(wish, now + AGAIN_S)
        renewals = self._link.renewals
        out = self._link.refused(error, now)
        if wish.tries >= FAILED_TRIES and self._link.is_ready and self._link.renewals == renewals:
            out += self._link.renew("responses_fail", now)
        return out

    def connection_lost(self) -> list[Command]:
        """What was under way on a connection that is gone is asked for again on the next."""
        had_audio = self._requester.has_audio
        wish = self._requester.link_lost()
        if wish is not None:
            self._requester.again(self._rest_of(wish, had_audio))
        return self._speech.close_open()

    def _rest_of(self, wish: Wish, had_audio: bool) -> Wish:
        return spoken.go_on(wish, self._language) if had_audio else wish
