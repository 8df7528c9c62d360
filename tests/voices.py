"""Signals for the tests of the ears: lists of samples at 8 kHz, full scale ±1. Made here, seeded, no recordings."""

import audioop
import math
import random
import struct
from collections.abc import Sequence
from functools import cache

Signal = Sequence[float]

RATE_HZ = 8000
KEYS = {"1": (697, 1209), "5": (770, 1336), "8": (852, 1336), "#": (941, 1477), "0": (941, 1336)}
VOWELS = ((700, 1200), (300, 2200), (500, 900), (350, 750), (550, 1800))
"""First and second formant [Hz]."""


def at_level(signal: Signal, level_db: float) -> list[float]:
    rms = math.sqrt(sum(x * x for x in signal) / max(1, len(signal))) or 1.0
    return [x / rms * 10 ** (level_db / 20) for x in signal]


@cache
def noise(seconds: float, level_db: float, smooth: int = 1, seed: int = 1) -> list[float]:
    """Gaussian noise; `smooth` > 1 averages so many samples: only lows are left."""
    draw = random.Random(seed)
    raw = [draw.gauss(0, 1) for _ in range(int(seconds * RATE_HZ) + smooth)]
    return at_level([sum(raw[at : at + smooth]) for at in range(int(seconds * RATE_HZ))], level_db)


@cache
def quiet(seconds: float) -> list[float]:
    """A telephone line on which nobody speaks."""
    return noise(seconds, -66)


def hum(seconds: float, level_db: float) -> list[float]:
    """50 Hz and its odd harmonics."""
    times = [at / RATE_HZ for at in range(int(seconds * RATE_HZ))]
    return at_level([sum(math.sin(314.159 * k * t + k) / k for k in (1, 2, 3, 5, 7)) for t in times], level_db)


def keypad(seconds: float, keys: str, level_db: float, on_s: float = 0.2) -> list[float]:
    """Keypad tones with pauses of 100 ms, in turn, from the start."""
    out: list[float] = []
    at = 0
    while len(out) < seconds * RATE_HZ:
        low, high = KEYS[keys[at % len(keys)]]
        at += 1
        tone = [math.sin(6.28318 * low * n / RATE_HZ) + math.sin(6.28318 * high * n / RATE_HZ)
                for n in range(int(on_s * RATE_HZ))]  # fmt: skip
        out += at_level(tone, level_db) + [0.0] * (RATE_HZ // 10)
    return out[: int(seconds * RATE_HZ)]


def puffs(seconds: float, level_db: float) -> list[float]:
    """Breath: noise that swells and fades twice a second."""
    raw = noise(seconds, level_db, smooth=3, seed=9)
    return [x * math.sin(6.28318 * at / RATE_HZ) ** 2 for at, x in enumerate(raw)]


@cache
def voice(seconds: float, level_db: float, pitch_hz: float = 130, seed: int = 1) -> list[float]:
    """Syllables of 200 ms: pulses at a gliding pitch through two resonances that change with each syllable."""
    draw = random.Random(seed)
    out: list[float] = []
    phase = 0.0
    total = int(seconds * RATE_HZ)
    state = [0.0] * 4
    while len(out) < total:
        formants = draw.choice(VOWELS)
        glide = draw.uniform(-0.15, 0.15)
        for at in range(RATE_HZ // 5):
            phase += pitch_hz * (1 + glide * at / 1600) / RATE_HZ
            pulse = 0.0
            if phase >= 1:
                phase -= 1
                pulse = 1.0
            sample = 0.0
            for place, formant in enumerate(formants):
                turn, shrink = 2 * math.cos(6.28318 * formant / RATE_HZ), 0.96
                now = pulse + shrink * turn * state[2 * place] - shrink * shrink * state[2 * place + 1]
                state[2 * place + 1], state[2 * place] = state[2 * place], now
                sample += now / (place + 1)
            out.append(sample * (0.4 + 0.6 * math.sin(math.pi * at / 1600)))
    return at_level(out[:total], level_db)


def add(one: Signal, other: Signal) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=False)]


def scaled(signal: Signal, gain_db: float) -> list[float]:
    return [x * 10 ** (gain_db / 20) for x in signal]


def delayed(signal: Signal, delay_ms: int) -> list[float]:
    """As long as before: what comes too late is cut off."""
    return ([0.0] * (delay_ms * 8) + list(signal))[: len(signal)]


def frames(signal: Signal) -> list[bytes]:
    """Whole 20 ms frames of μ-law."""
    whole = len(signal) // 160 * 160
    pcm = struct.pack(f"={whole}h", *(max(-32768, min(32767, round(x * 32767))) for x in signal[:whole]))
    ulaw = audioop.lin2ulaw(pcm, 2)
    return [ulaw[at : at + 160] for at in range(0, whole, 160)]
