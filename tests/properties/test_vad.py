"""The detector on anything at all: never an error, never a candidate out of nothing, the same twice."""

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE
from media_ws_ai.audio.vad import VOICED_FRAMES, make
from tests.voices import frames, voice

VOICED = tuple(frames(voice(1.0, -18)))
FRAMES = st.one_of(
    st.binary(min_size=FRAME_BYTES, max_size=FRAME_BYTES),
    st.integers(0, 255).map(lambda byte: bytes([byte]) * FRAME_BYTES),
    st.sampled_from(VOICED),
    st.just(SILENCE),
)
STRETCHES = st.lists(st.tuples(FRAMES, st.integers(1, 30)), max_size=8)
"""Frames and how often each comes."""


def spread(stretches: list[tuple[bytes, int]]) -> list[bytes]:
    return [frame for frame, count in stretches for _ in range(count)]


@given(STRETCHES, st.lists(st.one_of(st.none(), FRAMES), max_size=40), st.booleans())
def test_anything_can_be_heard_and_sent(near: list[tuple[bytes, int]], far: list[bytes | None], ai: bool) -> None:
    one, other = make(), make()
    for at, frame in enumerate(spread(near)):
        for detector in (one, other):
            if at < len(far):
                detector.sent(far[at])
        answer = one.feed(frame, ai)
        assert answer is other.feed(frame, ai), "the same audio, the same answers"
        assert answer is one.is_pending


@given(STRETCHES)
def test_never_before_eight_voiced_frames(near: list[tuple[bytes, int]]) -> None:
    """Frames of silence are never voiced; so many others must lie between two candidates, or before the first."""
    detector, loud, was = make(), 0, False
    for frame in spread(near):
        loud += frame != SILENCE
        now = detector.feed(frame, True)
        if now and not was:
            assert loud >= VOICED_FRAMES
            assert detector.voiced_frames >= VOICED_FRAMES
        if was and not now:
            loud = 0
        was = now


@given(st.integers(0, len(VOICED) - 40), st.integers(8, 40))
def test_a_voice_after_silence_raises_and_silence_ends_it(first: int, count: int) -> None:
    detector = make()
    heard = [SILENCE] * 20 + [*VOICED[first : first + count]] * 2 + [SILENCE] * 30
    answers = [detector.feed(frame, False) for frame in heard]
    assert any(answers)
    assert not answers[-1]
    assert not any(answers[: 20 + VOICED_FRAMES - 1])
