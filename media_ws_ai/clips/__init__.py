"""The worker's own spoken clips: what must be said when the model cannot speak.

    clip(lang, name) ─▶ μ-law frames for TX          wav(lang, name) ─▶ a WAV file for <Play>

The table of texts is table.json, the sound data/<lang>/<name>.ulaw. A folder of overrides, <lang>/<name>.ulaw, holds
clips in the business's own voice (`media-ws-ai clips` renders them); a clip found there wins, one that is missing or
not whole frames does not. Plays nothing, and knows no call.
"""

import json
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from media_ws_ai.audio.frame import FRAME_BYTES, SAMPLE_RATE_HZ

DATA: Final = Path(__file__).parent / "data"
TABLE: Final = Path(__file__).parent / "table.json"

FALLBACK_LANG: Final = "en"
MAX_CLIP_BYTES: Final = 30 * SAMPLE_RATE_HZ
"""Longer than any clip should be (30 s); an override beyond it is a mistake and is not read."""

WAVE_FORMAT_MULAW: Final = 7
"""RIFF format tag of G.711 μ-law; Twilio's <Play> takes such a file without transcoding."""


def _read_table() -> Mapping[tuple[str, str], str]:
    texts = {}
    for row in json.loads(TABLE.read_text(encoding="utf-8"))["clips"]:
        lang, _, name = row["id"].partition("/")
        texts[lang, name] = row["text"]
    return MappingProxyType(texts)


_TEXTS: Final = _read_table()


def names() -> tuple[str, ...]:
    """The names of the clips, in the table's order; every language has all of them."""
    return tuple(name for lang, name in _TEXTS if lang == FALLBACK_LANG)


def languages() -> tuple[str, ...]:
    """The languages that have clips, in the table's order."""
    return tuple(dict.fromkeys(lang for lang, _ in _TEXTS))


def spoken_language(lang: str) -> str:
    """The language that is spoken for `lang`: "he-IL" → "he", an unknown one → "en"."""
    primary = lang.replace("_", "-").partition("-")[0].lower()
    return primary if primary in languages() else FALLBACK_LANG


def text(lang: str, name: str) -> str:
    """What the clip says. Raises: KeyError for an unknown name."""
    return _TEXTS[spoken_language(lang), name]


def clip(lang: str, name: str, overrides: Path | None = None) -> bytes:
    """The sound: μ-law 8 kHz, whole frames of 160 bytes.

    Args:
        lang: language code; an unknown one is answered in English.
        name: one of `names()`.
        overrides: folder of one voice, <lang>/<name>.ulaw; wins where it has the clip. Read anew each time.

    Raises: KeyError for an unknown name.
    """
    lang = spoken_language(lang)
    if (lang, name) not in _TEXTS:
        raise KeyError(name)
    own = _override(overrides, lang, name) if overrides is not None else None
    return own if own is not None else _shipped(lang, name)


def wav(lang: str, name: str, overrides: Path | None = None) -> bytes:
    """The sound as a WAV file: RIFF, WAVE_FORMAT_MULAW, 8 kHz, one channel. Errors as in `clip`."""
    return wav_of(clip(lang, name, overrides))


def wav_of(data: bytes) -> bytes:
    """μ-law bytes as a WAV file.

    A format other than PCM carries an (empty) extension size and a `fact` chunk with the count of samples.
    """
    fmt = struct.pack("<HHIIHHH", WAVE_FORMAT_MULAW, 1, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ, 1, 8, 0)
    pad = b"\0" * (len(data) % 2)
    chunks = (
        struct.pack("<4sI", b"fmt ", len(fmt)) + fmt,
        struct.pack("<4sII", b"fact", 4, len(data)),
        struct.pack("<4sI", b"data", len(data)) + data + pad,
    )
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def is_playable(data: bytes) -> bool:
    """Whether bytes can be a clip: whole frames, at least one, at most 30 s."""
    return 0 < len(data) <= MAX_CLIP_BYTES and len(data) % FRAME_BYTES == 0


@cache
def _shipped(lang: str, name: str) -> bytes:
    return (DATA / lang / f"{name}.ulaw").read_bytes()


def _override(folder: Path, lang: str, name: str) -> bytes | None:
    try:
        with (folder / lang / f"{name}.ulaw").open("rb") as file:
            data = file.read(MAX_CLIP_BYTES + 1)
    except OSError:  # not rendered, or not readable: the shipped clip is spoken instead
        return None
    return data if is_playable(data) else None
