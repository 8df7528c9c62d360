"""What the caller heard, in figures: utterances, gaps, underruns, old audio after `clear`, time to the answer.

Fed with arrivals in order, each with its monotonic time; keeps sums, never the audio, so that a call costs the same
however long it is. An utterance is a run of media; it ends at a pause of 400 ms, at a `clear`, or where numbered
audio names another (session, utterance). Numbered audio is believed before pauses: a hole of a second in one
numbered utterance is a gap of a second, not the end of it.
"""

from dataclasses import dataclass, field
from typing import Final

from media_ws_ai.audio.frame import FRAME_BYTES, SAMPLE_RATE_HZ
from media_ws_ai.peers import speech
from media_ws_ai.peers.carrier.numbers import Key, Numbers
from media_ws_ai.peers.carrier.sound import has_sound

PAUSE_S: Final = 0.4
RUN_ON_S: Final = 0.2
"""Unnumbered audio that goes on within this time across a `clear` is still the old one."""
JITTER_BUFFERS_MS: Final = (0, 20, 60)
"""Buffers for which underruns are counted: none, one frame as is usual, a cautious one."""
UNDERRUN_TOLERANCE_S: Final = 0.001
MAX_UTTERANCES: Final = 2000


@dataclass(slots=True)
class Utterance:
    """One run of agent audio. Times are monotonic [s]."""

    number: int
    stream: int
    first_at: float
    key: Key | None
    pause_before_s: float | None
    last_at: float = 0.0
    sound_at: float | None = None
    total_bytes: int = 0
    messages: int = 0
    last_bytes: int = 0
    max_gap_s: float = 0.0
    cleared: bool = False
    clip: str = ""
    per_second: list[float] = field(default_factory=list)
    cursors: list[float] = field(default_factory=list)
    underruns: list[int] = field(default_factory=lambda: [0] * len(JITTER_BUFFERS_MS))
    dry_s: list[float] = field(default_factory=lambda: [0.0] * len(JITTER_BUFFERS_MS))

    @property
    def text(self) -> str:
        """The words, where the audio is a clip of `peers.speech`."""
        return speech.CLIPS[self.clip].text if self.clip else ""

    def add(self, size: int, now: float) -> None:
        """Count one payload of `size` bytes."""
        if self.messages:
            self.max_gap_s = max(self.max_gap_s, now - self.last_at)
        else:
            self.cursors = [now + ms / 1000 for ms in JITTER_BUFFERS_MS]
        play_s = size / SAMPLE_RATE_HZ
        cursors = self.cursors
        for place, ms in enumerate(JITTER_BUFFERS_MS):
            cursor = cursors[place]
            if now > cursor + UNDERRUN_TOLERANCE_S:
                again = now + ms / 1000  # the buffer fills before it plays on
                self.underruns[place] += 1
                self.dry_s[place] += again - cursor
                cursor = again
            cursors[place] = cursor + play_s
        second = int(now - self.first_at)
        while len(self.per_second) <= second:
            self.per_second.append(0.0)
        self.per_second[second] += size / FRAME_BYTES
        self.messages += 1
        self.total_bytes += size
        self.last_bytes = size
        self.last_at = now

    def figures(self, zero: float) -> dict[str, object]:
        """The row of the report; times in ms since `zero`."""
        span = self.last_at - self.first_at
        frames = self.total_bytes / FRAME_BYTES
        whole = self.per_second[: int(span)]
        return {
            "number": self.number, "stream": self.stream, "key": list(self.key) if self.key else None,
            "first_ms": _ms(self.first_at - zero), "last_ms": _ms(self.last_at - zero),
            "sound_ms": None if self.sound_at is None else _ms(self.sound_at - zero),
            "pause_before_ms": None if self.pause_before_s is None else _ms(self.pause_before_s),
            "messages": self.messages, "frames": round(frames, 3), "audio_ms": _ms(self.total_bytes / SAMPLE_RATE_HZ),
            "duration_ms": _ms(span),
            "fps": round((self.total_bytes - self.last_bytes) / FRAME_BYTES / span, 3) if span > 0 else None,
            "fps_by_second": [round(count, 2) for count in whole],
            "max_gap_ms": _ms(self.max_gap_s), "cleared": self.cleared, "clip": self.clip, "text": self.text,
            "underruns": {
                str(ms): {"count": self.underruns[place], "ms": _ms(self.dry_s[place])}
                for place, ms in enumerate(JITTER_BUFFERS_MS)
            },
        }  # fmt: skip


@dataclass(slots=True)
class Turn:
    """The caller said something: which clip, from when to when (voice, not the clip's silent ends), and the answer."""

    text: str
    began_at: float
    ended_at: float | None = None
    over_agent: bool = False
    answered_at: float | None = None


class Stopwatch:
    """The figures of one call. `zero` is the first stream's `start` [monotonic s]."""

    def __init__(self) -> None:
        self.zero: float | None = None
        self.numbers = Numbers()
        self.utterances: list[Utterance] = []
        self.turns: list[Turn] = []
        self.clears: list[tuple[float, float]] = []
        self.first_sound_at: float | None = None
        self.old_audio_s = 0.0
        self.utterances_dropped = 0
        self._stale: set[Key] = set()
        self._old_run_at: float | None = None
        self._run: Utterance | None = None
        self._last_media_at: float | None = None
        self._waiting: list[Turn] = []

    def media(self, payload: bytes, now: float, stream: int) -> Utterance | None:
        """Count a payload; the utterance when it is the first sound of one, else None."""
        key = self.numbers.add(payload)
        run = self._run
        if self._is_old(key, len(payload), now):
            return None
        if run is None or run.stream != stream or self._is_other(run, key, now):
            run = self._begin(key, now, stream)
        run.add(len(payload), now)
        run.key = run.key or key
        self._last_media_at = now
        if not run.clip:
            run.clip = speech.positions().get(payload, ("", 0))[0]
        if run.sound_at is not None or not has_sound(payload):
            return None
        run.sound_at = now
        if self.first_sound_at is None:
            self.first_sound_at = now
        for turn in self._waiting:
            turn.answered_at = now
        self._waiting = []
        return run

    def _is_old(self, key: Key | None, size: int, now: float) -> bool:
        """True for audio of what a `clear` has cut; counted here."""
        old = key in self._stale if key is not None else False
        if key is None and self._old_run_at is not None:
            old = now - self._old_run_at < RUN_ON_S
            self._old_run_at = now if old else None
        if old:
            self.old_audio_s += size / SAMPLE_RATE_HZ
        return old

    @staticmethod
    def _is_other(run: Utterance, key: Key | None, now: float) -> bool:
        if key is not None and run.key is not None:
            return key != run.key
        return now - run.last_at >= PAUSE_S and now >= run.cursors[0]

    def _begin(self, key: Key | None, now: float, stream: int) -> Utterance:
        pause = None if self._last_media_at is None else now - self._last_media_at
        number = len(self.utterances) + self.utterances_dropped + 1
        self._run = Utterance(number, stream, now, key, pause)
        if len(self.utterances) < MAX_UTTERANCES:
            self.utterances.append(self._run)
        else:
            self.utterances_dropped += 1
        return self._run

    def clear(self, now: float, discarded_ms: float) -> None:
        """The worker cut its answer; what still comes of it is old."""
        self.clears.append((now, discarded_ms))
        self._stale.update(self.numbers.tallies)
        run, self._run = self._run, None
        if run is not None:
            run.cleared = True
            going_on = now - run.last_at < RUN_ON_S
            self._old_run_at = now if going_on and run.key is None else None

    def stream_ended(self) -> None:
        """The next media is another stream's, so another utterance, and nothing cut before can come any more."""
        self._run = None
        self._old_run_at = None

    def caller_began(self, text: str, now: float, over_agent: bool) -> Turn:
        """The caller's voice begins."""
        turn = Turn(text, now, over_agent=over_agent)
        self.turns.append(turn)
        return turn

    def caller_ended(self, turn: Turn, now: float) -> None:
        """The caller's voice ends: the next first sound is the answer."""
        turn.ended_at = now
        self._waiting.append(turn)

    def figures(self) -> dict[str, object]:
        """The stopwatch's part of the report. All times in ms since the first `start`."""
        zero = self.zero or 0.0
        rows = [run.figures(zero) for run in self.utterances]
        return {
            "first_sound_ms": None if self.first_sound_at is None else _ms(self.first_sound_at - zero),
            "utterances": rows,
            "utterances_dropped": self.utterances_dropped,
            "turns": [
                {
                    "text": turn.text, "began_ms": _ms(turn.began_at - zero),
                    "ended_ms": None if turn.ended_at is None else _ms(turn.ended_at - zero),
                    "over_agent": turn.over_agent,
                    "answer_ms": None if turn.answered_at is None or turn.ended_at is None
                    else _ms(turn.answered_at - turn.ended_at),
                }
                for turn in self.turns
            ],
            "clears": [{"at_ms": _ms(at - zero), "discarded_ms": round(ms, 2)} for at, ms in self.clears],
            "old_audio_ms": _ms(self.old_audio_s),
            "numbered": self.numbers.figures(),
        }  # fmt: skip


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
