"""Numbered audio: what is stamped is read back, other audio is not taken for it."""

import pytest

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE
from media_ws_ai.peers import numbered


@pytest.mark.parametrize("numbers", [(0, 0, 0), (1, 2, 3), (65535, 65535, 65535)])
def test_stamp_is_read_back(numbers: tuple[int, int, int]) -> None:
    frame = numbered.stamp(SILENCE, *numbers)
    assert len(frame) == FRAME_BYTES
    assert numbered.read(frame) == numbers
    assert frame[9:] == SILENCE[9:]


def test_numbers_wrap_at_16_bits() -> None:
    assert numbered.read(numbered.stamp(SILENCE, 65536, 65537, 70000)) == (0, 1, 4464)


@pytest.mark.parametrize("frame", [SILENCE, b"", b"\x5a\xa5\x3c", numbered.tone_frame()])
def test_other_audio_has_no_number(frame: bytes) -> None:
    assert numbered.read(frame) is None


def test_only_whole_frames_are_stamped() -> None:
    with pytest.raises(ValueError, match="160 bytes"):
        numbered.stamp(b"\xff" * 159, 1, 1, 1)


def test_tone_is_numbered_in_order() -> None:
    audio = numbered.tone(7, 3, 5, first=10)
    frames = [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]
    assert [numbered.read(frame) for frame in frames] == [(7, 3, index) for index in range(10, 15)]


def test_tone_matches_the_standard_encoder() -> None:
    audioop = pytest.importorskip("audioop")
    linear = audioop.ulaw2lin(numbered.tone_frame(), 2)
    assert audioop.lin2ulaw(linear, 2) == numbered.tone_frame()
    assert 5500 < audioop.max(linear, 2) < 6500
