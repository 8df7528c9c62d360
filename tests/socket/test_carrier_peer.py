"""The carrier stand-in against a worker that misbehaves in known ways: the stopwatch must see each."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from media_ws_ai.peers.carrier.process import CarrierError, CarrierPeer
from tests.waiting import eventually

Client: Any = import_module("twilio.rest").Client  # twilio ships no types
TwilioHttpClient: Any = import_module("twilio.http.http_client").TwilioHttpClient
TwilioRestException: Any = import_module("twilio.base.exceptions").TwilioRestException
RequestValidator: Any = import_module("twilio.request_validator").RequestValidator

TOKEN = "12345678901234567890123456789012"
HANG_UP = [{"hangup": True, "after": "agent_done", "quiet_ms": 900}]
ROOT = Path(__file__).parents[2]

Report = dict[str, Any]


class Worker:
    """The fake worker's process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.socket.fake_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def log(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + "/log", timeout=15) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def streams(self, call_sid: str) -> list[dict[str, Any]]:
        return [stream for stream in self.log()["streams"] if stream["call_sid"] == call_sid]

    def posts(self, call_sid: str) -> list[dict[str, Any]]:
        return [post for post in self.log()["posts"] if post["form"].get("CallSid") == call_sid]

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=15)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def carrier(worker: Worker) -> Iterator[CarrierPeer]:
    with CarrierPeer(worker.url, public_url="https://agent.example.com", token=TOKEN) as peer:
        yield peer


def one(carrier: CarrierPeer, mode: str, steps: list[dict[str, Any]] | None = None, **call: Any) -> Report:
    """The report of one call to the fake worker's `mode`."""
    plan = {"to": mode, "max_s": 40, "steps": HANG_UP if steps is None else steps, **call}
    return carrier.run([plan], timeout_s=60)[0]


def test_several_faults_are_seen_at_once(carrier: CarrierPeer) -> None:
    modes = ["clean", "gap", "long_gap", "lossy", "doubling", "swapping"]
    plan = [{"to": mode, "max_s": 40, "steps": HANG_UP} for mode in modes]
    clean, gap, long_gap, lossy, doubling, swapping = carrier.run(plan, timeout_s=60)
    for report in (clean, gap, long_gap, lossy, doubling, swapping):
        assert report["end"]["by"] == "caller", report["end"]
        assert len(report["utterances"]) == 1
        assert report["first_sound_ms"] is not None
        assert report["warnings"] == {}
    run = clean["utterances"][0]
    assert (run["frames"], clean["numbered"]["lost"], clean["numbered"]["doubled"]) == (60, 0, 0)
    assert run["fps"] > 30, "it is the voice of one who speaks in real time"
    assert clean["marks"]["received"] == 8 and clean["marks"]["lost"] == 0
    assert 110 <= gap["utterances"][0]["max_gap_ms"] < long_gap["utterances"][0]["max_gap_ms"]
    assert gap["utterances"][0]["underruns"]["20"]["count"] >= 1
    assert long_gap["utterances"][0]["max_gap_ms"] >= 700
    tally = [(r["numbered"]["lost"], r["numbered"]["doubled"], r["numbered"]["reordered"]) for r in
             (lossy, doubling, swapping)]  # fmt: skip
    assert tally == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def test_clear_discards_echoes_all_marks_and_shows_old_audio(carrier: CarrierPeer, worker: Worker) -> None:
    report = one(carrier, "burst", [{"wait": 1500}, {"hangup": True}])
    assert report["old_audio_ms"] == 100
    (clear,) = report["clears"]
    assert 1000 < clear["discarded_ms"] <= 1600
    assert report["marks"]["cleared"] >= 6 and report["marks"]["played"] >= 2
    (stream,) = worker.streams(report["call_sid"])
    echoes = [event for event in stream["events"] if event["event"] == "mark"]
    names = [event["mark"]["name"] for event in echoes]
    assert names[:10] == [f"b{n}" for n in range(9, 100, 10)]
    assert echoes[0]["at"] >= 0.19, "not before it would be heard"
    assert stream["sequence_ok"]


def test_messages_that_are_not_to_the_letter_are_ignored_and_counted(carrier: CarrierPeer) -> None:
    report = one(carrier, "wrong_messages")
    assert report["warnings"] == {"31951": 9, "31950": 1}
    assert report["warnings_31951"] == 9
    assert "track" in report["examples"]["31951"]
    assert report["numbered"]["frames"] == 5 and report["utterances"][0]["frames"] == 5


def test_a_lost_worker_is_asked_for_its_action_and_gets_a_fresh_stream(carrier: CarrierPeer, worker: Worker) -> None:
    report = one(carrier, "dies", [])
    assert report["end"]["by"] == "worker"
    assert [stream["ended"] for stream in report["streams"]] == ["lost", "closed"]
    assert report["warnings"]["31903"] == 1
    first, second = worker.streams(report["call_sid"])
    assert first["events"][1]["streamSid"] != second["events"][1]["streamSid"]
    assert second["sequence_ok"]
    paths = [post["path"] for post in worker.posts(report["call_sid"])]
    assert paths.count("/twilio/stream-ended") == 2 and paths[-1] == "/twilio/status"
    action = next(post for post in worker.posts(report["call_sid"]) if post["path"] == "/twilio/stream-ended")
    assert action["form"]["CallStatus"] == "in-progress"


def test_every_request_is_signed_as_the_carriers_library_checks_it(carrier: CarrierPeer, worker: Worker) -> None:
    report = one(carrier, "closes", [])
    validator = RequestValidator(TOKEN)
    posts = worker.posts(report["call_sid"])
    assert {post["form"].get("StreamEvent") for post in posts} >= {"stream-started", "stream-stopped"}
    for post in posts:
        url = "https://agent.example.com" + post["path"]
        assert validator.validate(url, post["form"], post["headers"]["x-twilio-signature"])
        assert post["headers"]["i-twilio-idempotency-token"]
        assert post["headers"]["host"] == "agent.example.com"
    completed = posts[-1]["form"]
    assert (completed["CallStatus"], completed["SequenceNumber"]) == ("completed", "0")
    (stream,) = worker.streams(report["call_sid"])
    assert validator.validate("wss://agent.example.com/twilio/media", {}, stream["signature"])


def test_forged_streams_and_webhooks_are_forged_in_one_place_only(carrier: CarrierPeer, worker: Worker) -> None:
    report = one(carrier, "closes", [], stream={"signature": "wrong"}, webhook={"signature": "wrong", "twice": True})
    assert report["end"]["by"] == "refused"
    (stream,) = worker.streams(report["call_sid"])
    validator = RequestValidator(TOKEN)
    assert not validator.validate("wss://agent.example.com/twilio/media", {}, stream["signature"])
    posts = [post for post in worker.posts(report["call_sid"]) if post["path"] == "/twilio/voice"]
    assert len({post["headers"]["i-twilio-idempotency-token"] for post in posts}) == 1 and len(posts) == 2
    url = "https://agent.example.com/twilio/voice"
    assert not any(validator.validate(url, post["form"], post["headers"]["x-twilio-signature"]) for post in posts)
    wrong = one(carrier, "closes", [], stream={"token": "wrong"})
    token = worker.streams(wrong["call_sid"])[0]["events"][1]["start"]["customParameters"]["token"]
    assert token != "secret-1" and wrong["end"]["by"] == "refused"


def test_a_second_stream_with_the_same_token_is_reported(carrier: CarrierPeer) -> None:
    report = one(carrier, "silent", [{"hangup": True, "at_ms": 800}], stream={"second_after_ms": 100})
    assert report["second_stream"]["close_code"] == 1008
    assert report["end"]["by"] == "caller"


def test_caller_speech_digits_gaps_and_rubbish_go_up_the_line(carrier: CarrierPeer, worker: Worker) -> None:
    steps: list[dict[str, Any]] = [
        {"say": "he_yes", "at_ms": 100},
        {"dtmf": "5#"},
        {"gap": 200},
        {"rubbish": "malformed"},
        {"rubbish": "unknown_event"},
        {"wait": 100},
        {"hangup": True},
    ]
    report = one(carrier, "silent", steps)
    (stream,) = worker.streams(report["call_sid"])
    assert [event["dtmf"]["digit"] for event in stream["events"] if event["event"] == "dtmf"] == ["5", "#"]
    jumps = [b - a for a, b in zip(stream["timestamps"], stream["timestamps"][1:], strict=False)]
    assert sorted(set(jumps)) == [20, 220] and jumps.count(220) == 1
    assert stream["bad"] == 1 and stream["sequence_ok"]
    assert stream["events"][-1]["event"] == "stop" and stream["close_code"] == 1000
    (turn,) = report["turns"]
    assert turn["text"] == "כן" and turn["answer_ms"] is None


def test_the_answer_is_timed_from_the_end_of_the_callers_voice(carrier: CarrierPeer) -> None:
    report = one(carrier, "later", [{"say": "he_yes", "at_ms": 0}, {"hangup": True, "after": "answered"}])
    (turn,), (answer,) = report["turns"], report["utterances"]
    assert not turn["over_agent"] and turn["answer_ms"] > 100
    assert turn["ended_ms"] + turn["answer_ms"] == pytest.approx(answer["sound_ms"], abs=0.1)
    over = one(carrier, "clean", [{"say": "he_yes", "after": "agent_starts", "ms": 200}, {"hangup": True}])
    assert over["turns"][0]["over_agent"]


def test_a_reset_ends_without_a_close_frame(carrier: CarrierPeer, worker: Worker) -> None:
    report = one(carrier, "clean", [{"reset": "call", "after": "agent_starts", "ms": 200}])
    assert report["end"]["by"] == "caller" and report["streams"][0]["ended"] == "reset"
    eventually(lambda: worker.streams(report["call_sid"])[0]["close_code"])
    assert worker.streams(report["call_sid"])[0]["close_code"] == 1006


def test_a_peer_that_stops_reading_blocks_the_worker_and_still_sends(carrier: CarrierPeer, worker: Worker) -> None:
    steps: list[dict[str, Any]] = [{"stop_reading": True, "at_ms": 50}, {"wait": 4000}, {"hangup": True}]
    report = one(carrier, "floods", steps, rcvbuf_bytes=4096)
    (stream,) = worker.streams(report["call_sid"])
    assert stream["blocked"] and stream["media"] > 150


def test_a_frozen_caller_sends_nothing_until_it_thaws(carrier: CarrierPeer, worker: Worker) -> None:
    steps: list[dict[str, Any]] = [{"freeze": True, "at_ms": 200}, {"wait": 600}, {"thaw": True}, {"wait": 200},
                                   {"hangup": True}]  # fmt: skip
    report = one(carrier, "clean", steps)
    (stream,) = worker.streams(report["call_sid"])
    jumps = [b - a for a, b in zip(stream["timestamps"], stream["timestamps"][1:], strict=False)]
    assert max(jumps) >= 580


def test_marks_may_be_lost_or_late(carrier: CarrierPeer) -> None:
    report = one(carrier, "clean", marks={"lose_every": 2})
    assert report["marks"]["lost"] == 4
    report = one(carrier, "clean", marks={"late_ms": 300})
    assert report["marks"]["late"] == 8


def test_spoken_twiml_is_noted_and_fetched(carrier: CarrierPeer) -> None:
    report = one(carrier, "say", [])
    say, play = report["heard"]
    assert (say["verb"], say["text"], say["language"]) == ("say", "שלום", "he-IL")
    assert (play["verb"], play["ms"], play["url"]) == ("play", 200, "https://agent.example.com/clip.wav")
    assert report["end"]["by"] == "worker"


@pytest.mark.parametrize(("mode", "code"), [("http500", "11200"), ("broken", "12100")])
def test_a_webhook_that_fails_is_an_end_with_the_carriers_code(carrier: CarrierPeer, mode: str, code: str) -> None:
    report = one(carrier, mode, [])
    assert report["end"]["by"] == "webhook" and code in report["warnings"]


def test_rest_hangs_up_redirects_and_refuses(carrier: CarrierPeer, worker: Worker) -> None:
    client = Client(carrier.account_sid, TOKEN, http_client=TwilioHttpClient(timeout=4))
    client.api.base_url = carrier.rest_url
    first, second, third = carrier.start(
        [{"to": "silent", "max_s": 40}, {"to": "silent", "max_s": 40}, {"to": "silent", "max_s": 40, "rest": {
            "answer": "slow", "slow_s": 5}}]
    )  # fmt: skip
    eventually(lambda: all(carrier.state()[sid]["stage"] == "streaming" for sid in (first, second, third)))
    assert client.calls(first).update(status="completed").status == "completed"
    client.calls(second).update(twiml="<Response><Say>bye</Say></Response>")
    with pytest.raises(Exception, match="timed out"):
        client.calls(third).update(status="completed")
    reports = carrier.wait(30)
    assert [report["end"]["by"] for report in reports] == ["rest", "worker", "rest"]
    assert reports[1]["heard"][0]["text"] == "bye"
    assert worker.streams(first)[0]["events"][-1]["event"] == "stop"
    assert "/twilio/stream-ended" not in {post["path"] for post in worker.posts(second)}
    with pytest.raises(TwilioRestException) as ended:
        client.calls(first).update(status="completed")
    assert (ended.value.status, ended.value.code) == (400, 21220)
    with pytest.raises(TwilioRestException) as unknown:
        client.calls("CA" + "0" * 32).fetch()
    assert (unknown.value.status, unknown.value.code) == (404, 20404)


def test_orders_reach_running_calls_and_bad_plans_are_refused(carrier: CarrierPeer, worker: Worker) -> None:
    (sid,) = carrier.start([{"to": "silent", "max_s": 40}])
    eventually(lambda: carrier.state()[sid]["stage"] == "streaming")
    assert carrier.act({"dtmf": "9"}, sid) == 1
    assert carrier.act({"hangup": True, "after": "+0ms"}, sid) == 1
    (report,) = carrier.wait(30)
    assert report["end"]["by"] == "caller"
    with pytest.raises(CarrierError, match="unknown key 'sya'"):
        carrier.start([{"steps": [{"sya": "he_yes"}]}])
    with pytest.raises(CarrierError, match="no clip 'he_nothing'"):
        carrier.start([{"steps": [{"say": "he_nothing"}]}])


def test_the_deadline_ends_a_call_that_nobody_ends(carrier: CarrierPeer) -> None:
    report = one(carrier, "silent", [], max_s=0.5)
    assert report["end"]["by"] == "deadline"
    assert report["end"]["at_ms"] > 250, "not at once: half a second, of which the dialling is a part"


def test_the_carrier_dies_with_its_owner() -> None:
    source = (
        "import os, sys\n"
        "from media_ws_ai.peers.carrier.process import CarrierPeer\n"
        "peer = CarrierPeer('http://127.0.0.1:1').__enter__()\n"
        "print(peer.pid, flush=True)\n"
        "os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=30, cwd=ROOT)
    pid = int(done.stdout)
    eventually(lambda: not Path(f"/proc/{pid}").exists() or "Z (" in Path(f"/proc/{pid}/stat").read_text())


def test_jitter_and_bursts_keep_the_clock(carrier: CarrierPeer, worker: Worker) -> None:
    steps: list[dict[str, Any]] = [{"hangup": True, "at_ms": 2000}]
    report = one(carrier, "silent", steps, jitter_ms=15, burst_frames=3, seed=4)
    (stream,) = worker.streams(report["call_sid"])
    sent, skipped = stream["timestamps"], report["streams"][0]["frames_skipped"]
    assert all(at % 20 == 0 for at in sent) and sent == sorted(set(sent)), "late or not, on the grid and in order"
    assert len(sent) <= 101 and sent[-1] == 20 * (len(sent) + skipped - 1), "what was not sent was counted"
    arrived = stream["arrived"]
    together = sum(b - a < 0.005 for a, b in zip(arrived, arrived[1:], strict=False))
    assert together > len(sent) / 3, "two in three come right behind another"


def test_a_stream_that_is_reset_while_the_caller_is_there_is_followed_by_the_action(
    carrier: CarrierPeer, worker: Worker
) -> None:
    report = one(carrier, "silent", [{"reset": "stream", "at_ms": 300}])
    assert report["end"]["by"] == "worker" and report["streams"][0]["ended"] == "reset"
    assert "/twilio/stream-ended" in {post["path"] for post in worker.posts(report["call_sid"])}


def place(*calls: tuple[str, ...]) -> list[subprocess.CompletedProcess[str]]:
    """`media-ws-ai call …` for each, at once, in processes of their own, whatever this one has patched."""
    command = [sys.executable, "-c", "from media_ws_ai.cli.main import main; main()", "call"]
    processes = [
        subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, encoding="utf-8"
        )
        for arguments in calls
    ]
    try:
        told = [process.communicate(timeout=60) for process in processes]
    finally:
        for process in processes:
            process.kill()  # not sent to one that has ended
    return [
        subprocess.CompletedProcess(process.args, process.returncode, *each)
        for process, each in zip(processes, told, strict=True)
    ]


def test_the_call_command_tells_the_call_and_its_figures(worker: Worker) -> None:
    (done,) = place(("--url", worker.url, "--to", "converses"))
    assert done.returncode == 0, done.stderr
    for part in (
        "caller  says «שלום, אני רוצה לקבוע תור»",
        "«מצוין, קבעתי לך תור ליום ראשון בתשע וחצי בבוקר.»",
        "call over, by the worker: TwiML <Hangup/>",
        "first sound after the stream's start",
        "4 asked for",
    ):
        assert part in done.stdout
    assert "\x1b" not in done.stdout and "\u2068" not in done.stdout


def test_the_canary_is_one_line_and_a_status(worker: Worker) -> None:
    good, nobody, odd = place(
        ("--url", worker.url, "--to", "converses", "--lang", "en", "--canary"),
        ("--url", "http://127.0.0.1:1", "--canary"),
        ("--url", worker.url, "--to", "say", "--canary"),
    )
    assert (good.returncode, good.stdout.count("\n")) == (0, 1), good.stdout
    assert good.stdout.startswith(f"OK {worker.url}: first sound ")
    assert nobody.returncode == 1 and "nothing answers at http://127.0.0.1:1/twilio/voice" in nobody.stdout
    assert odd.returncode == 1 and "answered without a conversation: שלום" in odd.stdout
    assert nobody.stderr == "" and odd.stdout.count("\n") == 1


def test_ctrl_c_hangs_up(worker: Worker) -> None:
    command = [sys.executable, "-u", "-c", "from media_ws_ai.cli.main import main; main()", "call"]
    arguments = ["--url", worker.url, "--to", "silent"]
    before = len(worker.log()["streams"])
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT, encoding="utf-8")
    eventually(lambda: len(worker.log()["streams"]) > before or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and told.endswith("hung up\n")
    stream = worker.log()["streams"][-1]
    assert stream["events"][-1]["event"] == "stop" and stream["close_code"] == 1000


def test_a_plan_is_run_from_the_command_line(worker: Worker, tmp_path: Path) -> None:
    plan, out = tmp_path / "plan.json", tmp_path / "out.json"
    plan.write_text(json.dumps([{"to": "closes", "max_s": 10}]), encoding="utf-8")
    command = [sys.executable, "-m", "media_ws_ai.peers.carrier", "--url", worker.url]
    subprocess.run([*command, "--plan", plan, "--report", out], check=True, timeout=30, cwd=ROOT, capture_output=True)
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["calls"][0]["end"]["by"] == "worker" and report["clock"]["ticks"] > 0
    plan.write_text('[{"too": "closes"}]', encoding="utf-8")
    refused = subprocess.run([*command, "--plan", plan], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert refused.returncode == 1 and "unknown key 'too'" in refused.stderr
