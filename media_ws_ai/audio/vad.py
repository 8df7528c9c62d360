"""Has the caller begun to speak? One answer per 20 ms frame, made for the time in which our own voice comes back too.

A frame over the floor's gate is a guess. Eight guesses, half of them periodic as a voice is, not a keypad tone and not
the echo of what was sent, are a candidate. It stays pending while frames of its loudness go on and some of them are
periodic. Who the candidate is and what is done about it is not decided here.

Each test costs more than the one before it and is asked only when that one passed: most frames cost a level.
"""

import audioop
from collections import deque
from typing import Final

from media_ws_ai.audio.echo import COMPARED_FRAMES, Echo
from media_ws_ai.audio.floor import Floor
from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE
from media_ws_ai.audio.pitch import periodicity
from media_ws_ai.audio.tones import is_two_tone
from media_ws_ai.errors import ContractError

VOICED_FRAMES: Final = 8
"""A candidate has at least so many (audit B1)."""
PERIODIC_FRAMES: Final = 4
"""… of which so many are periodic: the rest may be "s" and "t"."""
PERIODIC: Final = 0.46
GAP_FRAMES: Final = 5
"""Within a run: the closure of a "t" or "k" between two syllables is up to 100 ms."""
IN_RUN: Final = 0.8
"""Once two frames were periodic, this share of the gate is enough: the end of a syllable is weaker than its vowel."""
HINT_FRAMES: Final = 2
GIVE_UP_FRAMES: Final = 16
"""So many over the gate and not periodic are a noise."""
TONE_PERIODIC: Final = 0.6
"""Only frames more periodic than this are asked whether they are a keypad tone."""
TONE_FRAMES: Final = 20
"""400 ms of tone neither count nor break a run; a longer one breaks it."""
HANG_FRAMES: Final = 14
"""280 ms without voice end a candidate: pauses within a sentence are up to 250 ms."""
PROOF_FRAMES: Final = 6
"""So many loud frames are believed after a periodic one."""
PERIODIC_STILL: Final = 0.42
HOLD_GROWTH: Final = 1.015
"""A frame (double in 0.9 s): a noise that got in must not hold a candidate for ever."""
MOST_HOLD: Final = 0.35
"""… but every syllable of a caller who goes on comes within 9 dB of the loudest one not long ago."""
WITHIN_TOP: Final = 0.15
"""16 dB: what is weaker than the candidate's loudest frame by more is what remains when the caller stops."""
TOP_FADE: Final = 0.99
STEADY_FRAMES: Final = 30
STEADY_RATIO: Final = 1.5
"""600 ms within 3.5 dB: no speech is so even; a machine is."""

_SILENT_PCM: Final = audioop.ulaw2lin(SILENCE, 2)


class Detector:
    """One call's ears. `sent` (if used) goes before the `feed` of the same 20 ms."""

    def __init__(self) -> None:
        self.is_pending = False
        self._floor = Floor()
        self._echo = Echo()
        self._heard = deque([_SILENT_PCM] * COMPARED_FRAMES, maxlen=COMPARED_FRAMES)
        self._levels: list[int] = []
        self._periodic = 0
        self._gap = 0
        self._tones = 0
        self._hold = self._top = 0.0
        self._unproved = 0
        self._steady: list[int] = []
        self.voiced_frames = 0
        """Of the run or candidate at hand."""

    @property
    def echo_delay_ms(self) -> int | None:
        """Delay of our own voice on this line, None while no echo is known."""
        return self._echo.delay_ms

    def sent(self, frame: bytes | None) -> None:
        """The frame played to the caller in these 20 ms (160 μ-law bytes), None for nothing."""
        if frame is not None and len(frame) != FRAME_BYTES:
            raise ContractError(f"a frame of {len(frame)} bytes")
        self._echo.sent(frame)

    def feed(self, frame: bytes, ai_speaking: bool) -> bool:
        """The caller's next frame (160 μ-law bytes). Returns whether a candidate is pending now.

        `ai_speaking` changes nothing: an echo outlasts the answer, and a caller sounds the same in both.
        """
        if len(frame) != FRAME_BYTES:
            raise ContractError(f"a frame of {len(frame)} bytes")
        pcm = audioop.ulaw2lin(frame, 2)
        self._heard.append(pcm)
        level = audioop.rms(pcm, 2)
        if self.is_pending:
            self._go_on(pcm, level)
        else:
            self._listen(pcm, level)
        return self.is_pending

    def _listen(self, pcm: bytes, level: int) -> None:
        """No candidate is pending: does one begin?"""
        floor = self._floor
        gate = floor.gate if self._periodic < HINT_FRAMES else floor.gate * IN_RUN
        if level <= gate or not floor.is_ready:
            floor.fade()
            if not self._levels:
                floor.learn(level)
            elif self._gap >= GAP_FRAMES:
                self._reject()
                floor.learn(level)
            else:
                self._gap += 1
        elif self._echo.explains(level):
            self._gap += 1
            if self._gap > GAP_FRAMES:
                self._forget()
        else:
            self._guess(pcm, level)

    def _guess(self, pcm: bytes, level: int) -> None:
        """A frame over the gate that no known echo explains."""
        likeness = periodicity(self._heard[-2], pcm)
        if likeness > TONE_PERIODIC and is_two_tone(pcm):
            self._tones += 1
            if self._tones > TONE_FRAMES:
                self._forget()
            return
        self._gap = 0
        if not self._levels:
            self._tones = 0
        self._levels.append(level)
        self.voiced_frames = len(self._levels)
        self._periodic += likeness > PERIODIC
        if self.voiced_frames < VOICED_FRAMES:
            return
        if self._periodic < PERIODIC_FRAMES:
            if self.voiced_frames >= GIVE_UP_FRAMES:
                self._reject()
        elif self._echo.is_heard_in(self._heard):
            self._forget()
        else:
            self._begin()

    def _begin(self) -> None:
        self.is_pending = True
        self._hold = self._floor.gate
        self._top = float(max(self._levels))
        self._unproved = self._gap = 0
        self._steady.clear()

    def _go_on(self, pcm: bytes, level: int) -> None:
        """A candidate is pending: is this frame still it?"""
        self._top = max(level, self._top * TOP_FADE)
        self._hold = min(self._hold * HOLD_GROWTH, max(self._hold, self._top * MOST_HOLD))
        self._steady.append(level)
        if len(self._steady) >= STEADY_FRAMES:
            low, high = min(self._steady), max(self._steady)
            self._steady.clear()
            if high < low * STEADY_RATIO:
                self._floor.adopt(low, high)
                self._forget()
                return
        if self._is_voice(pcm, level):
            self._gap = 0
            self.voiced_frames += 1
            return
        self._gap += 1
        if self._gap >= HANG_FRAMES:
            self._forget()
        elif level <= self._floor.gate:
            self._floor.learn(level)

    def _is_voice(self, pcm: bytes, level: int) -> bool:
        """Loud enough for the candidate, not our echo, and periodic whenever it was not for some frames."""
        if level <= self._hold or level <= self._top * WITHIN_TOP or self._echo.explains(level):
            return False
        self._unproved += 1
        if self._unproved < PROOF_FRAMES:
            return True
        likeness = periodicity(self._heard[-2], pcm)
        if likeness <= PERIODIC_STILL or (likeness > TONE_PERIODIC and is_two_tone(pcm)):
            return False
        self._unproved = 0
        return True

    def _reject(self) -> None:
        """The run was not speech: the floor learns from it."""
        self._floor.reject(self._levels)
        self._forget()

    def _forget(self) -> None:
        self.is_pending = False
        self._levels.clear()
        self._periodic = self._gap = self._tones = self.voiced_frames = 0


def make() -> Detector:
    """A detector for one call, as the bench and the call use it."""
    return Detector()
