"""What the carrier has played, told by its echoes of our marks.

A mark's name is `<epoch>.<utterance>.<ms of that utterance before it>`, with `.end` on the last. The epoch is the
flush generation: `clear` makes the carrier echo everything it throws away, and the old epoch tells those apart from
audio that was heard. A mark that was passed over, or still out when its utterance counts as over, is lost; an echo
that comes for such a mark is late.
"""

from collections import deque
from typing import Final, NamedTuple

EVERY_MS: Final = 200
"""One mark per delta has delayed audio in the field, one per answer cannot tell what was heard."""

MAX_OUT: Final = 1000
"""Marks on their way: 200 s of audio. Twilio answers in one round trip; more means that it never will."""


class Echo(NamedTuple):
    """A valid echo: so many ms of this utterance have been played."""

    utterance: int
    played_ms: int
    is_end: bool


class Marks:
    """Names marks, matches their echoes, counts what went wrong with them."""

    def __init__(self) -> None:
        self.epoch = 0
        self._out: deque[tuple[str, Echo]] = deque()
        self.sent = 0
        self.echoed = 0
        self.lost = 0
        self.late = 0
        self.cleared = 0
        self.foreign = 0

    def name(self, utterance: int, sent_ms: int, is_end: bool) -> str:
        """A new mark, to be written to the wire at once."""
        name = f"{self.epoch}.{utterance}.{sent_ms}" + (".end" if is_end else "")
        if len(self._out) >= MAX_OUT:
            self._out.popleft()
            self.lost += 1
        self._out.append((name, Echo(utterance, sent_ms, is_end)))
        self.sent += 1
        return name

    def echo(self, name: str) -> Echo | None:
        """Match an echo; None when it says nothing about what was heard."""
        epoch, _, rest = name.partition(".")
        if not (epoch.isascii() and epoch.isdigit() and rest):
            self.foreign += 1
            return None
        if epoch != str(self.epoch):
            self.cleared += 1
            return None
        place = next((i for i, (out, _) in enumerate(self._out) if out == name), None)
        if place is None:
            self.late += 1
            return None
        for _ in range(place):
            self._out.popleft()
            self.lost += 1
        self.echoed += 1
        return self._out.popleft()[1]

    def give_up(self, utterance: int) -> None:
        """The utterance counts as over: its marks that are still out are lost."""
        while self._out and self._out[0][1].utterance <= utterance:
            self._out.popleft()
            self.lost += 1

    def raise_epoch(self) -> None:
        """After a flush nothing of the old epoch counts; marks that are out come back as cleared."""
        self.epoch += 1
        self._out.clear()
