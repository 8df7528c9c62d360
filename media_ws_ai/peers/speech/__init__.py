"""Spoken clips for the stand-ins: what the caller says, what the stand-in model answers, and a quiet line between.

    clip_id ─▶ load() ─▶ μ-law 8 kHz, whole frames of 160 bytes

The table is table.json, the sound data/<id>.ulaw; both are read once and kept. No clip is made here (see make.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from media_ws_ai.audio.frame import BYTES_PER_MS, FRAME_BYTES

Role = Literal["caller", "agent"]

DATA: Final = Path(__file__).parent / "data"
TABLE: Final = Path(__file__).parent / "table.json"
QUIET: Final = DATA / "quiet_line.ulaw"


@dataclass(frozen=True)
class Clip:
    """One row of the table; `ms` is its play-out time, silence at both ends included."""

    id: str
    text: str
    lang: str
    voice: str
    role: Role
    ms: int


def _read_table() -> Mapping[str, Clip]:
    rows = json.loads(TABLE.read_text(encoding="utf-8"))["clips"]
    clips = {}
    for row in rows:
        sound = DATA / f"{row['id']}.ulaw"
        ms = sound.stat().st_size // BYTES_PER_MS if sound.exists() else 0  # a new row, before its maker has run
        clips[row["id"]] = Clip(row["id"], row["text"], row["lang"], row["voice"], row["role"], ms)
    return MappingProxyType(clips)


CLIPS: Final[Mapping[str, Clip]] = _read_table()


@cache
def load(clip_id: str) -> bytes:
    """The sound of one clip: μ-law 8 kHz, whole frames.

    Raises: KeyError naming the clip when the table has none of this id.
    """
    return (DATA / f"{CLIPS[clip_id].id}.ulaw").read_bytes()


def frames(clip_id: str) -> list[bytes]:
    """The sound of one clip as frames of 160 bytes, in order."""
    data = load(clip_id)
    return [data[i : i + FRAME_BYTES] for i in range(0, len(data), FRAME_BYTES)]


def quiet_line(count: int, start: int = 0) -> bytes:
    """A line on which nobody speaks: faint noise (about -67 dBov), never digital silence.

    Args:
        count: frames wanted.
        start: number of the first one, so that a caller who asks frame by frame goes on where it was.

    Returns: `count` frames out of a loop of 1 s; the same for the same arguments, always.
    """
    loop = _quiet_loop()
    return b"".join(loop[i % len(loop)] for i in range(start, start + count))


def is_quiet(frame: bytes) -> bool:
    """Whether a frame is one of the quiet line's own."""
    return frame in _quiet_set()


@cache
def positions() -> Mapping[bytes, tuple[str, int]]:
    """Where a frame belongs: frame → (clip id, index), for every frame that occurs at one place only."""
    found: dict[bytes, tuple[str, int]] = {}
    twice = set(_quiet_set())
    for clip_id in CLIPS:
        for index, frame in enumerate(frames(clip_id)):
            if frame in found:
                twice.add(frame)
            found[frame] = (clip_id, index)
    return MappingProxyType({frame: place for frame, place in found.items() if frame not in twice})


@cache
def _quiet_loop() -> tuple[bytes, ...]:
    data = QUIET.read_bytes()
    return tuple(data[i : i + FRAME_BYTES] for i in range(0, len(data), FRAME_BYTES))


@cache
def _quiet_set() -> frozenset[bytes]:
    return frozenset(_quiet_loop())
