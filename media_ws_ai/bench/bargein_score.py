"""Scores a barge-in detector on a labelled set: what was raised against what was said. Prints nothing, judges nothing.

The rules are those of bargein_set/README.md ("What every figure means"), to the frame. No numpy: the arrays of a
`.npz` are bytes behind a short head.
"""

import audioop
import gc
import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from media_ws_ai.audio.frame import BYTES_PER_MS, FRAME_BYTES, PTIME_MS
from media_ws_ai.errors import PeerError

HIT_TAIL_MS: Final = 300
ZONE_TAIL_MS: Final = 700
BLIND_FRAMES: Final = 8
LATE_MS: Final = 400
YARDSTICK_SCENARIOS: Final = 60
YARDSTICK_ROUNDS: Final = 3


class Ears(Protocol):
    """What is scored."""

    def feed(self, frame: bytes, ai_speaking: bool) -> bool: ...

    def sent(self, frame: bytes | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """8–10 s of a call. Spurts as (first, last) sample."""

    noise: str
    is_echo: bool
    ai_from: int
    near: Sequence[bytes]
    far: Sequence[bytes]
    spurts: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Spurt:
    """One stretch of caller speech and what became of it."""

    is_hit: bool
    is_blind: bool
    latency_ms: float | None
    kept: int
    to_keep: int


@dataclass(frozen=True, slots=True)
class Rest:
    """The frames of one scenario in which the AI speaks and the caller does not."""

    is_echo: bool
    raised: int
    pending: int
    frames: int


@dataclass(frozen=True, slots=True)
class Figures:
    """One line of the table; shares in %, false candidates a minute."""

    miss: float
    blind: float
    p50: int | None
    p95: int | None
    late400: float
    false_plain: float
    false_echo: float
    leak: float
    kept: float
    us: float
    x_rms: float


# ---------------------------------------------------------------- the set


def load(audio: Path, labels: Path) -> tuple[list[Scenario], str]:
    """(scenarios, SHA-256 of the audio). Raises: PeerError: the files are not what `build.py` makes."""
    try:
        with zipfile.ZipFile(audio) as archive:
            near, far = (_array(archive.read(f"{name}.npy")) for name in ("near", "far"))
        lines = [json.loads(line) for line in labels.read_text(encoding="utf-8").splitlines()]
        scenarios = [_scenario(label, near, far) for label in lines]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise PeerError(f"{audio} and {labels} are no set of audio and labels: {error}") from error
    return scenarios, hashlib.sha256(near + far).hexdigest()


def _array(npy: bytes) -> bytes:
    """The bytes of a one-dimensional uint8 array in NumPy's format, version 1."""
    head_bytes = int.from_bytes(npy[8:10], "little")
    if npy[:7] != b"\x93NUMPY\x01" or b"'|u1'" not in npy[10 : 10 + head_bytes]:
        raise ValueError("not a NumPy array of bytes")
    return npy[10 + head_bytes :]


def _scenario(label: dict[str, Any], near: bytes, far: bytes) -> Scenario:
    first, count = label["off"], label["frames"]
    if first + count * FRAME_BYTES > len(near) or len(near) != len(far):
        raise ValueError(f"the audio ends before {label['id']} does")

    def frames(track: bytes) -> list[bytes]:
        return [track[first + at * FRAME_BYTES : first + (at + 1) * FRAME_BYTES] for at in range(count)]

    spurts = [(spurt["on"], spurt["off"]) for spurt in label["spurts"]]
    return Scenario(label["noise"], bool(label["echo"]), label["ai_from"], frames(near), frames(far), spurts)


# ---------------------------------------------------------------- running it


def answers(make: Callable[[], Ears], scenarios: Sequence[Scenario]) -> tuple[list[list[bool]], float]:
    """(the detector's answers to each scenario, process CPU per frame [µs])."""
    make()
    gc.collect()
    found, cpu_s, count = [], 0.0, 0
    for scenario in scenarios:
        ears = make()
        feed, sent, ai_from, far = ears.feed, ears.sent, scenario.ai_from, scenario.far
        said: list[bool] = []
        began_s = time.process_time()
        for at, frame in enumerate(scenario.near):
            is_ai = at >= ai_from
            sent(far[at] if is_ai else None)
            said.append(feed(frame, is_ai))
        cpu_s += time.process_time() - began_s
        count += len(said)
        found.append(said)
    return found, cpu_s / max(1, count) * 1e6


def yardstick_us(scenarios: Sequence[Scenario]) -> float:
    """Process CPU to decode one frame and take its level [µs]: what costs are compared with between machines."""
    frames = [frame for scenario in scenarios[:YARDSTICK_SCENARIOS] for frame in scenario.near]
    best_s = float("inf")
    for _ in range(YARDSTICK_ROUNDS):
        began_s = time.process_time()
        for frame in frames:
            audioop.rms(audioop.ulaw2lin(frame, 2), 2)
        best_s = min(best_s, time.process_time() - began_s)
    return best_s / max(1, len(frames)) * 1e6


# ---------------------------------------------------------------- judging it


def judge(scenario: Scenario, said: Sequence[bool]) -> tuple[list[Spurt], Rest]:
    """What became of each spurt, and of the time without one."""
    count = len(said)
    edges = [at for at in range(count) if said[at] and not (at and said[at - 1])]
    is_speech = [at < scenario.ai_from for at in range(count)]
    spurts = []
    for on, off in scenario.spurts:
        first = on // FRAME_BYTES
        zone_end = min(count, (off + ZONE_TAIL_MS * BYTES_PER_MS) // FRAME_BYTES + 1)
        is_speech[first:zone_end] = [True] * (zone_end - first)
        spurts.append(_spurt(said, edges, on, off))
    at_rest = [at for at in range(count) if not is_speech[at]]
    raised = sum(1 for at in edges if not is_speech[at])
    return spurts, Rest(scenario.is_echo, raised, sum(said[at] for at in at_rest), len(at_rest))


def _spurt(said: Sequence[bool], edges: Sequence[int], on: int, off: int) -> Spurt:
    first, end = on // FRAME_BYTES, off // FRAME_BYTES
    hit_end = min(len(said), (off + HIT_TAIL_MS * BYTES_PER_MS) // FRAME_BYTES + 1)
    latency_ms = None
    is_blind = first > 0 and said[first - 1] and all(said[first : first + BLIND_FRAMES])
    hits = [at for at in edges if first <= at < hit_end]
    if is_blind:
        at = first
    elif hits:
        at = hits[0]
        latency_ms = ((at + 1) * FRAME_BYTES - on) / BYTES_PER_MS
    else:
        return Spurt(False, False, None, 0, 0)
    return Spurt(True, is_blind, latency_ms, sum(said[at:end]), max(0, end - at))


def figures(spurts: Sequence[Spurt], rests: Sequence[Rest], us: float, yardstick: float) -> Figures:
    latencies = sorted(spurt.latency_ms for spurt in spurts if spurt.latency_ms is not None)
    late = sum(1 for spurt in spurts if not spurt.is_hit or (spurt.latency_ms or 0) > LATE_MS)
    return Figures(
        miss=_percent(sum(not spurt.is_hit for spurt in spurts), len(spurts)),
        blind=_percent(sum(spurt.is_blind for spurt in spurts), len(spurts)),
        p50=percentile(latencies, 50),
        p95=percentile(latencies, 95),
        late400=_percent(late, len(spurts)),
        false_plain=_a_minute([rest for rest in rests if not rest.is_echo]),
        false_echo=_a_minute([rest for rest in rests if rest.is_echo]),
        leak=round(100 * sum(rest.pending for rest in rests) / max(1, sum(rest.frames for rest in rests)), 2),
        kept=_percent(sum(spurt.kept for spurt in spurts), sum(spurt.to_keep for spurt in spurts)),
        us=round(us, 2),
        x_rms=round(us / yardstick, 1),
    )


def percentile(values: Sequence[float], share: float) -> int | None:
    """Of sorted values, between two of them in proportion; None of nothing."""
    if not values:
        return None
    place = (len(values) - 1) * share / 100
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return round(values[low] + (values[high] - values[low]) * (place - low))


def _percent(part: int, whole: int) -> float:
    return round(100 * part / max(1, whole), 1)


def _a_minute(rests: Sequence[Rest]) -> float:
    minutes = sum(rest.frames for rest in rests) * PTIME_MS / 60_000
    return round(sum(rest.raised for rest in rests) / minutes, 2) if minutes else 0.0


def score(make: Callable[[], Ears], scenarios: Sequence[Scenario]) -> tuple[Figures, dict[str, Figures]]:
    """(the whole, by background with and without echo)."""
    yardstick = yardstick_us(scenarios)
    said, us = answers(make, scenarios)
    judged = [(scenario, *judge(scenario, each)) for scenario, each in zip(scenarios, said, strict=True)]

    def part(of: Sequence[tuple[Scenario, list[Spurt], Rest]]) -> Figures:
        return figures([spurt for _, spurts, _ in of for spurt in spurts], [rest for *_, rest in of], us, yardstick)

    kinds = dict.fromkeys((scenario.noise, scenario.is_echo) for scenario in scenarios)
    parts = {
        noise + (" + echo" if is_echo else ""): part(
            [each for each in judged if (each[0].noise, each[0].is_echo) == (noise, is_echo)]
        )
        for noise, is_echo in kinds
    }
    return part(judged), parts
