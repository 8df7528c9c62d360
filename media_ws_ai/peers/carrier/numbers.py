"""Numbered audio as it arrived: lost, doubled and reordered frames per (session, utterance).

Fed with payloads in order of arrival. What was cut off at the end of an utterance cannot be seen from here (no one
tells the carrier how long an answer is): `last` against the sender's own count shows it.
"""

from dataclasses import dataclass, field

from media_ws_ai.audio.frame import FRAME_BYTES
from media_ws_ai.peers.numbered import MAGIC, read

Key = tuple[int, int]


@dataclass(slots=True)
class Tally:
    """The frames of one (session, utterance)."""

    seen: set[int] = field(default_factory=set)
    first: int = -1
    last: int = -1
    highest: int = -1
    arrived: int = 0
    doubled: int = 0
    reordered: int = 0

    def add(self, index: int) -> None:
        """Count one frame."""
        self.arrived += 1
        if self.first < 0:
            self.first = index
        if index in self.seen:
            self.doubled += 1
        elif index < self.highest:
            self.reordered += 1
        self.seen.add(index)
        self.highest = max(self.highest, index)
        self.last = index

    @property
    def lost(self) -> int:
        """Indices from 0 to the highest that never came."""
        return self.highest + 1 - len(self.seen)


@dataclass(slots=True)
class Numbers:
    """All numbered audio of a call. `shifted` counts numbers found elsewhere than at a frame's beginning."""

    tallies: dict[Key, Tally] = field(default_factory=dict)
    shifted: int = 0

    def add(self, payload: bytes) -> Key | None:
        """Count the frames of a payload; the key of its first numbered one."""
        at = payload.find(MAGIC)
        key: Key | None = None
        while at >= 0:
            found = read(payload[at : at + FRAME_BYTES])
            if found is not None and (at % FRAME_BYTES == 0 or self.tallies):
                session, utterance, index = found
                self.shifted += at % FRAME_BYTES != 0
                key = key or (session, utterance)
                self.tallies.setdefault((session, utterance), Tally()).add(index)
                at += FRAME_BYTES - 1
            at = payload.find(MAGIC, at + 1)
        return key

    def figures(self) -> dict[str, object]:
        """Sums over the call, and one row per utterance."""
        rows = [
            {
                "session": session, "utterance": utterance, "frames": tally.arrived, "first": tally.first,
                "last": tally.last, "highest": tally.highest,
                "lost": tally.lost, "doubled": tally.doubled, "reordered": tally.reordered,
            }
            for (session, utterance), tally in self.tallies.items()
        ]  # fmt: skip
        total = {
            name: sum(getattr(tally, source) for tally in self.tallies.values())
            for name, source in (
                ("frames", "arrived"), ("lost", "lost"), ("doubled", "doubled"), ("reordered", "reordered"),
            )
        }  # fmt: skip
        return {**total, "shifted": self.shifted, "utterances": rows}
