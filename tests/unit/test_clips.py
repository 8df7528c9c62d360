"""The worker's spoken clips: complete in every language, whole frames, a level fit for a line, overrides that win."""

import audioop
import math
import struct
from pathlib import Path

import pytest

from media_ws_ai import clips
from media_ws_ai.audio.frame import FRAME_BYTES, SAMPLE_RATE_HZ, SILENCE
from media_ws_ai.clips.studio import spoken_form

NAMES = (
    "hold",
    "apology",
    "decline_busy",
    "decline_unknown",
    "technical",
    "goodbye",
    "details_taken",
    "still_there",
)
EVERY = [(lang, name) for lang in ("he", "en") for name in NAMES]


def speech_dbov(ulaw: bytes) -> float:
    """Level of the frames that hold speech, within 30 dB of the loudest."""
    levels = [audioop.rms(audioop.ulaw2lin(ulaw[i : i + 160], 2), 2) for i in range(0, len(ulaw), 160)]
    active = [level for level in levels if level > max(levels) / 10 ** (30 / 20)]
    return 20 * math.log10(math.sqrt(sum(level**2 for level in active) / len(active)) / 32768)


def test_every_language_has_every_clip() -> None:
    assert clips.names() == NAMES
    assert clips.languages() == ("he", "en")


@pytest.mark.parametrize(("lang", "name"), EVERY)
def test_a_clip_is_whole_frames_of_calm_speech(lang: str, name: str) -> None:
    sound = clips.clip(lang, name)
    assert clips.is_playable(sound)
    assert 1_000 <= len(sound) // 8 <= 8_000
    assert -20.0 <= speech_dbov(sound) <= -16.0
    assert clips.text(lang, name).strip() == clips.text(lang, name) != ""


@pytest.mark.parametrize(("lang", "spoken"), [("he", "he"), ("he-IL", "he"), ("HE_il", "he"), ("fr", "en"), ("", "en")])
def test_an_unknown_language_is_answered_in_english(lang: str, spoken: str) -> None:
    assert clips.clip(lang, "hold") == clips.clip(spoken, "hold")
    assert clips.text(lang, "hold") == clips.text(spoken, "hold")


@pytest.mark.parametrize("name", ["nonsense", "../he/hold", ""])
def test_an_unknown_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        clips.clip("he", name, tmp_path)
    with pytest.raises(KeyError):
        clips.text("he", name)


def test_hebrew_texts_are_hebrew() -> None:
    for name in NAMES:
        assert any("א" <= char <= "ת" for char in clips.text("he", name))
        assert clips.text("en", name).isascii()


def test_wav_is_mulaw_at_8_khz() -> None:
    file, sound = clips.wav("he", "hold"), clips.clip("he", "hold")
    riff, size, wave = struct.unpack_from("<4sI4s", file)
    assert (riff, size, wave) == (b"RIFF", len(file) - 8, b"WAVE")
    chunks, at = {}, 12
    while at < len(file):
        tag, length = struct.unpack_from("<4sI", file, at)
        chunks[tag] = file[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    assert struct.unpack("<HHIIHHH", chunks[b"fmt "]) == (7, 1, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ, 1, 8, 0)
    assert struct.unpack("<I", chunks[b"fact"]) == (len(sound),)
    assert chunks[b"data"] == sound


def test_wav_of_an_odd_count_is_padded() -> None:
    file = clips.wav_of(b"\xff\xff\xff")
    assert len(file) % 2 == 0
    assert struct.unpack_from("<I", file, 4) == (len(file) - 8,)


def test_the_business_voice_wins_where_it_has_the_clip(tmp_path: Path) -> None:
    own = SILENCE * 10
    (tmp_path / "he").mkdir()
    (tmp_path / "he" / "hold.ulaw").write_bytes(own)
    assert clips.clip("he", "hold", tmp_path) == own
    assert own in clips.wav("he-IL", "hold", tmp_path)
    assert clips.clip("he", "goodbye", tmp_path) == clips.clip("he", "goodbye")
    assert clips.clip("en", "hold", tmp_path) == clips.clip("en", "hold")


@pytest.mark.parametrize(
    "broken",
    [b"", b"\xff" * (FRAME_BYTES - 1), SILENCE * (clips.MAX_CLIP_BYTES // FRAME_BYTES + 1)],
    ids=["empty", "half a frame", "too long"],
)
def test_a_broken_override_does_not_silence_the_worker(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "he").mkdir()
    (tmp_path / "he" / "hold.ulaw").write_bytes(broken)
    assert clips.clip("he", "hold", tmp_path) == clips.clip("he", "hold")


def test_an_override_that_is_a_folder_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "he" / "hold.ulaw").mkdir(parents=True)
    assert clips.clip("he", "hold", tmp_path) == clips.clip("he", "hold")


@pytest.mark.parametrize(
    ("said", "written", "same"),
    [
        ("goodbye then", "Goodbye, then.", True),
        ("רגע בבקשה אני כבר איתך", "רגע בבקשה, אני כבר איתך.", True),
        ("רֶגַע בבקשה, \u200fאני כבר איתך", "רגע בבקשה, אני כבר איתך.", True),
        ("We’ll call you", "We'll call you", True),
        ("right-hand side", "right hand side", True),
        ("Sure! One moment please.", "One moment please.", False),
        ("רגע, אני כבר איתך.", "רגע בבקשה, אני כבר איתך.", False),
        ("", "One moment please.", False),
    ],
)
def test_texts_that_sound_alike_compare_equal(said: str, written: str, same: bool) -> None:
    assert (spoken_form(said) == spoken_form(written)) is same
