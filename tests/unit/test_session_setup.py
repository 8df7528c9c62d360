"""From `start` to a session that is as asked, and every way in which it is not (issue 2 §3; P1, P2)."""

from typing import Any

import pytest

from media_ws_ai import commands as c
from media_ws_ai import events as e
from tests.paper_call import AS_ASKED, COMPACT, FULL, PaperCall

FRAME = b"\x55" * 160


def frames(count: int, first: int = 0) -> list[e.Event]:
    return [e.CallerFrame(bytes([n % 256]) * 160, 20 * n) for n in range(first, first + count)]


def refusal(call: PaperCall, about: str = "", code: str = "invalid_value", fatal: bool = False) -> e.ModelError:
    ref = call.all(c.Configure)[-1].ref
    return e.ModelError(code, "no", ref, fatal, about)


def test_one_configure_carries_every_value() -> None:
    tool = {"type": "function", "name": "f"}
    call = PaperCall(speed=1.1, tools=(tool,), max_output_tokens=2400)
    assert call.feed(e.ModelConnected(1, 80)) == ["[MODEL] connected in 80ms"], "nothing before the model greets"
    call.t = 0.2
    call.feed(e.ModelGreeted())
    [configure] = call.all(c.Configure)
    assert configure == c.Configure(
        configure.ref, COMPACT, "en", "marin", "gpt-realtime-whisper", 2400, speed=1.1, tools=(tool,)
    )
    assert call.feed(e.ModelGreeted()) == [], "a second greeting is nothing"
    call.t = 0.3
    assert call.feed(AS_ASKED) == [
        "[MODEL] session ready in 300ms model=gpt-realtime-2.1 voice=marin transcription=gpt-realtime-whisper",
        f"ask {call.last_ref}",
    ]
    assert len(call.all(c.Configure)) == 1
    assert "«Hello, Dana's.»" in call.all(c.RequestResponse)[0].instructions


def test_an_echo_without_transcription_is_named() -> None:
    call = PaperCall()
    call.feed(e.ModelConnected(1), e.ModelGreeted(), e.ModelConfigured(True, True, False))
    assert call.count("[MODEL] session ready") == 1
    assert "transcription=none" in " ".join(call.seen)


@pytest.mark.parametrize(("before", "released", "lost"), [(0, 0, 0), (3, 3, 0), (100, 100, 0), (130, 100, 30)])
def test_caller_audio_waits_for_the_session_two_seconds_of_it(before: int, released: int, lost: int) -> None:
    call = PaperCall()
    call.feed(e.ModelConnected(1), *frames(before // 2), e.ModelGreeted(), *frames(before - before // 2, before // 2))
    assert call.all(c.AppendAudio) == [], "not one frame before the session is as asked"
    call.feed(AS_ASKED)
    audio = b"".join(order.audio for order in call.all(c.AppendAudio))
    assert len(call.all(c.AppendAudio)) == (1 if before else 0), "released once, in one piece"
    assert audio == b"".join(bytes([n % 256]) * 160 for n in range(lost, before))
    assert call.session.link.lost_audio_frames == lost
    assert call.session.metrics(call.now).get("caller_frames_lost", 0) == lost
    call.feed(*frames(1, before))
    assert len(call.all(c.AppendAudio)[-1].audio) == 160
    assert call.session.link.appended_ms == (released + 1) * 20


def test_a_jump_of_the_carriers_clock_is_filled_with_silence() -> None:
    call = PaperCall()
    call.ready()
    assert call.feed(e.CallerFrame(FRAME, 0), e.CallerFrame(FRAME, 120)) == [
        "[MEDIA] gap filled: 100ms with 5 frames of silence"
    ]
    assert [order.audio for order in call.all(c.AppendAudio)] == [FRAME, *[b"\xff" * 160] * 5, FRAME]


def test_a_jump_before_the_session_is_ready_is_filled_and_told_all_the_same() -> None:
    call = PaperCall()
    assert call.feed(e.CallerFrame(FRAME, 0), e.CallerFrame(FRAME, 60)) == [
        "[MEDIA] gap filled: 40ms with 2 frames of silence"
    ]
    call.ready()
    assert [len(order.audio) for order in call.all(c.AppendAudio)] == [4 * 160]


@pytest.mark.parametrize(
    ("echo", "what"),
    [
        (e.ModelConfigured(False, True, True), "audio format"),
        (e.ModelConfigured(True, False, True), "turn detection"),
        (e.ModelConfigured(False, False, False), "audio format"),
    ],
)
@pytest.mark.parametrize("is_upgrade", [False, True], ids=["first echo", "echo of the upgrade"])
def test_an_echo_not_as_asked_is_an_apology_never_static(echo: e.ModelConfigured, what: str, is_upgrade: bool) -> None:
    call = PaperCall()
    if is_upgrade:
        call.ready()
        call.answer("r1", 2000)
        call.run(0.3)
    else:
        call.feed(e.ModelConnected(1), e.ModelGreeted())
    call.feed(*frames(10))
    asked, appended = call.count("ask "), len(call.all(c.AppendAudio))
    seen = call.feed(echo)
    assert f"[MODEL] session not as asked: {what}" in seen
    assert seen[-1] == "[CLIP] playing apology lang=en frames=50"
    call.feed(*frames(10, 10), e.ResponseCreated("r9", None), e.ModelAudio("r9", "i9", b"\x01" * 1600))
    call.run(2.0)
    assert call.count("ask ") == asked and len(call.all(c.AppendAudio)) == appended
    after = [out.audio for at, out in call.wire if out.kind == "media" and at > call.at("[MODEL] session not as asked")]
    assert set(after) == {b"\x12" * 160} and len(after) == 50, "the apology and nothing else is heard"
    assert call.count("hang up model_failed") == 1
    assert call.feed(e.HangupSettled("rest")) == ["finish model_failed 1000 intended"]


def test_an_update_refused_for_its_transcription_is_sent_once_more_with_the_fallback() -> None:
    call = PaperCall()
    call.feed(e.ModelConnected(1), e.ModelGreeted())
    assert call.feed(refusal(call, "transcription")) == [
        "[MODEL] error code=invalid_value retried message='no'",
        "[MODEL] fallback transcription whisper-1 instead of gpt-realtime-whisper",
        "configure whisper-1",
    ]
    call.feed(AS_ASKED)
    assert call.count("[MODEL] session ready") == 1 and "transcription=whisper-1" in " ".join(call.seen)
    assert call.count("ask ") == 1


@pytest.mark.parametrize(
    ("id_", "about", "changes", "times"),
    [
        ("another reason", "", {}, 1),
        ("no fallback to try", "transcription", {"transcribe_fallback": ""}, 1),
        ("the fallback refused too", "transcription", {}, 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_other_refusal_of_the_update_is_an_apology(
    id_: str, about: str, changes: dict[str, Any], times: int
) -> None:
    call = PaperCall(**changes)
    call.feed(e.ModelConnected(1), e.ModelGreeted())
    for _ in range(times):
        seen = call.feed(refusal(call, about))
    assert "[MODEL] error code=invalid_value fatal message='no'" in seen
    assert "[CLIP] playing apology lang=en frames=50" in seen
    call.run(2.0)
    assert call.count("hang up model_failed") == 1


def test_the_first_two_failed_transcriptions_bring_the_fallback_once() -> None:
    call = PaperCall()
    call.greeted()
    assert call.feed(e.TranscriptFailed("i1", "DeploymentNotFound")) == [
        "[TURN] caller transcription failed: DeploymentNotFound"
    ]
    assert call.feed(e.TranscriptFailed("i2", "DeploymentNotFound"))[1:] == [
        "[MODEL] fallback transcription whisper-1 instead of gpt-realtime-whisper",
        "transcribe whisper-1",
    ]
    assert len(call.feed(e.TranscriptFailed("i3", "x"), e.TranscriptFailed("i4", "x"))) == 2, "not again"
    assert call.session.turns.failed == 4


@pytest.mark.parametrize("changes", [{}, {"transcribe_fallback": ""}], ids=["one worked before", "no fallback"])
def test_later_failed_transcriptions_change_nothing(changes: dict[str, Any]) -> None:
    call = PaperCall(**changes)
    call.greeted()
    if not changes:
        call.said("i0")
    for n in range(4):
        call.feed(e.TranscriptFailed(f"i{n}", "x"))
    assert call.count("transcribe ") == 0


@pytest.mark.parametrize(
    ("id_", "events", "wait_s", "expected"),
    [
        ("no greeting for 3 s", [e.ModelConnected(1)], 3.1, ["renew 1 no_greeting"]),
        (
            "no echo for 2 s: once more, then anew",
            [e.ModelConnected(1), e.ModelGreeted()],
            4.2,
            ["configure gpt-realtime-whisper", "renew 1 no_echo"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_model_that_is_silent_during_set_up(
    id_: str, events: list[e.Event], wait_s: float, expected: list[str]
) -> None:
    call = PaperCall()
    call.feed(*events)
    call.orders.clear()
    seen = [text for text in call.run(wait_s) if not text.startswith(("[CLIP]", "[CALL]", "[MODEL]", "[TURN]"))]
    assert seen == expected


def test_a_prompt_in_force_is_what_a_new_connection_gets() -> None:
    call = PaperCall()
    call.greeted()
    call.feed(e.ModelLost(1, "closed", "1011"))
    call.feed(e.ModelConnected(2), e.ModelGreeted())
    assert [order.prompt for order in call.all(c.Configure)] == [COMPACT, FULL]


def test_a_connection_that_comes_after_the_end_was_decided_changes_nothing() -> None:
    call = PaperCall()
    call.feed(e.ModelConnected(1), e.ModelLost(1, "refused", "HTTP 401", is_hopeless=True))
    assert call.session.link.is_dead
    call.ready(link=2)
    assert call.session.link.is_dead and call.count("configure") == 0 and call.count("ask ") == 0
