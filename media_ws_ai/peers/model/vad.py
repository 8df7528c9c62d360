"""Server VAD: energy in hops of 32 ms of appended audio; where speech starts and stops.

Time here is audio, not the clock: nothing moves while nothing is appended.
"""

from dataclasses import dataclass
from typing import Final, Literal

from media_ws_ai.audio.frame import BYTES_PER_MS
from media_ws_ai.peers.model import g711

HOP_MS: Final = 32
HOP_BYTES: Final = HOP_MS * BYTES_PER_MS
START_HOPS: Final = 3
"""Loud hops in a row that make a start: two clicks are no speech."""

RMS_AT_FULL_THRESHOLD: Final = 1200
"""`threshold` 1.0 asks for this RMS level (of 32,767); the usual 0.5 for 600, well above a quiet line."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Speech `started` or `stopped`; `at_ms` counts all audio appended in this session, on the 32 ms grid
    (for a start: before prefix padding is taken off)."""

    kind: Literal["started", "stopped"]
    at_ms: int


class EnergyVad:
    """One session's detector. `feed` takes μ-law of any length and answers with the edges in it."""

    def __init__(self, threshold: float = 0.5, silence_ms: int = 500) -> None:
        self.speaking = False
        self._rest = b""
        self._hops = 0
        self._loud_run = 0
        self._quiet_ms = 0
        self._power = 0.0
        self._silence_ms = silence_ms
        self.configure(threshold, silence_ms)

    @property
    def heard_ms(self) -> int:
        """Audio judged so far [ms], whole hops."""
        return self._hops * HOP_MS

    def configure(self, threshold: float, silence_ms: int) -> None:
        """New parameters, effective from the next hop."""
        self._power = (threshold * RMS_AT_FULL_THRESHOLD) ** 2
        self._silence_ms = silence_ms

    def forget(self) -> None:
        """The buffer was cleared or committed by hand: no speech is under way. Time goes on."""
        self.speaking = False
        self._loud_run = self._quiet_ms = 0

    def feed(self, ulaw: bytes) -> list[Edge]:
        """Judge audio in order of arrival; mostly no edge."""
        data = self._rest + ulaw if self._rest else ulaw
        edges: list[Edge] = []
        whole = len(data) - len(data) % HOP_BYTES
        for at in range(0, whole, HOP_BYTES):
            edge = self._hop(data[at : at + HOP_BYTES])
            if edge is not None:
                edges.append(edge)
        self._rest = data[whole:]
        return edges

    def _hop(self, hop: bytes) -> Edge | None:
        loud = g711.power(hop) >= self._power
        self._hops += 1
        if not self.speaking:
            self._loud_run = self._loud_run + 1 if loud else 0
            if self._loud_run < START_HOPS:
                return None
            self.speaking, self._quiet_ms = True, 0
            return Edge("started", self.heard_ms - START_HOPS * HOP_MS)
        self._quiet_ms = 0 if loud else self._quiet_ms + HOP_MS
        if self._quiet_ms < self._silence_ms:
            return None
        self.speaking, self._loud_run = False, 0
        return Edge("stopped", self.heard_ms)
