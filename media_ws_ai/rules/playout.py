"""What the caller hears of us, and when: utterances, their ledger, and the order of everything written to the line.

    begin → feed … finish        take (by TX, one tick)         echo / tick
    model audio, clips ──▶ outlet ──▶ media · mark · clear ──▶ carrier ──▶ heard ──▶ AgentEnded

There is no lead: a frame leaves when it is due. "The agent speaks" runs from the first frame sent to the end of
play-out: the echo of the end mark, or 600 ms after the last frame, whichever comes first.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from media_ws_ai.audio.frame import BYTES_PER_MS, FRAME_SEC, PTIME_MS
from media_ws_ai.audio.levels import Levels
from media_ws_ai.audio.meter import Meter
from media_ws_ai.audio.outlet import Flushed, Outlet
from media_ws_ai.audio.pacing import Pacer
from media_ws_ai.rules.marks import EVERY_MS, Marks

HOLD: Final = "hold"
"""The clip that asks the caller to hold on."""

END_WAIT_S: Final = 0.600
"""How long after the last frame the end mark's echo may take before play-out counts as over all the same."""


class Out(NamedTuple):
    """One message for the carrier. `kind`: media (audio), mark (name), clear."""

    kind: str
    audio: bytes = b""
    name: str = ""


CLEAR: Final = Out("clear")


@dataclass(slots=True)
class Utterance:
    """The heard-ledger of one stretch of agent speech. Times in monotonic seconds, amounts in ms of audio."""

    id: int
    source: str
    """`model`, or the name of a clip."""
    response_id: str = ""
    item_id: str = ""
    text: str = ""
    generated_bytes: int = 0
    frames: int = 0
    sent_frames: int = 0
    acked_ms: int | None = None
    acked_at: float = 0.0
    first_at: float | None = None
    last_at: float = 0.0
    plays_until: float = 0.0
    """Before this the last frame sent cannot have been played to its end: none plays before it was sent."""
    is_closed: bool = False
    heard_ms: int | None = None
    """Final once the utterance is over."""
    was_cut: bool = False

    @property
    def generated_ms(self) -> int:
        return self.generated_bytes // BYTES_PER_MS

    @property
    def sent_ms(self) -> int:
        """Without the silence that pads the last frame."""
        return min(self.sent_frames * PTIME_MS, self.generated_ms)

    def heard_at(self, now: float) -> int:
        """ms heard: last acknowledged mark plus the time since its echo; never more than sent, 0 before the first.

        Nor more than can have been played: where a frame left late, the carrier's line was silent before it.
        It grows with time; an echo that comes later than reckoned sets it right, downwards as well.
        """
        if self.heard_ms is not None:
            return self.heard_ms
        if self.acked_ms is None:
            return 0
        since_ms = int((now - self.acked_at) * 1000)
        unplayed_ms = math.ceil(round(max(0.0, self.plays_until - now) * 1000, 3))
        played_ms = min(self.sent_ms, self.sent_frames * PTIME_MS - unplayed_ms)
        return max(self.acked_ms, min(self.acked_ms + since_ms, played_ms))

    def text_heard(self) -> str:
        """The text up to what was heard; cut in proportion and at a word's end where the utterance was cut."""
        if not self.was_cut:
            return self.text
        if not self.generated_ms:
            return ""
        upto = len(self.text) * (self.heard_ms or 0) // self.generated_ms
        if upto >= len(self.text):
            return self.text
        return self.text[:upto].rpartition(" ")[0]


class Playout:
    """One call's outgoing line. Pure: TX asks `take`, the session feeds."""

    def __init__(self) -> None:
        self.outlet = Outlet()
        self.marks = Marks()
        self.meter = Meter()
        self.levels = Levels()
        self._pacer = Pacer()
        self._control: deque[Out] = deque()
        self._live: deque[Utterance] = deque()
        self._open: Utterance | None = None
        self._next_id = 1
        self.underruns = 0
        self._is_dry = False

    # --- in ---------------------------------------------------------------------------------------------------

    def begin(self, source: str, response_id: str = "", item_id: str = "", text: str = "") -> Utterance:
        """Open the next utterance behind all others; one that was open is finished first."""
        if self._open is not None:
            self.finish(self._open)
        utterance = Utterance(self._next_id, source, response_id, item_id, text)
        self._next_id += 1
        self.outlet.open(utterance.id)
        self._live.append(utterance)
        self._open = utterance
        return utterance

    def feed(self, utterance: Utterance, audio: bytes) -> bool:
        """Audio of the open utterance, any length; False when the backlog has no room (nothing of it was taken)."""
        frames = self.outlet.push(utterance.id, audio)
        if frames is None:
            return False
        utterance.generated_bytes += len(audio)
        utterance.frames += frames
        return True

    def finish(self, utterance: Utterance) -> None:
        """No more audio comes for it. Closing twice is nothing."""
        if utterance.is_closed:
            return
        utterance.frames += self.outlet.close(utterance.id)
        utterance.is_closed = True
        self._open = None
        if utterance.frames == 0:
            utterance.heard_ms = 0
            self._live.remove(utterance)
        elif utterance.sent_frames == utterance.frames:
            self._last_frame_left(utterance)

    def say(self, name: str, audio: bytes, text: str) -> Utterance:
        """A clip, whole."""
        utterance = self.begin(name, text=text)
        self.feed(utterance, audio)
        self.finish(utterance)
        return utterance

    # --- out --------------------------------------------------------------------------------------------------

    def wait_s(self, now: float) -> float | None:
        """How long TX may sleep; None: until something comes."""
        if self._control:
            return 0.0
        if self.outlet.tx_frames:
            return self._pacer.due_at(now) - now
        return None

    def take(self, now: float, at_ms: int) -> list[Out]:
        """What must be written now, in order. `at_ms`: the same instant on the call's time axis."""
        out = list(self._control)
        self._control.clear()
        if not self.outlet.tx_frames or not self._pacer.is_due(now):
            return out
        queued = self.outlet.pop()
        assert queued is not None
        utterance = self._of(queued.utterance)
        self._pacer.sent(now, has_more=bool(self.outlet.tx_frames))
        if self._is_dry and utterance.sent_frames and now - utterance.last_at >= 2 * FRAME_SEC:
            self.underruns += 1
        self._is_dry = False
        self.meter.frame(now)
        self.levels.frame(queued.audio, at_ms)
        if utterance.first_at is None:
            utterance.first_at = now
        utterance.last_at = now
        utterance.plays_until = max(utterance.plays_until, now) + FRAME_SEC
        utterance.sent_frames += 1
        out.append(Out("media", queued.audio))
        if utterance.is_closed and utterance.sent_frames == utterance.frames:
            self._last_frame_left(utterance)
            out.extend(self._control)
            self._control.clear()
        else:
            if not self.outlet.tx_frames:
                self._is_dry = True
            if utterance.sent_frames == 1 or utterance.sent_ms % EVERY_MS == 0:
                out.append(Out("mark", name=self.marks.name(utterance.id, utterance.sent_ms, is_end=False)))
        return out

    def _last_frame_left(self, utterance: Utterance) -> None:
        self.meter.end()
        self._is_dry = False
        self._control.append(Out("mark", name=self.marks.name(utterance.id, utterance.sent_ms, is_end=True)))

    def _of(self, utterance_id: int) -> Utterance:
        return next(u for u in self._live if u.id == utterance_id)

    @property
    def resyncs(self) -> int:
        """How often a frame left so late that the clock restarted."""
        return self._pacer.resyncs

    # --- heard ------------------------------------------------------------------------------------------------

    @property
    def is_speaking(self) -> bool:
        """The caller is hearing us, or was a moment ago."""
        return any(u.first_at is not None for u in self._live)

    @property
    def is_idle(self) -> bool:
        """Nothing is heard and nothing waits to be."""
        return not self._live

    @property
    def is_free(self) -> bool:
        """Nothing is heard that an answer must wait for: a request to hold on is followed by the answer."""
        return all(utterance.source == HOLD for utterance in self._live)

    @property
    def current(self) -> Utterance | None:
        """The utterance being heard, or next to be."""
        return self._live[0] if self._live else None

    @property
    def newest(self) -> Utterance | None:
        return self._live[-1] if self._live else None

    def remaining_s(self) -> float:
        """Audio that is still to be sent [s]."""
        return (self.outlet.tx_frames + self.outlet.backlog_frames) * PTIME_MS / 1000

    def mark_echoed(self, name: str, now: float) -> list[Utterance]:
        """Returns utterances that are now over."""
        echo = self.marks.echo(name)
        if echo is None:
            return []
        over: list[Utterance] = []
        while self._live and self._live[0].id < echo.utterance:
            over.append(self._over(self._live.popleft(), now))
        if not self._live or self._live[0].id != echo.utterance:
            return over
        utterance = self._live[0]
        utterance.acked_ms, utterance.acked_at = echo.played_ms, now
        if echo.is_end:
            over.append(self._over(self._live.popleft(), now))
        return over

    def tick(self, now: float) -> list[Utterance]:
        """Utterances whose end mark did not come back in time; they are over all the same."""
        over: list[Utterance] = []
        while self._live:
            first = self._live[0]
            if not first.is_closed or first.sent_frames < first.frames or now < first.last_at + END_WAIT_S:
                break
            self.marks.give_up(first.id)
            over.append(self._over(self._live.popleft(), now))
        return over

    def next_end_at(self) -> float | None:
        """When `tick` may find something."""
        if not self._live:
            return None
        first = self._live[0]
        return first.last_at + END_WAIT_S if first.is_closed and first.sent_frames == first.frames else None

    @staticmethod
    def _over(utterance: Utterance, now: float) -> Utterance:
        utterance.heard_ms = utterance.sent_ms
        return utterance

    # --- cut --------------------------------------------------------------------------------------------------

    def flush(self, now: float) -> tuple[Flushed, list[Utterance]]:
        """Stop everything that has begun or waits: epoch up, queues empty, `clear` first on the wire.

        Returns the counts and the utterances that were cut, each with its final `heard_ms`.
        """
        cut = list(self._live)
        for utterance in cut:
            utterance.heard_ms = utterance.heard_at(now)
            utterance.is_closed = utterance.was_cut = True
        self._live.clear()
        self._open = None
        flushed = self.outlet.flush(self._next_id - 1)
        self._nothing_follows()
        self._control.append(CLEAR)
        return flushed, cut

    def reset(self) -> None:
        """Nothing waits, nothing is heard, nothing will be written."""
        for utterance in self._live:
            utterance.is_closed = True
        self._live.clear()
        self._open = None
        self.outlet.flush(self._next_id)
        self._nothing_follows()

    def _nothing_follows(self) -> None:
        self.marks.raise_epoch()
        self.meter.end()
        self._pacer.emptied()
        self._is_dry = False
        self._control.clear()

    def live(self) -> Iterator[Utterance]:
        """Utterances that wait or are heard, in order of play-out."""
        return iter(self._live)
