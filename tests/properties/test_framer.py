"""The framer: output joined is input joined, then padding, however the input was cut."""

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.audio.frame import FRAME_BYTES
from media_ws_ai.audio.framer import Framer


@given(st.lists(st.binary(max_size=700), max_size=20))
def test_nothing_is_lost_doubled_or_reordered(chunks: list[bytes]) -> None:
    framer, frames = Framer(), []
    taken = 0
    for chunk in chunks:
        frames += framer.push(chunk)
        taken += len(chunk)
        assert framer.held_bytes < FRAME_BYTES
        assert len(frames) * FRAME_BYTES + framer.held_bytes == taken
    tail = framer.finish()
    if tail is not None:
        frames.append(tail)
    joined = b"".join(frames)
    assert all(len(frame) == FRAME_BYTES for frame in frames)
    assert joined[:taken] == b"".join(chunks)
    assert set(joined[taken:]) <= {0xFF} and len(joined) - taken < FRAME_BYTES
