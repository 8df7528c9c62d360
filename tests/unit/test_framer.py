"""The framer: chunks of any length in, whole frames out, the remainder kept, padded or thrown away."""

import pytest

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE_BYTE, frames_of_ms, ms_of_bytes
from media_ws_ai.audio.framer import Framer


@pytest.mark.parametrize(
    ("chunks", "whole", "held"),
    [
        pytest.param([], [], 0, id="nothing"),
        pytest.param([0], [0], 0, id="empty_delta"),
        pytest.param([160], [1], 0, id="one_frame"),
        pytest.param([1], [0], 1, id="one_byte"),
        pytest.param([159, 1], [0, 1], 0, id="remainder_completed"),
        pytest.param([161, 0, 159], [1, 0, 1], 0, id="empty_delta_between"),
        pytest.param([333, 333, 333], [2, 2, 2], 39, id="odd_lengths"),
        pytest.param([8000], [50], 0, id="one_second_at_once"),
    ],
)
def test_chunks(chunks: list[int], whole: list[int], held: int) -> None:
    framer = Framer()
    assert [len(framer.push(b"\x10" * size)) for size in chunks] == whole
    assert framer.held_bytes == held


def test_the_last_frame_is_padded_with_silence() -> None:
    framer = Framer()
    framer.push(b"\x01" * 161)
    assert framer.finish() == b"\x01" + bytes([SILENCE_BYTE]) * (FRAME_BYTES - 1)
    assert framer.held_bytes == 0
    assert framer.finish() is None


def test_a_dropped_remainder_is_told_and_never_heard() -> None:
    framer = Framer()
    framer.push(b"\x01" * 7)
    assert framer.drop() == 7
    assert framer.drop() == 0
    assert framer.push(b"\x02" * 160) == [b"\x02" * 160]


@pytest.mark.parametrize(("ms", "frames"), [(0, 0), (19.9, 0), (20, 1), (500, 25), (999, 49)])
def test_whole_frames_of_a_time(ms: float, frames: int) -> None:
    assert frames_of_ms(ms) == frames


@pytest.mark.parametrize(("count", "ms"), [(0, 0), (7, 0), (8, 1), (160, 20), (161, 20)])
def test_time_of_bytes(count: int, ms: int) -> None:
    assert ms_of_bytes(count) == ms
