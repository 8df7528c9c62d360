"""The stand-ins' speech: every clip the peers count on, recognisable by exact frames, on a line that is never dead."""

import audioop
import json
import math

import pytest

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE, SILENCE_BYTE
from media_ws_ai.peers import speech

CALLER = ("book", "sunday", "yes", "no", "mhm", "name", "city", "hours", "price", "thanks_bye", "wait", "long")
AGENT = ("greeting", "hours", "slot", "confirm", "when", "noted", "bye", "long")
CALLER_IDS = [f"{lang}_{name}" for lang in ("he", "en") for name in CALLER]
AGENT_IDS = [f"{lang}_agent_{name}" for lang in ("he", "en") for name in AGENT]

SILENT_BELOW = 60
"""Linear level [of 32768] under which a frame of a clip holds no speech; the line's noise is at 16."""


def level(frame: bytes) -> int:
    return audioop.rms(audioop.ulaw2lin(frame, 2), 2)


def dbov(linear: float) -> float:
    return 20 * math.log10(linear / 32768)


def test_the_table_holds_what_the_peers_count_on() -> None:
    assert {c.id for c in speech.CLIPS.values() if c.role == "caller"} == set(CALLER_IDS)
    assert {c.id for c in speech.CLIPS.values() if c.role == "agent"} == set(AGENT_IDS)


def test_caller_and_agent_have_voices_of_their_own() -> None:
    voices = {(c.lang, c.role): c.voice for c in speech.CLIPS.values()}
    assert len(set(voices.values())) == 4
    settings = json.loads(speech.TABLE.read_text(encoding="utf-8"))["voices"]
    assert len({settings[voice]["espeak"] for voice in voices.values()}) == 4


@pytest.mark.parametrize("clip_id", CALLER_IDS + AGENT_IDS)
def test_a_clip_is_whole_frames_at_the_level_of_speech(clip_id: str) -> None:
    sound, clip = speech.load(clip_id), speech.CLIPS[clip_id]
    assert len(sound) % FRAME_BYTES == 0
    assert clip.ms == len(sound) // 8
    levels = [level(frame) for frame in speech.frames(clip_id)]
    active = [one for one in levels if one > max(levels) / 10 ** (30 / 20)]
    assert -20.0 <= dbov(math.sqrt(sum(one**2 for one in active) / len(active))) <= -16.0
    assert levels[0] < SILENT_BELOW and levels[-1] < SILENT_BELOW
    voiced = [index for index, one in enumerate(levels) if one > SILENT_BELOW]
    assert voiced[0] <= 4 and len(levels) - voiced[-1] <= 6, "the ends are trimmed to about 60 ms"


@pytest.mark.parametrize("lang", ["he", "en"])
def test_long_clips_are_long(lang: str) -> None:
    assert 6_000 <= speech.CLIPS[f"{lang}_long"].ms <= 8_000
    assert speech.CLIPS[f"{lang}_agent_long"].ms >= 30_000


def test_a_frame_tells_its_clip_and_place() -> None:
    places = speech.positions()
    spoken = unique = 0
    for clip_id in speech.CLIPS:
        for index, frame in enumerate(speech.frames(clip_id)):
            if level(frame) > SILENT_BELOW:
                spoken += 1
                unique += places.get(frame) == (clip_id, index)
    assert spoken > 5_000
    assert unique / spoken >= 0.95


def test_hebrew_is_written_in_phonemes_with_stress() -> None:
    """espeak-ng's own Hebrew rules drop the vowels: no row may rely on them."""
    for row in json.loads(speech.TABLE.read_text(encoding="utf-8"))["clips"]:
        if row["lang"] == "he":
            assert row["phonemes"].startswith("[[") and "'" in row["phonemes"], row["id"]


def test_no_file_without_a_row_and_no_row_without_a_file() -> None:
    files = {path.stem for path in speech.DATA.glob("*.ulaw")}
    assert files == set(speech.CLIPS) | {"quiet_line"}


def test_an_unknown_clip_is_refused() -> None:
    with pytest.raises(KeyError, match="no_such_clip"):
        speech.load("no_such_clip")


def test_the_quiet_line_is_faint_steady_and_never_dead() -> None:
    line = speech.quiet_line(120)
    frames = [line[i : i + FRAME_BYTES] for i in range(0, len(line), FRAME_BYTES)]
    assert len(frames) == 120
    assert all(-70.0 < dbov(level(frame)) < -60.0 for frame in frames)
    assert SILENCE not in frames and line.count(SILENCE_BYTE) < len(line) // 2
    assert all(speech.is_quiet(frame) for frame in frames)
    assert line == speech.quiet_line(120)


def test_the_quiet_line_goes_on_where_it_was() -> None:
    assert speech.quiet_line(70) == b"".join(speech.quiet_line(1, start=i) for i in range(70))
    assert speech.quiet_line(0) == b""


def test_no_clip_is_taken_for_the_quiet_line() -> None:
    assert not any(speech.is_quiet(frame) for clip_id in speech.CLIPS for frame in speech.frames(clip_id))
