"""`media-ws-ai clips` against a scripted model on a real socket: a wrong word is said anew, a wrong key ends it."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask, Response, request
from flask_sock import Sock
from simple_websocket import Server
from werkzeug.serving import make_server

from media_ws_ai import clips as spoken
from media_ws_ai.cli.clips import clips

SOUND = bytes(range(256)) * 5  # eight frames
Answer = Callable[[str, int], list[dict[str, Any]]]
"""(text asked for, number of the connection) → the events after response.create."""


def audio(sound: bytes) -> list[dict[str, Any]]:
    delta = base64.b64encode(sound).decode()
    return [{"type": "response.output_audio.delta", "delta": delta}, {"type": "response.output_audio.done"}]


def transcript(text: str) -> dict[str, Any]:
    return {"type": "response.output_audio_transcript.done", "transcript": text}


def done(status: str = "completed") -> dict[str, Any]:
    return {"type": "response.done", "response": {"status": status}}


def obedient(text: str, _: int) -> list[dict[str, Any]]:
    return [{"type": "response.created"}, *audio(SOUND), transcript(text.rstrip(".")), done()]


@dataclass
class ScriptedModel:
    """Plays the model: one connection per take, all of them noted."""

    answer: Answer = obedient
    status: int = 0
    update_error: str = ""
    output_format: str = "audio/pcmu"
    updates: list[dict[str, Any]] = field(default_factory=list)
    creates: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    url: str = ""

    def gate(self) -> Response | None:
        self.asked.append((request.headers.get("Authorization"), request.args.get("model")))
        return Response("no", status=self.status) if self.status else None

    def talk(self, ws: Server) -> None:
        number = len(self.asked)
        ws.send(json.dumps({"type": "session.created", "session": {}}))
        self.updates.append(json.loads(ws.receive(timeout=15)))
        if self.update_error:
            fault = {"message": self.update_error, "event_id": self.updates[-1]["event_id"]}
            ws.send(json.dumps({"type": "error", "error": fault}))
            ws.receive(timeout=15)
            return
        session = {"audio": {"output": {"format": {"type": self.output_format}}}}
        ws.send(json.dumps({"type": "session.updated", "session": session}))
        message = ws.receive(timeout=15)
        if message is None:
            return
        self.creates.append(json.loads(message))
        text = self.creates[-1]["response"]["instructions"].partition("\n")[2]
        for event in self.answer(text, number):
            ws.send(json.dumps(event))
        ws.receive(timeout=15)


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    app, script = Flask(__name__), ScriptedModel()
    app.before_request(script.gate)
    Sock(app).route("/v1/realtime")(script.talk)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    script.url = f"ws://127.0.0.1:{server.port}/v1/realtime"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield script
    server.shutdown()
    thread.join(5)
    server.server_close()
    assert not thread.is_alive()


def run(model: ScriptedModel, out: Path, *more: str, key: str | None = "sk-test-secret") -> Result:
    environment = {"OPENAI_API_KEY": key, "OPENAI_REALTIME_URL": model.url, "OPENAI_REALTIME_MODEL": "a-model"}
    return CliRunner().invoke(clips, ["--out", str(out), "--lang", "en", *more], env=environment)


def test_every_text_is_spoken_and_becomes_the_worker_s_clip(model: ScriptedModel, tmp_path: Path) -> None:
    result = run(model, tmp_path, "--voice", "cedar")
    assert result.exit_code == 0, result.output
    for name in spoken.names():
        assert (tmp_path / "cedar" / "en" / f"{name}.ulaw").read_bytes() == SOUND
        assert spoken.clip("en", name, tmp_path / "cedar") == SOUND
    assert "8 of 8 clips rendered" in result.output
    assert "sk-test-secret" not in result.output
    assert set(model.asked) == {("Bearer sk-test-secret", "a-model")}
    assert not (tmp_path / "cedar" / "he").exists()
    assert [path.name for path in (tmp_path / "cedar" / "en").iterdir() if path.suffix != ".ulaw"] == []


def test_it_asks_for_mulaw_out_of_band_with_the_voice(model: ScriptedModel, tmp_path: Path) -> None:
    run(model, tmp_path, "--voice", "voice_abc")
    session, response = model.updates[0]["session"], model.creates[0]["response"]
    assert session["type"] == "realtime"
    assert session["audio"]["output"] == {"format": {"type": "audio/pcmu"}, "voice": {"id": "voice_abc"}}
    assert session["audio"]["input"]["turn_detection"] is None
    assert (response["conversation"], response["input"]) == ("none", [])
    assert spoken.text("en", "hold") in response["instructions"]


def test_what_it_sends_is_what_the_openai_package_defines(model: ScriptedModel, tmp_path: Path) -> None:
    realtime = pytest.importorskip("openai.types.realtime")
    run(model, tmp_path, "--voice", "cedar")
    update = realtime.SessionUpdateEvent.model_validate(model.updates[0])
    create = realtime.ResponseCreateEvent.model_validate(model.creates[0])
    assert not update.model_extra and not update.session.model_extra and not update.session.audio.model_extra
    assert not create.model_extra and create.response is not None and not create.response.model_extra


def test_a_comment_of_the_model_is_said_anew(model: ScriptedModel, tmp_path: Path) -> None:
    def chatty_once(text: str, number: int) -> list[dict[str, Any]]:
        return obedient(f"Sure! {text}", number) if number == 1 else obedient(text, number)

    model.answer = chatty_once
    result = run(model, tmp_path)
    assert result.exit_code == 0, result.output
    assert len(model.asked) == len(spoken.names()) + 1
    assert "2 takes" in result.output


WRONG: list[tuple[str, Answer]] = [
    ("Sure", lambda text, n: obedient(f"Sure! {text}", n)),
    ("ended as failed", lambda text, n: [done("failed")]),
    ("no sound", lambda text, n: [transcript(text), done()]),
    ("not base64", lambda text, n: [{"type": "response.output_audio.delta", "delta": "%%%"}]),
    ("longer than 30 s", lambda text, n: audio(bytes(spoken.MAX_CLIP_BYTES + 1))),
    ("slow down", lambda text, n: [{"type": "error", "error": {"message": "slow down"}}]),
]


@pytest.mark.parametrize(("reason", "answer"), WRONG, ids=[reason for reason, _ in WRONG])
def test_after_three_takes_the_old_sound_stays(
    model: ScriptedModel, tmp_path: Path, reason: str, answer: Answer
) -> None:
    old = tmp_path / "marin" / "en" / "hold.ulaw"
    old.parent.mkdir(parents=True)
    old.write_bytes(SOUND[:160])
    hold = spoken.text("en", "hold")
    model.answer = lambda text, number: answer(text, number) if text == hold else obedient(text, number)
    result = run(model, tmp_path)
    assert result.exit_code == 1
    assert old.read_bytes() == SOUND[:160]
    assert len(model.asked) == len(spoken.names()) + 2
    assert "not rendered after 3 takes" in result.output and reason in result.output
    assert "7 of 8 clips rendered" in result.output


def test_a_refused_key_ends_it_at_once(model: ScriptedModel, tmp_path: Path) -> None:
    model.status = 401
    result = run(model, tmp_path)
    assert result.exit_code == 1
    assert "HTTP 401" in result.output and "0 of 8" in result.output
    assert len(model.asked) == 1
    assert "sk-test-secret" not in result.output


def test_an_overloaded_model_is_tried_three_times(model: ScriptedModel, tmp_path: Path) -> None:
    model.status = 503
    result = run(model, tmp_path)
    assert result.exit_code == 1
    assert len(model.asked) == 3 * len(spoken.names())


def test_a_refused_voice_ends_it_at_once(model: ScriptedModel, tmp_path: Path) -> None:
    model.update_error = "Invalid value: 'nobody'"
    result = run(model, tmp_path, "--voice", "nobody")
    assert result.exit_code == 1
    assert "Invalid value: 'nobody'" in result.output
    assert len(model.asked) == 1


def test_another_sound_format_ends_it_at_once(model: ScriptedModel, tmp_path: Path) -> None:
    model.output_format = "audio/pcm"
    result = run(model, tmp_path)
    assert result.exit_code == 1 and "μ-law" in result.output
    assert len(model.asked) == 1


def test_half_a_frame_is_filled_with_silence(model: ScriptedModel, tmp_path: Path) -> None:
    model.answer = lambda text, number: [*audio(SOUND[:200]), transcript(text), done()]
    assert run(model, tmp_path).exit_code == 0
    sound = (tmp_path / "marin" / "en" / "hold.ulaw").read_bytes()
    assert sound == SOUND[:200] + b"\xff" * 120


@pytest.mark.parametrize("key", [None, "", "  "])
def test_without_a_key_it_says_so(model: ScriptedModel, tmp_path: Path, key: str | None) -> None:
    result = run(model, tmp_path, key=key)
    assert result.exit_code == 1 and "OPENAI_API_KEY is not set" in result.output
    assert model.asked == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("voice", ["", "../he", "a b", "x/y"])
def test_a_voice_cannot_leave_the_folder(model: ScriptedModel, tmp_path: Path, voice: str) -> None:
    result = run(model, tmp_path, "--voice", voice)
    assert result.exit_code == 2 and model.asked == []


def test_an_address_that_is_none_is_named(model: ScriptedModel, tmp_path: Path) -> None:
    result = run(model, tmp_path, "--url", "nonsense")
    assert result.exit_code == 1 and "nonsense is not a websocket address" in result.output


def test_the_list_shows_whose_sound_is_spoken(model: ScriptedModel, tmp_path: Path) -> None:
    own = tmp_path / "marin" / "en" / "hold.ulaw"
    own.parent.mkdir(parents=True)
    own.write_bytes(SOUND)
    result = run(model, tmp_path, "--list", key=None)
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.output.splitlines()[1:]}
    assert list(rows) == [f"en/{name}" for name in spoken.names()]
    assert "marin" in rows["en/hold"] and "shipped" in rows["en/goodbye"]
    assert spoken.text("en", "goodbye") in rows["en/goodbye"]
