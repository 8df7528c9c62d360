"""The maker's own arithmetic, without espeak-ng: resampling, trimming, level, and the check of what was spoken."""

import array
import audioop
import math

import pytest

from media_ws_ai.peers.speech import make

RATE_HZ = 22050


def tone(hz: float, ms: int, amplitude: int = 8000) -> "array.array[int]":
    count = RATE_HZ * ms // 1000
    return array.array("h", (round(amplitude * math.sin(2 * math.pi * hz * i / RATE_HZ)) for i in range(count)))


def rms(samples: list[float]) -> float:
    return math.sqrt(sum(v * v for v in samples) / len(samples))


@pytest.mark.parametrize(
    ("hz", "least", "most"),
    [
        (300, 0.95, 1.05),
        (1000, 0.95, 1.05),
        (3000, 0.85, 1.05),
        (4200, 0.0, 0.03),
        (5000, 0.0, 0.01),
        (9000, 0.0, 0.01),
    ],
)
def test_what_a_telephone_carries_stays_and_what_would_alias_goes(hz: float, least: float, most: float) -> None:
    out = make.resample(tone(hz, 500), RATE_HZ)
    assert len(out) == pytest.approx(4000, abs=1)
    assert least <= rms(out[400:-400]) / (8000 / math.sqrt(2)) <= most


def test_silence_at_the_ends_becomes_60_ms() -> None:
    for lead in (0, 10, 3000):
        trimmed = make.trim([0.0] * lead + [5000.0] * 800 + [0.0] * 3000)
        assert trimmed == [0.0] * 480 + [5000.0] * 800 + [0.0] * 480


def test_a_silent_clip_is_refused() -> None:
    with pytest.raises(RuntimeError, match="silent"):
        make.trim([0.0] * 800)


def test_a_finished_clip_has_the_level_and_whole_frames() -> None:
    sound = make.finish(make.resample(tone(500, 333), RATE_HZ), "some clip")
    assert len(sound) % 160 == 0
    level = 20 * math.log10(audioop.rms(audioop.ulaw2lin(sound[:2400], 2), 2) / 32768)
    assert level == pytest.approx(make.SPEECH_DBOV, abs=0.3)


def test_the_same_clip_is_the_same_bytes_and_another_is_not() -> None:
    samples = make.resample(tone(500, 200), RATE_HZ)
    assert make.finish(samples, "a") == make.finish(samples, "a")
    assert make.finish(samples, "a") != make.finish(samples, "b")


@pytest.mark.parametrize(
    ("spoken", "phonemes", "is_whole"),
    [
        ("[[Sal'om]], [[t'oR]].", ["S", "a", "l", "'o", "m", "_:", "t", "'o", "R", "_:"], True),
        ("[[b'ejt SP'an]]", ["b", "'e", "j", "t", "S"], False),
        ("[[R'ega]]", ["R", "'e", "g", "a", "_:"], True),
    ],
)
def test_phonemes_left_out_are_noticed(spoken: str, phonemes: list[str], is_whole: bool) -> None:
    assert (make.unspoken(spoken, phonemes) == "") is is_whole
