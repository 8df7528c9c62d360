"""The barge-in detector on signals made here: what must raise a candidate, what must not, and when it ends."""

import math
import random
import struct
from collections.abc import Sequence
from functools import cache

import pytest

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE
from media_ws_ai.audio.vad import VOICED_FRAMES, Detector, make
from media_ws_ai.errors import ContractError
from tests.voices import Signal, add, delayed, frames, hum, keypad, noise, puffs, quiet, scaled, voice

START_S = 1.0
"""The line before anything happens on it."""


def run(near: Signal, far: Sequence[bytes] | None = None, detector: Detector | None = None) -> list[bool]:
    """The detector's answers; `far` is what we play, as μ-law frames."""
    detector = detector or make()
    answers = []
    for at, frame in enumerate(frames(near)):
        if far is not None:
            detector.sent(far[at])
        answers.append(detector.feed(frame, True))
    return answers


def raised(answers: Sequence[bool]) -> list[int]:
    """Frames at which a candidate begins."""
    return [at for at, answer in enumerate(answers) if answer and not (at and answers[at - 1])]


@pytest.mark.parametrize(
    "signal",
    [
        pytest.param([0.0] * 32_000, id="digital_silence"),
        pytest.param(quiet(4), id="a_quiet_line"),
        pytest.param(noise(4, -35), id="white_noise"),
        pytest.param(noise(4, -35, smooth=8), id="low_noise"),
        pytest.param([*noise(2, -60), *noise(2, -38)], id="noise_that_begins_suddenly"),
        pytest.param(hum(4, -35), id="mains_hum"),
        pytest.param(add(quiet(4), keypad(4, "5#0", -12)), id="keypad_tones"),
        pytest.param(add(quiet(4), puffs(4, -26)), id="breath"),
        pytest.param(add(quiet(4), [0.5 if at % 3000 < 12 else 0.0 for at in range(32_000)]), id="clicks"),
        pytest.param([*quiet(START_S), *voice(0.12, -20), *quiet(1)], id="a_sound_of_six_frames"),
        pytest.param([*quiet(START_S), *voice(1, -66), *quiet(1)], id="a_voice_far_too_quiet"),
    ],
)
def test_is_no_candidate(signal: Signal) -> None:
    assert raised(run(signal)) == []


@pytest.mark.parametrize("pitch_hz", [90, 130, 220, 320])
@pytest.mark.parametrize("level_db", [-40, -30, -20, -10])
def test_a_voice_raises_one_candidate_within_200_ms(pitch_hz: float, level_db: float) -> None:
    answers = run(add([*quiet(START_S), *voice(1, level_db, pitch_hz), *quiet(1)], noise(3, -64)))
    (at,) = raised(answers)
    onset = round(START_S * 50)
    assert onset + VOICED_FRAMES - 1 <= at <= onset + 10
    assert all(answers[at : onset + 50]), "it stays pending while the voice goes on"


@pytest.mark.parametrize(
    "background",
    [
        pytest.param(noise(4, -42), id="white_noise"),
        pytest.param(noise(4, -42, smooth=8), id="low_noise"),
        pytest.param(hum(4, -42), id="hum"),
    ],
)
def test_a_voice_over_a_steady_noise(background: Signal) -> None:
    answers = run(add(background, [*quiet(2), *voice(1, -28), *quiet(1)]))
    (at,) = raised(answers)
    assert 107 <= at <= 116
    assert not answers[-1]


def test_a_candidate_ends_300_ms_after_the_voice_and_a_pause_within_a_sentence_does_not_end_it() -> None:
    answers = run([*quiet(1), *voice(0.5, -20), *quiet(0.22), *voice(0.5, -20), *quiet(1)])
    (at,) = raised(answers)
    end = round((1 + 0.5 + 0.22 + 0.5) * 50)
    assert all(answers[at:end])
    assert not any(answers[end + 17 :])


def test_a_caller_who_talks_on_stays_heard() -> None:
    answers = run([*quiet(1), *voice(12, -24), *quiet(1)])
    (at,) = raised(answers)
    assert all(answers[at : 13 * 50])
    assert not answers[-1]


def test_a_voice_over_keypad_tones_is_heard() -> None:
    speech = [*quiet(1), *voice(2, -20), *quiet(1)]
    assert raised(run(add(speech, [*quiet(1.5), *keypad(2.5, "1", -30)])))


def test_a_tone_that_does_not_end_breaks_a_run_and_raises_nothing() -> None:
    tone = keypad(1.5, "5", -15, on_s=1.5)
    assert raised(run([*quiet(1), *voice(0.1, -20), *tone, *voice(0.1, -20), *quiet(1)])) == []


def test_a_machine_that_begins_is_dropped_and_becomes_the_floor() -> None:
    answers = run([*quiet(1), *hum(6, -30)])
    assert not any(answers[150:])


def test_noise_within_a_candidate_does_not_hold_it() -> None:
    answers = run([*quiet(1), *voice(0.6, -20), *noise(3, -34)])
    assert len(raised(answers)) == 1
    assert not any(answers[130:])


def test_a_tone_within_a_candidate_does_not_hold_it() -> None:
    answers = run([*quiet(1), *voice(0.6, -20), *keypad(3, "8", -20, on_s=3.0)])
    assert not answers[-1]


# ---------------------------------------------------------------- our own voice


@cache
def our_voice(seconds: float, seed: int = 3) -> Signal:
    """Words of ours with pauses, at -18 dBFS: pitch, vowels and lengths change."""
    draw, out = random.Random(seed), [0.0] * 4000
    while len(out) < seconds * 8000:
        out += voice(draw.uniform(0.3, 0.8), -18, draw.uniform(100, 180), seed=draw.randrange(1000))
        out += [0.0] * int(draw.uniform(0.05, 0.4) * 8000)
    return out[: int(seconds * 8000)]


@pytest.mark.parametrize("delay_ms", [60, 175, 310, 450, 590])
@pytest.mark.parametrize("loss_db", [20, 26])
def test_our_echo_is_no_candidate(delay_ms: int, loss_db: float) -> None:
    far = our_voice(7)
    near = add(scaled(delayed(far, delay_ms), -loss_db), noise(7, -62))
    detector = make()
    assert raised(run(near, frames(far), detector)) == []
    found_ms = detector.echo_delay_ms
    assert found_ms is not None
    assert abs(found_ms - delay_ms) <= 20


def test_a_caller_over_our_echo_is_heard() -> None:
    far = our_voice(7)
    caller = [*([0.0] * 40_000), *voice(1.2, -22, 210, seed=77), *([0.0] * 6_400)]
    near = add(add(scaled(delayed(far, 210), -24), caller), noise(7, -62))
    (at,) = raised(run(near, frames(far)))
    assert 250 + VOICED_FRAMES - 1 <= at <= 270


def test_an_echo_whose_delay_jumps_is_found_again() -> None:
    far = our_voice(12)
    early, late = scaled(delayed(far, 120), -24), scaled(delayed(far, 320), -24)
    near = add([*early[:40_000], *late[40_000:]], noise(12, -62))
    detector = make()
    assert len(raised(run(near, frames(far), detector))) <= 1
    assert detector.echo_delay_ms == pytest.approx(320, abs=20)


def test_a_caller_while_nothing_was_sent_is_no_echo() -> None:
    answers = run([*quiet(1), *voice(1, -36), *quiet(1)], [SILENCE] * 150)
    assert len(raised(answers)) == 1


def test_sent_is_optional_and_none_is_silence() -> None:
    near = [*quiet(1), *voice(1, -30), *quiet(1)]
    silent, untold = make(), make()
    for frame in frames(near):
        silent.sent(None)
        assert silent.feed(frame, True) == untold.feed(frame, False)


def test_a_quiet_caller_is_not_taken_for_an_echo() -> None:
    """As loud as an echo could be, and nothing like what was sent."""
    caller = [*([0.0] * 24_000), *voice(1.2, -36, 210, seed=77), *([0.0] * 24_000)]
    (at,) = raised(run(add(caller, noise(7, -62)), frames(our_voice(7))))
    assert 150 + VOICED_FRAMES - 1 <= at <= 165


def test_louder_than_an_echo_can_be_is_the_caller() -> None:
    """Without a search: the line never gives our voice back at a sixth of its strength or more."""
    far = our_voice(7)
    answers = run(add(scaled(delayed(far, 200), -8), noise(7, -62)), frames(far))
    assert any(answers)


@pytest.mark.parametrize("frame", [b"", SILENCE[:-1], SILENCE + b"\xff"])
def test_only_whole_frames(frame: bytes) -> None:
    with pytest.raises(ContractError):
        make().feed(frame, True)
    with pytest.raises(ContractError):
        make().sent(frame)


def test_a_candidate_tells_its_voiced_frames() -> None:
    detector = make()
    seen = 0
    for frame in frames([*quiet(1), *voice(1, -20), *quiet(1)]):
        was = detector.is_pending
        if detector.feed(frame, True) and not was:
            seen = detector.voiced_frames
    assert seen == VOICED_FRAMES
    assert detector.voiced_frames == 0


def test_signals_are_what_they_are_called() -> None:
    """The level of the test's own signals, so that the tables above mean what they say."""
    for signal, level_db in ((voice(1, -20), -20), (noise(1, -35), -35), (hum(1, -42), -42)):
        rms = math.sqrt(sum(x * x for x in signal) / len(signal))
        assert 20 * math.log10(rms) == pytest.approx(level_db, abs=1)
    assert {len(frame) for frame in frames(quiet(1))} == {FRAME_BYTES}
    assert struct.calcsize("=h") == 2
