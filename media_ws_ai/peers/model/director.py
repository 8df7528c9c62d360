"""Which reply is due: one session's memory of the scenario. It chooses; it sends nothing and waits for nothing."""

import re
from dataclasses import dataclass

from media_ws_ai.peers.model.heard import Utterance
from media_ws_ai.peers.model.scenario import Hearing, Reply, Scenario, Turn


@dataclass(frozen=True, slots=True)
class Choice:
    """A reply and the place it comes from (`greeting`, `turn:3`, `default`, …), which says what is answered."""

    place: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Heard:
    """What becomes of an utterance: its text, how it is transcribed, and whether it is a failure for all to see."""

    text: str
    hearing: Hearing
    failed: bool


class Director:
    """Chooses by what was heard last; an unfinished answer is tried again, with the place's next reply."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.script = scenario.script("")
        self._language = ""
        self._uses: dict[int, int] = {}
        self._attempts: dict[str, int] = {}
        self._utterances = 0
        self._order = 0
        self._pending: str | None = None
        self._heard_since = False
        self._last: Choice | None = None
        self._then: Reply | None = None
        self._answered_once = False

    def speak(self, language: str) -> None:
        """Use the script of this language from now on."""
        if language != self._language:
            self._language = language
            self.script = self._scenario.script(language)

    # -- what was heard -------------------------------------------------------------------------------

    def heard(self, utterance: Utterance) -> Heard:
        """An utterance ended: choose its turn now, its transcript by that turn."""
        self._utterances += 1
        index = self._match(utterance.clip, utterance.text, self._utterances)
        turn = self.script.turns[index] if index is not None else None
        hearing = (turn.hear if turn else None) or self._scenario.hearing
        text = hearing.text if hearing.text is not None else utterance.text
        unknown = hearing.text is None and utterance.clip is None
        self._expect(index)
        return Heard(text, hearing, hearing.result == "failed" or (unknown and hearing.unknown == "failed"))

    def read(self, text: str) -> None:
        """The caller's words came as a text item."""
        self._expect(self._match(None, text, 0))

    def _expect(self, index: int | None) -> None:
        if index is not None:
            self._uses[index] = self._uses.get(index, 0) + 1
        self._pending = "default" if index is None else f"turn:{index}"
        self._heard_since = True

    def _match(self, clip: str | None, text: str, number: int) -> int | None:
        turns = self.script.turns
        usable = [n for n, turn in enumerate(turns) if turn.times is None or self._uses.get(n, 0) < turn.times]
        for tells in (
            lambda turn: clip is not None and clip in turn.clip,
            lambda turn: turn.nth is not None and turn.nth == number,
            lambda turn: bool(turn.regex and text and re.search(turn.regex, text)),
        ):
            for n in usable:
                if tells(turns[n]):
                    return n
        return self._next_in_order(bool(clip or text))

    def _next_in_order(self, has_words: bool) -> int | None:
        for n in range(self._order, len(self.script.turns)):
            turn = self.script.turns[n]
            if turn.in_order:
                if not has_words and not (turn.hear and turn.hear.text is not None):
                    return None
                self._order = n + 1
                return n
        return None

    # -- what is answered -----------------------------------------------------------------------------

    def choose(self, instructions: str, tools: list[str], has_history: bool) -> Choice:
        """The reply for a response that is about to begin.

        Args:
            instructions: those of the request, not of the session.
            tools: names of the functions whose output arrived since the last response.
            has_history: the conversation already holds items.
        """
        place, replies = self._place(instructions, tools, has_history)
        attempt = self._attempts.get(place, 0)
        self._attempts[place] = attempt + 1
        self._last = Choice(place, replies[min(attempt, len(replies) - 1)])
        self._pending, self._answered_once, self._heard_since = place, True, False
        return self._last

    def _place(self, instructions: str, tools: list[str], has_history: bool) -> tuple[str, tuple[Reply, ...]]:
        for n, turn in enumerate(self.script.turns):
            if turn.instructions and instructions and re.search(turn.instructions, instructions):
                return f"turn:{n}", turn.reply
        if tools and self._then is not None:
            return f"then:{tools[-1]}", (self._then,)
        for n, turn in enumerate(self.script.turns):
            if turn.on_tool and turn.on_tool in tools:
                return f"turn:{n}", turn.reply
        if self._pending is not None:
            return self._pending, self._replies(self._pending)
        if not self._answered_once and not has_history:
            return "greeting", self.script.greeting
        if not self._answered_once and self.script.resumed:
            return "resumed", self.script.resumed
        return "default", self.script.default

    def _replies(self, place: str) -> tuple[Reply, ...]:
        kind, _, number = place.partition(":")
        if kind == "turn":
            turn: Turn = self.script.turns[int(number)]
            return turn.reply
        if kind == "then":
            return (self._then,) if self._then else self.script.default
        return {"greeting": self.script.greeting, "resumed": self.script.resumed}.get(kind) or self.script.default

    def finished(self, choice: Choice, status: str) -> None:
        """The response ended. Completed: it is answered; otherwise the next request tries the same place again."""
        if status == "completed":
            if not self._heard_since:
                self._pending = None
            self._then = choice.reply.then if choice.reply.calls else None
