"""The model stand-in misbehaving: behaviours 13 to 20 of its README.md, the handshake, control, and wss."""

import os
import select
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import websocket

from media_ws_ai.peers import speech
from media_ws_ai.peers.model.process import ModelPeer
from tests.socket.model_client import AUTHORIZED, MODEL, Client, connected

QUICK: dict[str, Any] = {"created_ms": 5, "ttfb_ms": 5, "first_audio_ms": 5}
SHORT: dict[str, Any] = {"text": "שלום", "seconds": 0.5, **QUICK}
COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"
DELTA = "conversation.item.input_audio_transcription.delta"


@pytest.fixture(scope="module")
def peer() -> Iterator[ModelPeer]:
    with ModelPeer({"greeting": SHORT, "default": SHORT, "speed": 50}) as running:
        yield running
        assert running.stderr() == ""


@pytest.fixture
def client(peer: ModelPeer) -> Iterator[Callable[..., Client]]:
    """A function that opens a connection under a scenario of its own."""
    opened: list[Client] = []

    def open_one(**scenario: Any) -> Client:
        peer.next({"greeting": SHORT, "default": SHORT, "speed": 50, **scenario})
        opened.append(Client(peer.url))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


# -- 13: transcripts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hearing", "kind", "text"),
    [
        ({"text": "מה שהתסריט אומר"}, COMPLETED, "מה שהתסריט אומר"),
        ({"text": ""}, COMPLETED, ""),
        ({"result": "failed"}, FAILED, None),
        ({"fail_models": ["gpt-realtime-whisper"]}, FAILED, None),
        ({"deltas": "whole"}, COMPLETED, speech.CLIPS["he_yes"].text),
    ],
)
def test_13_results(client: Callable[..., Client], hearing: dict[str, Any], kind: str, text: str | None) -> None:
    one = client(hearing={"delay_ms": 20, **hearing})
    one.configure()
    one.say("he_yes")
    result = one.until(kind)
    assert result.get("transcript") == text
    if kind == FAILED:
        assert result["error"]["code"] in ("audio_unintelligible", "DeploymentNotFound")
    else:
        assert "".join(event["delta"] for event in one.of(DELTA)) == text
        assert result["usage"]["type"] == "duration" and result["usage"]["seconds"] > 0


def test_13_usage_by_tokens_and_logprobs_only_when_included(client: Callable[..., Client]) -> None:
    one = client(hearing={"delay_ms": 1})
    include = ["item.input_audio_transcription.logprobs"]
    one.configure(include=include)
    one.say("he_book")
    assert len(one.until(COMPLETED)["logprobs"]) == len(speech.CLIPS["he_book"].text.split())
    transcription = {"model": "gpt-4o-transcribe", "language": "he"}
    one.configure(include=[], audio={"input": {"format": {"type": "audio/pcmu"}, "transcription": transcription}})
    one.say("he_book")
    result = one.until(COMPLETED)
    assert "logprobs" not in result
    assert result["usage"]["total_tokens"] == result["usage"]["input_tokens"] + result["usage"]["output_tokens"]


def test_13_never(client: Callable[..., Client]) -> None:
    one = client(hearing={"result": "never"})
    one.configure()
    one.forget()
    one.say("he_yes")
    one.until("conversation.item.done")
    assert one.quiet_for(300) == []


def test_13_unknown_audio_is_empty_or_failed_or_as_scripted(client: Callable[..., Client]) -> None:
    noise = speech.load("he_agent_bye") + speech.quiet_line(40)
    for scenario, kind, text in (
        ({}, COMPLETED, ""),
        ({"hearing": {"unknown": "failed", "delay_ms": 1}}, FAILED, None),
        ({"turns": [{"hear": {"text": "גברת כהן"}, "reply": SHORT}]}, COMPLETED, "גברת כהן"),
    ):
        one = client(**scenario)
        one.configure()
        one.append(noise)
        assert one.until(kind).get("transcript") == text


def test_13_late_and_out_of_order(client: Callable[..., Client]) -> None:
    late = {"delay_ms": 1, "after_next": True}
    one = client(turns=[{"clip": "he_book", "hear": late, "reply": SHORT}], hearing={"delay_ms": 1})
    one.configure()
    one.say("he_book")
    one.say("he_hours")
    texts = [one.until(COMPLETED)["transcript"] for _ in range(2)]
    assert texts == [speech.CLIPS["he_hours"].text, speech.CLIPS["he_book"].text]


def test_13_deltas_during_speech_come_before_the_item(client: Callable[..., Client]) -> None:
    one = client(hearing={"delay_ms": 5, "during_speech": True})
    one.configure()
    one.forget()
    one.say("he_book")
    text = one.until(COMPLETED)["transcript"]
    kinds = one.kinds()
    assert (
        kinds.index(DELTA) < kinds.index("input_audio_buffer.speech_stopped") < kinds.index("conversation.item.added")
    )
    assert "".join(event["delta"] for event in one.of(DELTA)) == text == speech.CLIPS["he_book"].text


def test_13_no_transcripts_unless_asked(client: Callable[..., Client]) -> None:
    one = client(hearing={"delay_ms": 1})
    audio = {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": "server_vad"}}}
    one.configure(audio=audio)
    one.say("he_yes")
    one.until("response.done")
    assert one.of(COMPLETED) == []


# -- 14, 15: extras, ends of a response -------------------------------------------------------------------


def test_14_extra_keys_and_one_unknown_event(client: Callable[..., Client]) -> None:
    one = client()
    one.configure()
    done = one.respond()["response"]
    assert len(one.of("session.telemetry.sampled")) == 1
    assert all("obfuscation" in event for event in one.of("response.output_audio_transcript.delta"))
    assert done["output"][0]["phase"] == "final_answer"
    assert done["usage"]["output_token_details"]["reasoning_tokens"] == 31
    plain = client(extras=False)
    plain.configure()
    plain.respond()
    assert not plain.of("session.telemetry.sampled")
    assert "phase" not in plain.of("response.done")[0]["response"]["output"][0]


@pytest.mark.parametrize(
    ("reply", "details"),
    [
        ({"status": "failed", "code": "rate_limit_exceeded"}, {"type": "failed"}),
        ({"status": "failed"}, {"type": "failed"}),
        ({"status": "failed", "end_after_ms": 200}, {"type": "failed"}),
        ({"status": "incomplete"}, {"type": "incomplete", "reason": "max_output_tokens"}),
        ({"status": "incomplete", "code": "content_filter"}, {"type": "incomplete", "reason": "content_filter"}),
    ],
)
def test_15_failed_and_incomplete_then_the_next_attempt(
    client: Callable[..., Client], peer: ModelPeer, reply: dict[str, Any], details: dict[str, Any]
) -> None:
    one = client(greeting=[{**SHORT, **reply}, {**SHORT, "text": "עכשיו כן"}])
    one.configure()
    done = one.respond()["response"]
    assert done["status"] == reply["status"]
    assert details.items() <= done["status_details"].items()
    if done["status"] == "failed":
        assert done["status_details"]["error"]["code"] == reply.get("code")
    assert bool(done["output"]) == (reply["status"] == "incomplete" or "end_after_ms" in reply)
    assert one.respond()["response"]["status"] == "completed"
    assert peer.session()["responses"][-1]["text"] == "עכשיו כן"


def test_15_max_output_tokens_cut_a_long_answer(client: Callable[..., Client]) -> None:
    one = client(greeting={**SHORT, "seconds": 10, "burst": True})
    one.configure(max_output_tokens=100)
    done = one.respond()["response"]
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert 5000 <= len(one.audio()) / 8 < 5500


def test_15_odd_responses(client: Callable[..., Client]) -> None:
    one = client(greeting=[{**SHORT, "done_without_created": True}, {"empty": True, **QUICK}], default={"empty": True})
    one.configure()
    one.forget()
    one.respond()
    assert "response.created" not in one.kinds()
    assert one.respond()["response"]["output"] == []


# -- stalls and cuts inside a reply -----------------------------------------------------------------------


def test_a_swallowed_create_leaves_room_for_another(client: Callable[..., Client]) -> None:
    one = client(greeting=[{**SHORT, "stall": "no_created"}, SHORT], extras=False)
    one.configure()
    one.forget()
    one.send("response.create")
    assert one.quiet_for(200) == []
    one.send("response.cancel")
    assert one.error()["code"] == "response_cancel_not_active"
    assert one.respond()["response"]["status"] == "completed"


def test_a_swallowed_create_may_come_back(client: Callable[..., Client]) -> None:
    one = client(greeting={**SHORT, "stall": "no_created", "stall_ms": 200})
    one.configure()
    one.send("response.create")
    assert one.until("response.done")["response"]["status"] == "completed"


def test_created_and_then_nothing_until_it_is_cancelled(client: Callable[..., Client]) -> None:
    one = client(greeting=[{**SHORT, "stall": "created"}, SHORT])
    one.configure()
    one.send("response.create")
    one.until("response.created")
    one.forget()
    assert one.quiet_for(200) == []
    one.send("response.cancel")
    assert one.until("response.done")["response"]["status"] == "cancelled"
    assert one.respond()["response"]["status"] == "completed"


def test_audio_that_stops_in_the_middle(client: Callable[..., Client]) -> None:
    one = client(greeting={**SHORT, "seconds": 4, "stall": "audio", "end_after_ms": 1000})
    one.configure()
    one.send("response.create")
    one.until("response.output_audio.delta")
    one.quiet_for(300)
    assert 1000 <= len(one.audio()) / 8 <= 1250


def test_a_cancel_may_be_ignored(client: Callable[..., Client]) -> None:
    one = client(greeting={**SHORT, "seconds": 2, "speed": 10, "ignore_cancel": True})
    one.configure()
    one.send("response.create")
    one.until("response.output_audio.delta")
    one.send("response.cancel")
    assert one.until("response.done")["response"]["status"] == "completed"


def test_the_service_may_cancel_by_turn_detected_on_its_own(client: Callable[..., Client]) -> None:
    one = client(greeting={**SHORT, "seconds": 4, "cancel_by_turn_detected_ms": 1000})
    one.configure()
    done = one.respond()["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


@pytest.mark.parametrize("code", [1006, 1011, 1001])
def test_16_the_line_drops_in_the_middle_of_a_reply(client: Callable[..., Client], peer: ModelPeer, code: int) -> None:
    one = client(greeting={**SHORT, "seconds": 4, "drop_line": {"after_ms": 1000, "code": code}})
    one.configure()
    one.send("response.create")
    assert one.until_end()[0] == code
    ended = peer.wait(lambda log: log["ended"])["ended"]
    assert (ended["by"], ended["code"]) == ("server", code)
    if code != 1006:  # a reset throws away what is on its way
        assert 1000 <= len(one.audio()) / 8 <= 1250


# -- 16: ends of a session --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "has_error", "code"),
    [
        ("error_1001", True, 1001),
        ("close_1001", False, 1001),
        ("1011", False, 1011),
        ("1012", False, 1012),
        ("1013", False, 1013),
        ("drop", False, 1006),
    ],
)
def test_16_expiry(client: Callable[..., Client], how: str, has_error: bool, code: int) -> None:
    one = client(expire_after_s=0.2, expire_how=how)
    ended, reason = one.until_end()
    assert ended == code
    assert ("maximum duration" in reason) == (code == 1001)
    assert [event["error"]["code"] for event in one.of("error")] == (["session_expired"] if has_error else [])


def test_16_expiry_with_an_error_only_and_as_a_stall(client: Callable[..., Client]) -> None:
    one = client(expire_after_s=0.1, expire_how="error_only")
    assert one.error()["code"] == "session_expired"
    one.configure()
    other = client(expire_after_s=0.1, expire_how="stall")
    other.configure()
    other.forget()
    other.quiet_for(200)
    other.send("session.update", session={"type": "realtime"})
    assert other.quiet_for(200) == []


def test_16_control_freezes_thaws_stalls_closes_and_kills(client: Callable[..., Client], peer: ModelPeer) -> None:
    one = client()
    one.configure()
    number = peer.session()["session"]
    for stop in ("freeze", "stall"):
        assert peer.act("last", stop) == [number]
        one.forget()
        one.send("response.create")
        assert one.quiet_for(200) == []
        peer.act(number, "thaw")
        one.until("response.done")
    peer.act("all", "close:1013")
    assert one.until_end()[0] == 1013
    another = client()
    another.configure()
    peer.act("last", "kill")
    assert another.until_end()[0] == 1006
    with pytest.raises(ValueError, match="no act 'explode'"):
        client()
        peer.wait(lambda log: log["server"])
        peer.act("all", "explode")


def test_16_a_frozen_line_is_let_go_when_its_peer_leaves(client: Callable[..., Client], peer: ModelPeer) -> None:
    one = client(freeze_after_s=0.05)
    one.configure()
    number = peer.session()["session"]
    assert one.quiet_for(150) == []
    one.close()
    peer.wait(lambda log: log["session"] == number and log["ended"])


def test_16_silent_and_late_services(client: Callable[..., Client], peer: ModelPeer) -> None:
    one = client(silent=True)
    one.send("session.update", session={"type": "realtime"})
    assert one.quiet_for(200) == []
    asked = time.monotonic()
    late = client(connect_delay_ms=150, session_created_delay_ms=150)
    late.until("session.created")
    assert time.monotonic() - asked >= 0.3


@pytest.mark.parametrize("rejected", [{"first": 1}, {"transcription_model": "gpt-realtime-whisper"}])
def test_an_update_is_rejected_as_scripted(client: Callable[..., Client], rejected: dict[str, Any]) -> None:
    one = client(reject_update=rejected)
    one.until("session.created")
    transcription = {"model": "gpt-realtime-whisper"}
    update = {"type": "realtime", "audio": {"input": {"transcription": transcription}}}
    one.send("session.update", event_id="one", session=update)
    assert one.error()["event_id"] == "one"
    transcription["model"] = "gpt-4o-transcribe"
    one.send("session.update", session=update)
    assert one.until("session.updated")["session"]["audio"]["input"]["transcription"]["model"] == "gpt-4o-transcribe"


def test_echoes_of_an_update_that_lie(client: Callable[..., Client]) -> None:
    wrong = client(update_echo="wrong_format").configure()["session"]["audio"]
    assert wrong["output"]["format"]["type"] == "audio/pcm"
    flags = client(update_echo="wrong_flags").configure()["session"]["audio"]["input"]["turn_detection"]
    assert flags["create_response"] is True
    bare = client(update_echo="no_formats").configure()["session"]["audio"]
    assert "format" not in bare["input"] and "format" not in bare["output"]
    none = client(update_echo="none")
    none.until("session.created")
    none.send("session.update", session={"type": "realtime"})
    assert none.quiet_for(200) == []


# -- 17, 18, 19, 20 ---------------------------------------------------------------------------------------


def test_17_usage_adds_up_grows_and_is_cached_from_the_second_turn(client: Callable[..., Client]) -> None:
    one = client(greeting={**SHORT, "seconds": 10, "burst": True}, hearing={"delay_ms": 1})
    one.configure(instructions="א" * 1000)
    usages = []
    for _ in range(3):
        usages.append(one.respond()["response"]["usage"])
        one.say("he_book")
        one.until(COMPLETED)
    for usage in usages:
        inside, out = usage["input_token_details"], usage["output_token_details"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["input_tokens"] == inside["text_tokens"] + inside["audio_tokens"]
        assert usage["output_tokens"] == out["text_tokens"] + out["audio_tokens"]
        assert inside["cached_tokens"] == sum(inside["cached_tokens_details"].values()) <= usage["input_tokens"]
    assert usages[0]["output_token_details"]["audio_tokens"] == 200
    assert [usage["input_token_details"]["cached_tokens"] > 0 for usage in usages] == [False, True, True]
    assert usages[0]["input_tokens"] < usages[1]["input_tokens"] < usages[2]["input_tokens"]


def test_18_a_slow_reader_is_survived(client: Callable[..., Client], peer: ModelPeer) -> None:
    one = client(greeting={"text": "x", "numbered": 120, "burst": True, **QUICK})
    one.configure(max_output_tokens="inf")
    one.send("response.create")
    peer.wait(lambda log: log["responses"] and log["responses"][0]["audio_ms"] > 1000)
    one.until("response.done")
    assert len(one.audio()) == 120 * 8000


def test_19_the_log_tells_what_the_client_sent_and_when(client: Callable[..., Client], peer: ModelPeer) -> None:
    one = client()
    began = time.monotonic()
    one.configure()
    one.append(speech.quiet_line(10))
    one.send("response.cancel", response_id="resp_x", made_up=1)
    one.error()
    log = peer.session()
    kinds = [entry["type"] for entry in log["client"]]
    assert kinds == ["session.update", "input_audio_buffer.append", "response.cancel"]
    assert (log["client"][1]["count"], log["client"][1]["bytes"]) == (10, 1600)
    assert log["client"][0]["event"]["event_id"] == "update"
    assert began <= log["client"][0]["at_s"] <= log["client"][2]["at_s"] <= time.monotonic()
    assert log["schema_errors"] == ["client response.cancel: unknown keys .made_up"]


def test_20_the_same_seed_gives_the_same_events(peer: ModelPeer) -> None:
    seen = []
    for _ in range(2):
        with ModelPeer({"greeting": SHORT, "seed": 7}, schema="off") as fresh, connected(fresh.url) as one:
            one.configure()
            one.respond()
            one.until("rate_limits.updated")
            unordered = [event for event in one.events if event["type"] != "session.telemetry.sampled"]
            seen.append([(event["type"], event.get("item_id"), event.get("delta")) for event in unordered])
    assert seen[0] == seen[1]


def test_20_speed_of_the_process_goes_over_that_of_its_scenarios() -> None:
    slow = {"greeting": {**SHORT, "seconds": 30}, "speed": 1}
    with ModelPeer(slow, speed=100, schema="off") as fast, connected(fast.url) as one:
        one.configure()
        asked = time.monotonic()
        one.respond()
        assert time.monotonic() - asked < 10


def test_20_time_scale_hurries_everything(client: Callable[..., Client]) -> None:
    one = client(greeting={"text": "x", "seconds": 1, "created_ms": 20_000, "ttfb_ms": 20_000}, time_scale=200)
    one.configure()
    asked = time.monotonic()
    one.respond()
    assert time.monotonic() - asked < 10


# -- handshake, control, TLS, life ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "path", "headers", "status"),
    [
        ({}, f"?model={MODEL}", [], 401),
        ({}, "", AUTHORIZED, 400),
        ({"refuse_status": 401}, f"?model={MODEL}", AUTHORIZED, 401),
        ({"refuse_status": 403}, f"?model={MODEL}", AUTHORIZED, 403),
        ({"refuse_status": 429}, f"?model={MODEL}", AUTHORIZED, 429),
        ({"refuse_status": 500}, f"?model={MODEL}", AUTHORIZED, 500),
    ],
)
def test_handshakes_are_refused(
    peer: ModelPeer, scenario: dict[str, Any], path: str, headers: list[str], status: int
) -> None:
    peer.next(scenario)
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(peer.url + path, header=headers, timeout=15)
    assert refused.value.status_code == status
    assert b'"error"' in (refused.value.resp_body or b"")


def test_the_beta_header_is_refused_with_4000(peer: ModelPeer) -> None:
    with connected(peer.url, header=[*AUTHORIZED, "OpenAI-Beta: realtime=v1"]) as one:
        assert one.until_end() == (4000, "invalid_request_error.beta_api_shape_disabled")
        assert one.events[0]["error"]["code"] == "beta_api_shape_disabled"


def test_control_refuses_nonsense_in_a_sentence(peer: ModelPeer) -> None:
    with pytest.raises(ValueError, match="scenario has no key 'greating'"):
        peer.next({"greating": {}})
    with pytest.raises(ValueError, match=r"scenario.greeting\[0\].speed must be a float"):
        peer.scenario({"greeting": {"speed": "fast"}})
    with pytest.raises(ValueError, match="an act is"):
        peer.control("act", {"what": 1})


def test_count_next_and_reset(peer: ModelPeer) -> None:
    peer.reset()
    before = peer.count()
    peer.next({"greeting": {**SHORT, "text": "פעם אחת"}})
    with connected(peer.url) as one, connected(peer.url) as two:
        for each in (one, two):
            each.configure()
            each.respond()
        assert peer.count() == {"total": before["total"] + 2, "open": before["open"] + 2}
    assert [log["responses"][0]["text"] for log in peer.log()[-2:]] == ["פעם אחת", "שלום"]


def test_wss_with_a_throw_away_authority(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    cert, key, ca = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(ca))
    with ModelPeer({"greeting": SHORT}, cert=cert, key=key, schema="off") as secure:
        assert secure.url.startswith("wss://")
        with connected(secure.url, sslopt={"ca_certs": str(ca), "cert_reqs": ssl.CERT_REQUIRED}) as one:
            one.configure()
            assert one.respond()["response"]["status"] == "completed"
            secure.act("all", "freeze")
            one.forget()
            one.send("response.create")
            assert one.quiet_for(200) == []
            secure.act("all", "thaw")
            one.until("response.done")
            secure.act("all", "kill")
            assert one.until_end()[0] == 1006
        with pytest.raises(ssl.SSLError):
            websocket.create_connection(secure.url, header=AUTHORIZED, timeout=15)


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL of the parent"])
def test_the_process_ends_at_once_and_with_its_parent(way: str) -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from media_ws_ai.peers.model.process import ModelPeer; p = ModelPeer(schema='off').start();"
            "print(p.pid, flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert owner.stdout is not None and owner.stdin is not None
    pid = int(owner.stdout.readline())
    watched = os.pidfd_open(pid)
    try:
        if way == "SIGTERM":
            os.kill(pid, signal.SIGTERM)
        else:
            owner.kill()
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        assert poll.poll(15_000), f"{pid} lives on"
    finally:
        os.close(watched)
        owner.kill()
        owner.wait()
        owner.stdin.close()
        owner.stdout.close()


def test_a_broken_scenario_file_is_told_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    file.write_text('{"turns": [{"reply": {"txet": "?"}}]}')
    command = [sys.executable, "-m", "media_ws_ai.peers.model", "--scenario", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert done.stderr.startswith("scenario.turns[0].reply[0] has no key 'txet'; it knows ")
