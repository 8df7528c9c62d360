"""The stopwatch and the script: arithmetic on times given by the test."""

import math
import struct
from pathlib import Path
from typing import Any

import pytest

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE
from media_ws_ai.peers import numbered
from media_ws_ai.peers.carrier.messages import Clear, Invalid, Mark, Media, judge
from media_ws_ai.peers.carrier.plan import Step, Trigger
from media_ws_ai.peers.carrier.script import Ear, Script
from media_ws_ai.peers.carrier.sound import NotAudio, Riff, has_sound, ulaw_of_wav
from media_ws_ai.peers.carrier.stopwatch import Stopwatch

TONE = numbered.tone_frame()


def heard(arrivals: list[tuple[float, bytes]]) -> Stopwatch:
    watch = Stopwatch()
    watch.zero = 0.0
    for at, payload in arrivals:
        watch.media(payload, at, 1)
    return watch


def paced(count: int, start: float = 0.0, utterance: int | None = None) -> list[tuple[float, bytes]]:
    return [
        (start + n * 0.02, TONE if utterance is None else numbered.stamp(TONE, 1, utterance, n)) for n in range(count)
    ]


def rows(watch: Stopwatch) -> Any:
    return watch.figures()["utterances"]


def test_a_paced_utterance() -> None:
    (row,) = rows(heard(paced(101)))
    assert (row["frames"], row["fps"], row["max_gap_ms"], row["duration_ms"]) == (101, 50, 20, 2000)
    assert row["fps_by_second"] == [50, 50]
    assert row["underruns"] == {size: {"count": 0, "ms": 0} for size in ("0", "20", "60")}


def test_a_hole_is_an_underrun_for_buffers_smaller_than_it() -> None:
    late = [(at + (0.1 if n >= 10 else 0.0), payload) for n, (at, payload) in enumerate(paced(20))]
    (row,) = rows(heard(late))
    assert row["max_gap_ms"] == 120
    assert row["underruns"]["0"] == {"count": 1, "ms": 100}
    assert row["underruns"]["60"] == {"count": 1, "ms": 100}
    late = [(at + (0.05 if n >= 10 else 0.0), payload) for n, (at, payload) in enumerate(paced(20))]
    assert rows(heard(late))[0]["underruns"]["60"]["count"] == 0


def test_a_pause_divides_unnumbered_audio_and_not_numbered() -> None:
    assert len(rows(heard(paced(10) + paced(10, 1.0)))) == 2
    whole = paced(20, utterance=3)
    torn = whole[:10] + [(at + 1.0, payload) for at, payload in whole[10:]]
    (row,) = rows(heard(torn))
    assert row["max_gap_ms"] == 1020
    two = paced(5, utterance=1) + paced(5, 0.1, utterance=2)
    assert [row["key"] for row in rows(heard(two))] == [[1, 1], [1, 2]]


def test_audio_sent_ahead_is_one_utterance_however_long_the_silence_on_the_wire() -> None:
    arrivals = [(0.0, TONE * 100), (1.5, TONE * 10)]
    assert len(rows(heard(arrivals))) == 1


def test_first_sound_passes_over_silence_and_a_quiet_line() -> None:
    watch = heard([(0.0, SILENCE), (0.02, b"\x7e" * FRAME_BYTES), (0.04, TONE)])
    assert watch.figures()["first_sound_ms"] == 40


def test_old_audio_after_clear_by_number_and_by_run() -> None:
    numbers = paced(20, utterance=1)
    watch = heard(numbers[:10])
    watch.clear(0.2, 0.0)
    for at, payload in [*numbers[10:15], *paced(5, 0.4, utterance=2)]:
        watch.media(payload, at, 1)
    assert watch.figures()["old_audio_ms"] == 100
    assert [row["frames"] for row in rows(watch)] == [10, 5]
    watch = heard(paced(10))
    watch.clear(0.19, 0.0)
    for at, payload in paced(3, 0.2) + paced(5, 1.0):
        watch.media(payload, at, 1)
    assert watch.figures()["old_audio_ms"] == 60
    assert [row["frames"] for row in rows(watch)] == [10, 5]


def test_the_answer_counts_from_the_end_of_the_voice() -> None:
    watch = heard(paced(5))
    turn = watch.caller_began("כן", 1.0, False)
    watch.caller_ended(turn, 1.5)
    watch.media(SILENCE, 1.6, 1)
    watch.media(TONE, 2.1, 1)
    turns: Any = watch.figures()["turns"]
    (row,) = turns
    assert (row["text"], row["answer_ms"]) == ("כן", 600)


SID = "MZ1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"/w=="}}', Media(b"\xff")),
        ('{"event":"mark","streamSid":"MZ1","mark":{"name":"a"}}', Mark("a")),
        ('{"event":"clear","streamSid":"MZ1"}', Clear()),
        ('{"event":"clear","streamSid":"MZ1","clear":{}}', "extra or missing clear"),
        ('{"event":"clear","streamSid":"MZ2"}', "wrong streamSid"),
        ('{"event":"clear","stream_sid":"MZ1"}', "extra or missing"),
        ('{"event":"mark","streamSid":"MZ1","mark":{"name":null}}', "non-empty string"),
        ('{"event":"mark","streamSid":"MZ1","mark":{"name":""}}', "non-empty string"),
        ('{"event":"mark","streamSid":"MZ1","mark":"a"}', "exactly name"),
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"/w"}}', "bad base64"),
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"/w==\\n"}}', "bad base64"),
        ('{"event":["media"],"streamSid":"MZ1"}', "unknown event"),
        ("[]", "not an object"),
        ("nonsense", "not JSON"),
    ],
)
def test_messages_are_judged_to_the_letter(text: str, expected: object) -> None:
    found = judge(text.encode(), SID)
    if isinstance(expected, str):
        assert isinstance(found, Invalid) and expected in found.fault and found.code == "31951"
    else:
        assert found == expected


def due(script: Script, ear: Ear, at: float) -> str | None:
    step = script.next_step(ear, at)
    return None if step is None else step.do


def test_answered_waits_for_an_utterance_that_began_after_the_caller_did() -> None:
    script = Script((Step("say", "x", when=Trigger("agent_done")), Step("hangup", when=Trigger("answered"))))
    ear = Ear(started_at=0.0)
    script.start(0.0)
    assert due(script, ear, 5.0) is None
    ear.agent_starts, ear.agent_until, ear.last_media_at = [5.0], 6.0, 6.0
    assert due(script, ear, 6.5) is None
    assert due(script, ear, 6.6) == "say"
    script.step_done(7.0)
    assert due(script, ear, 9.0) is None
    ear.agent_starts, ear.agent_until, ear.last_media_at = [5.0, 7.5], 8.0, 8.0
    assert due(script, ear, 8.7) == "hangup"


def test_a_trigger_that_does_not_come_is_passed_over_in_time_and_named() -> None:
    script = Script((Step("hangup", when=Trigger("clear", within_ms=1000)),))
    script.start(0.0)
    assert due(script, Ear(started_at=0.0), 0.9) is None
    assert due(script, Ear(started_at=0.0), 1.0) == "hangup"
    assert script.missed == [{"step": 0, "do": "hangup", "after": "clear"}]


def test_a_step_may_fall_into_the_middle_of_the_word_before() -> None:
    script = Script((Step("say", "x"), Step("hangup", when=Trigger("caller_starts", 700))))
    ear = Ear(started_at=0.0)
    script.start(0.0)
    assert due(script, ear, 0.0) == "say"
    ear.caller_began_at = 0.1
    assert due(script, ear, 0.79) is None
    assert due(script, ear, 0.8) == "hangup"


def wav(tag: int, channels: int, rate_hz: int, bits: int, data: bytes) -> bytes:
    width = bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * channels * width, channels * width, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"LIST\x03\x00\x00\x00abc\x00"
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def sine(rate_hz: int, pack: str, scale: float, offset: float = 0.0, channels: int = 1) -> bytes:
    values = [math.sin(2 * math.pi * 400 * n / rate_hz) * scale + offset for n in range(rate_hz)]
    if pack == "24":
        return b"".join(int(value).to_bytes(3, "little", signed=True) * channels for value in values)
    code = (lambda value: value) if pack == "f" else int
    return b"".join(struct.pack("<" + pack, code(value)) * channels for value in values)


@pytest.mark.parametrize(
    ("tag", "channels", "rate_hz", "bits", "data"),
    [
        (1, 1, 8000, 16, sine(8000, "h", 10000)),
        (1, 2, 44100, 16, sine(44100, "h", 10000, channels=2)),
        (1, 3, 16000, 16, sine(16000, "h", 10000, channels=3)),
        (1, 1, 11025, 8, sine(11025, "B", 80, 128)),
        (1, 1, 48000, 24, sine(48000, "24", 2_500_000)),
        (1, 1, 22050, 32, sine(22050, "i", 700_000_000)),
        (3, 1, 16000, 32, sine(16000, "f", 0.3)),
        (7, 1, 8000, 8, numbered.tone_frame() * 50),
    ],
)
def test_any_wav_becomes_whole_frames(
    tmp_path: Path, tag: int, channels: int, rate_hz: int, bits: int, data: bytes
) -> None:
    file = tmp_path / "any.wav"
    file.write_bytes(wav(tag, channels, rate_hz, bits, data))
    made = ulaw_of_wav(file)
    assert len(made) % FRAME_BYTES == 0
    assert len(made) == pytest.approx(8000, abs=FRAME_BYTES)
    assert has_sound(made[:FRAME_BYTES])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a WAV"),
        (b"RIFF\x04\x00\x00\x00WAVE", "no format or no data"),
        (wav(1, 1, 8000, 16, b""), "holds no audio"),
        (wav(85, 1, 8000, 8, b"x"), "format tag 85"),
        (wav(1, 0, 8000, 16, b"xx"), "cannot be played"),
    ],
)
def test_what_is_no_wav_is_refused_with_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "no.wav"
    file.write_bytes(content)
    with pytest.raises(NotAudio, match=sentence):
        ulaw_of_wav(file)


def test_a_clips_length_is_read_from_its_header() -> None:
    assert Riff.of(wav(7, 1, 8000, 8, TONE * 5)).ms == 100
