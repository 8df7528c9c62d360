"""Transcripts of the caller: late, in pieces, failed, empty, out of order or during speech, apart from the response.

It turns an utterance that was committed into events at their times; which words, the director has said.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from media_ws_ai.peers.model import usage
from media_ws_ai.peers.model.director import Heard
from media_ws_ai.peers.model.scenario import Hearing

Emit = Callable[..., None]

_EVENT: Final = "conversation.item.input_audio_transcription."
DELTAS_BEGIN: Final = 0.5
"""Deltas are spread over this last share of the delay."""

HELD_AT_MOST_S: Final = 10.0
"""An out-of-order transcript waits this long for the next utterance."""


class Transcriber:
    """One session's ASR. Its model and options are those of the session at the time of the commit."""

    def __init__(self, emit: Emit, rng: random.Random, later: Callable[[float, Callable[[], None]], Any]) -> None:
        """Args: later: call a function after so many milliseconds of the scenario's time."""
        self._emit = emit
        self._rng = rng
        self._later = later
        self._sent_words: dict[str, int] = {}
        self._held: list[Callable[[], None]] = []

    def partial(self, item_id: str, words: list[str]) -> None:
        """While the caller still speaks: the words understood so far."""
        sent = self._sent_words.get(item_id, 0)
        for word in words[sent:]:
            self._delta(item_id, word if sent == 0 else f" {word}")
            sent += 1
        self._sent_words[item_id] = sent

    def commit(self, item_id: str, heard: Heard, audio_ms: float, options: dict[str, Any], logprobs: bool) -> None:
        """An item was committed: schedule what comes of it."""
        hearing, model = heard.hearing, str(options.get("model") or "")
        if hearing.result == "never":
            return
        low, high = hearing.delay_ms[0], hearing.delay_ms[-1]
        delay_ms = self._rng.uniform(low, high)
        if model in hearing.fail_models:
            self._later(delay_ms, lambda: self._fail(item_id, "DeploymentNotFound"))
            return
        if heard.failed:
            self._later(delay_ms, lambda: self._fail(item_id, hearing.code))
            return
        pieces = _pieces(heard.text, hearing, self._sent_words.pop(item_id, 0))
        for n, piece in enumerate(pieces):
            share = DELTAS_BEGIN + (1 - DELTAS_BEGIN) * n / len(pieces)
            self._later(delay_ms * share, lambda piece=piece: self._delta(item_id, piece))  # type: ignore[misc]
        self._later(delay_ms, lambda: self._done(item_id, heard, audio_ms, model, logprobs))

    def _done(self, item_id: str, heard: Heard, audio_ms: float, model: str, logprobs: bool) -> None:
        def completed() -> None:
            fields: dict[str, Any] = {"transcript": heard.text, "usage": _usage(heard.text, audio_ms, model)}
            if logprobs:
                fields["logprobs"] = [_logprob(word) for word in heard.text.split()]
            self._emit(_EVENT + "completed", item_id=item_id, content_index=0, **fields)

        if heard.hearing.after_next:
            self._held.append(completed)
            asyncio.get_running_loop().call_later(HELD_AT_MOST_S, self._release, completed)
            return
        completed()
        for held in list(self._held):
            self._release(held)

    def _release(self, held: Callable[[], None]) -> None:
        if held in self._held:
            self._held.remove(held)
            held()

    def empty(self, item_id: str) -> None:
        """The item of an idle timeout: no words, no cost."""
        usage_none = {"type": "duration", "seconds": 0.0}
        self._emit(_EVENT + "completed", item_id=item_id, content_index=0, transcript="", usage=usage_none)

    def _delta(self, item_id: str, text: str) -> None:
        self._emit(_EVENT + "delta", item_id=item_id, content_index=0, delta=text)

    def _fail(self, item_id: str, code: str) -> None:
        self._sent_words.pop(item_id, None)
        error = {
            "type": "transcription_error",
            "code": code,
            "message": f"Input transcription failed for item '{item_id}'.",
            "param": None,
        }
        self._emit(_EVENT + "failed", item_id=item_id, content_index=0, error=error)


def _pieces(text: str, hearing: Hearing, already: int) -> list[str]:
    if hearing.deltas == "none" or not text:
        return []
    if hearing.deltas == "whole" and not already:
        return [text]
    words = text.split()
    return [word if n == 0 else f" {word}" for n, word in enumerate(words)][already:]


def _usage(text: str, audio_ms: float, model: str) -> dict[str, Any]:
    """By duration for the models billed so, by tokens for the others."""
    if model.startswith("gpt-4o"):
        audio, out = usage.caller_tokens(audio_ms), usage.text_tokens(text)
        details = {"audio_tokens": audio, "text_tokens": 0}
        tokens = {"input_tokens": audio, "output_tokens": out, "total_tokens": audio + out}
        return {"type": "tokens", **tokens, "input_token_details": details}
    return {"type": "duration", "seconds": round(audio_ms / 1000, 2)}


def _logprob(word: str) -> dict[str, Any]:
    return {"token": word, "logprob": -0.05, "bytes": list(word.encode())}
