"""Pure parts of the model stand-in: VAD, recognition of clips, scenarios, the director, usage, items, codecs."""

import random
from typing import Any

import pytest

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE
from media_ws_ai.peers import numbered, speech
from media_ws_ai.peers.model import g711, library, settings, strict, usage, voice
from media_ws_ai.peers.model.director import Director
from media_ws_ai.peers.model.heard import FrameIndex, Listener, Utterance, speech_index
from media_ws_ai.peers.model.items import Conversation, Item
from media_ws_ai.peers.model.refusal import Refusal
from media_ws_ai.peers.model.responses import spaced_json, split
from media_ws_ai.peers.model.scenario import Reply, Scenario
from media_ws_ai.peers.model.schema import Schema, SessionChecks
from media_ws_ai.peers.model.vad import HOP_BYTES, HOP_MS, EnergyVad

LOUD = (numbered.tone_frame() * 2)[:HOP_BYTES]
QUIET = b"\xff" * HOP_BYTES


# -- VAD --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hops", "edges"),
    [
        ("qqqqqq", []),
        ("qllqllq", []),
        ("qqlllq", [("started", 2)]),
        ("lll" + "q" * 16, [("started", 0), ("stopped", 19)]),
        ("lll" + "q" * 15 + "l" + "q" * 15, [("started", 0)]),
        ("lll" + "q" * 16 + "lll", [("started", 0), ("stopped", 19), ("started", 19)]),
    ],
)
def test_vad_edges_lie_on_the_hop_grid(hops: str, edges: list[tuple[str, int]]) -> None:
    audio = b"".join(LOUD if hop == "l" else QUIET for hop in hops)
    found = EnergyVad(silence_ms=500).feed(audio)
    assert [(edge.kind, edge.at_ms) for edge in found] == [(kind, hop * HOP_MS) for kind, hop in edges]


@pytest.mark.parametrize("size", [1, 7, 160, 256, 400, 5000])
def test_vad_does_not_care_how_audio_is_cut(size: int) -> None:
    audio = QUIET * 5 + LOUD * 10 + QUIET * 30
    vad = EnergyVad()
    found = [edge for at in range(0, len(audio), size) for edge in vad.feed(audio[at : at + size])]
    assert found == EnergyVad().feed(audio)
    assert len(found) == 2 and vad.heard_ms == 45 * HOP_MS


def test_vad_threshold_and_forget() -> None:
    assert EnergyVad(threshold=0.0).feed(QUIET * 3)[0].kind == "started"
    vad = EnergyVad()
    vad.feed(LOUD * 3)
    vad.forget()
    assert not vad.speaking
    assert vad.feed(QUIET * 40) == []
    assert vad.heard_ms == 43 * HOP_MS


@pytest.mark.parametrize("clip", [clip.id for clip in speech.CLIPS.values() if clip.role == "caller"])
def test_every_caller_clip_is_speech_and_a_quiet_line_is_not(clip: str) -> None:
    edges = EnergyVad().feed(speech.load(clip) + speech.quiet_line(40))
    assert [edge.kind for edge in edges][:1] == ["started"]
    assert len(edges) % 2 == 0
    assert EnergyVad().feed(speech.quiet_line(500)) == []


# -- recognition ------------------------------------------------------------------------------------------


def frame(number: int) -> bytes:
    return numbered.stamp(numbered.tone_frame(), 9, 9, number)


def clip_of(first: int, count: int) -> bytes:
    return b"".join(frame(first + n) for n in range(count))


INDEX = FrameIndex(
    {
        "one": ("alef bet gimel dalet", SILENCE + clip_of(0, 100) + SILENCE),
        "two": ("he vav", clip_of(200, 50)),
        "copy": ("alef bet gimel dalet", SILENCE + clip_of(0, 100) + SILENCE),
    }
)


def hear(audio: bytes) -> dict[str, Any]:
    listener = Listener(INDEX)
    listener.feed(audio)
    return listener.utterance(0, 0).report()


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (list(range(100)), (100, 0, 0, 0)),
        ([n for n in range(100) if n not in (5, 50)], (98, 0, 2, 0)),
        ([0, 0, *range(1, 100)], (100, 1, 0, 0)),
        ([1, 0, *range(2, 100)], (100, 0, 0, 1)),
        ([*range(10), *range(5, 100)], (100, 5, 0, 0)),
        ([*range(50)], (50, 0, 50, 0)),
    ],
)
def test_frames_of_a_clip_are_counted(numbers: list[int], expected: tuple[int, int, int, int]) -> None:
    report = hear(b"".join(frame(number) for number in numbers))
    assert report["clip"] == "one"
    assert (report["received"], report["doubled"], report["missing"], report["reordered"]) == expected
    assert report["expected"] == 100 and report["share"] == expected[0] / 100


def test_silence_and_strangers_are_nobodys_clip() -> None:
    report = hear(SILENCE * 20 + clip_of(700, 30))
    assert (report["clip"], report["share"], report["parts"]) == (None, None, [])


def test_a_clip_with_a_pause_is_one_playing_in_two_parts() -> None:
    listener = Listener(INDEX)
    listener.feed(clip_of(0, 50))
    first = listener.utterance(0, 1000)
    listener.feed(SILENCE * 40 + clip_of(50, 50))
    second = listener.utterance(2000, 3000)
    assert (first.text, second.text) == ("alef bet", "gimel dalet")
    assert [u.report()["share"] for u in (first, second)] == [1.0, 1.0]
    assert [u.report()["parts"][0]["part"] for u in (first, second)] == [1, 2]


def test_a_clip_said_again_is_not_doubled() -> None:
    listener = Listener(INDEX)
    listener.feed(clip_of(0, 60))
    listener.utterance(0, 0)
    listener.feed(SILENCE * 40 + clip_of(0, 100))
    report = listener.utterance(0, 0).report()
    assert (report["received"], report["doubled"]) == (100, 0)


def test_two_clips_in_one_breath() -> None:
    listener = Listener(INDEX)
    listener.feed(clip_of(0, 100) + clip_of(200, 50))
    utterance = listener.utterance(0, 0)
    assert (utterance.clip, utterance.text) == ("one", "alef bet gimel dalet he vav")
    assert utterance.report()["expected"] == 150


def test_recognition_survives_any_cut_of_the_stream_and_clear_forgets() -> None:
    listener = Listener(INDEX)
    audio = clip_of(0, 100)
    for at in range(0, len(audio), 57):
        listener.feed(audio[at : at + 57])
    assert listener.text_so_far == "alef bet gimel dalet"
    listener.forget()
    assert listener.utterance(0, 0).clip is None


def test_shipped_clips_are_told_apart_by_most_of_their_voiced_frames() -> None:
    for clip in speech_index().clips.values():
        voiced = sum(g711.power(frame) >= 3600 for frame in speech.frames(clip.id))
        assert len(clip.positions) >= 0.8 * voiced > 0, clip.id


# -- scenario and director --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"gretting": {}}, "scenario has no key 'gretting'; it knows "),
        ({"turns": [{"reply": {"txt": 1}}]}, "scenario.turns[0].reply[0] has no key 'txt'; it knows "),
        ({"speed": "fast"}, "scenario.speed must be a float, not str 'fast'"),
        ({"seed": True}, "scenario.seed must be a int, not bool True"),
        ({"expire_how": "soon"}, "scenario.expire_how must be one of "),
        ({"hearing": {"delay_ms": [1, 2, 3]}}, "scenario.hearing: delay_ms must be one number or [least, most]"),
        ({"turns": [{"regex": "("}]}, "scenario.turns[0]: '(' is no regular expression"),
        ({"greeting": {"calls": {"arguments": {}}}}, "scenario.greeting[0].calls[0]: "),
        ({"languages": []}, "scenario.languages must be an object, not list []"),
        ("nope", "no built-in scenario 'nope'; there are demo, load"),
        ({"base": "demo", "oops": 1}, "scenario has no key 'oops'"),
        ([], "scenario must be an object, not list []"),
    ],
)
def test_a_malformed_scenario_is_refused_in_a_sentence(data: object, sentence: str) -> None:
    with pytest.raises(strict.Malformed) as refused:
        library.from_json(data)
    assert str(refused.value).startswith(sentence)


def test_a_scenario_is_read_whole_and_may_change_a_built_in_one() -> None:
    scenario = library.from_json(
        {"turns": [{"clip": "he_book", "reply": [{"stall": "created"}, {"text": "x", "drop_line": {"code": 1011}}]}]}
    )
    assert scenario.turns[0].clip == ("he_book",)
    assert scenario.turns[0].reply[1].drop_line is not None and scenario.turns[0].reply[1].drop_line.code == 1011
    changed = library.from_json({"base": "demo", "seed": 5, "refuse_status": None})
    assert changed.seed == 5 and changed.turns == library.from_json("demo").turns


def test_clips_named_in_built_in_scenarios_exist() -> None:
    for name in library.BUILT_IN:
        scenario = library.from_json(name)
        for script in (scenario, *scenario.languages.values()):
            replies = [*script.greeting, *script.default, *script.resumed]
            replies += [reply for turn in script.turns for reply in turn.reply]
            assert {reply.clip for reply in replies if reply.clip} <= speech.CLIPS.keys()
            assert {clip for turn in script.turns for clip in turn.clip} <= speech.CLIPS.keys()


def director(data: dict[str, Any]) -> Director:
    return Director(library.from_json(data))


def said(text: str = "", clip: str | None = None) -> Utterance:
    class Said(Utterance):
        @property
        def clip(self) -> str | None:
            return clip

        @property
        def text(self) -> str:
            return text

    return Said(1, 0, 100)


def answer(chooser: Director, status: str = "completed", **asked: Any) -> str:
    choice = chooser.choose(asked.get("instructions", ""), asked.get("tools", []), asked.get("has_history", True))
    chooser.finished(choice, status)
    return choice.reply.text


def test_greeting_first_then_default_when_nothing_is_new() -> None:
    chooser = director({"greeting": {"text": "hello"}, "default": {"text": "yes?"}})
    assert [answer(chooser, has_history=False), answer(chooser)] == ["hello", "yes?"]


def test_a_conversation_with_history_resumes() -> None:
    assert answer(director({"resumed": {"text": "again"}})) == "again"


def test_an_answer_that_failed_is_tried_again_with_the_next_reply() -> None:
    chooser = director({"turns": [{"reply": [{"text": "a"}, {"text": "b"}]}]})
    chooser.heard(said("x", "clip"))
    assert [answer(chooser, "failed"), answer(chooser, "cancelled"), answer(chooser)] == ["a", "b", "b"]


def test_what_is_heard_during_an_answer_is_answered_next() -> None:
    chooser = director({"turns": [{"reply": {"text": "a"}}, {"reply": {"text": "b"}}]})
    chooser.heard(said("x", "one"))
    choice = chooser.choose("", [], True)
    chooser.heard(said("y", "two"))
    chooser.finished(choice, "completed")
    assert [choice.reply.text, answer(chooser)] == ["a", "b"]


def test_matching_prefers_clip_then_number_then_regex_then_order() -> None:
    turns = [
        {"regex": "x", "reply": {"text": "regex"}},
        {"nth": 2, "reply": {"text": "second"}},
        {"clip": "c", "times": 1, "reply": {"text": "clip"}},
        {"reply": {"text": "order"}},
    ]
    chooser = director({"turns": turns, "default": {"text": "default"}})
    answers = []
    for text, clip in (("x", "c"), ("x", None), ("x", "c"), ("q", None), ("q", None)):
        chooser.heard(said(text, clip))
        answers.append(answer(chooser))
    assert answers == ["clip", "second", "regex", "order", "default"]


def test_tools_are_followed_by_then_or_on_tool() -> None:
    reply = {"text": "wait", "calls": {"name": "book"}}
    with_then = director({"greeting": {**reply, "then": {"text": "done"}}})
    assert [answer(with_then, has_history=False), answer(with_then, tools=["book"])] == ["wait", "done"]
    with_turn = director({"greeting": reply, "turns": [{"on_tool": "book", "reply": {"text": "booked"}}]})
    assert [answer(with_turn, has_history=False), answer(with_turn, tools=["book"])] == ["wait", "booked"]


def test_unknown_audio_waits_for_a_turn_that_gives_it_words() -> None:
    chooser = director({"turns": [{"reply": {"text": "a"}}]})
    assert chooser.heard(said()).text == ""
    chooser.heard(said("x", "clip"))
    assert answer(chooser) == "a"
    scripted = director({"turns": [{"hear": {"text": "words"}, "reply": {"text": "a"}}]})
    assert scripted.heard(said()).text == "words"
    failing = director({"hearing": {"unknown": "failed"}})
    assert failing.heard(said()).failed and not failing.heard(said("x", "clip")).failed


# -- usage, items, settings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "ms", "tokens"),
    [(usage.caller_tokens, 5100, 51), (usage.caller_tokens, 1, 1), (usage.assistant_tokens, 3000, 60)],
)
def test_audio_tokens(count: Any, ms: float, tokens: int) -> None:
    assert count(ms) == tokens


def test_usage_adds_up_and_caches_a_subset() -> None:
    meter = usage.Meter()
    first, second = meter.usage(300, 10, 5, 20, None), meter.usage(400, 200, 5, 20, 31)
    assert first["input_token_details"]["cached_tokens"] == 0
    assert second["input_token_details"]["cached_tokens_details"] == {
        "text_tokens": 256,
        "audio_tokens": 0,
        "image_tokens": 0,
    }
    assert second["output_token_details"] == {"text_tokens": 36, "audio_tokens": 20, "reasoning_tokens": 31}
    assert second["total_tokens"] == 400 + 200 + 36 + 20
    assert meter.total_tokens == first["total_tokens"] + second["total_tokens"]


def test_items_chain_and_truncation() -> None:
    talk = Conversation(random.Random(1))
    spoken = Item("item_a", {"type": "message", "role": "assistant", "content": [{"type": "output_audio"}]})
    spoken.audio_ms = 1000
    assert talk.append(spoken) is None
    written = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    assert talk.create(written, None)[1] == "item_a"
    assert talk.create({**written, "id": "item_b"}, "item_a")[1] == "item_a"
    assert [item.id for item in talk][:2] == ["item_a", "item_b"]
    assert talk.input_tokens() == (2, 20)
    talk.truncate("item_a", 0, 0)
    assert talk.input_tokens() == (2, 0)
    with pytest.raises(Refusal) as refused:
        talk.truncate("item_a", 0, True)
    assert refused.value.param == "audio_end_ms"


def test_a_partial_update_keeps_siblings_and_a_new_detector_brings_its_defaults() -> None:
    session = settings.defaults("gpt-realtime", random.Random(1))
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200
    detection: dict[str, Any] = {"type": "server_vad", "create_response": False}
    change = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    after = settings.updated(session, change, False, False)["audio"]["input"]["turn_detection"]
    assert (after["create_response"], after["silence_duration_ms"]) == (False, 200)
    detection.update(type="semantic_vad")
    after = settings.updated(session, change, False, False)["audio"]["input"]["turn_detection"]
    assert after == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": False,
        "interrupt_response": True,
    }
    assert session["audio"]["input"]["turn_detection"]["create_response"] is True


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("gpt-realtime-whisper", {"prompt": "names"}),
        ("gpt-4o-transcribe", {"keywords": ["x"]}),
        ("gpt-4o-transcribe", {"delay": "low"}),
    ],
)
def test_transcription_options_belong_to_their_models(model: str, options: dict[str, Any]) -> None:
    session = settings.defaults("gpt-realtime-2.1", random.Random(1))
    change = {"type": "realtime", "audio": {"input": {"transcription": {"model": model, **options}}}}
    with pytest.raises(Refusal, match=next(iter(options))):
        settings.updated(session, change, False, False)


# -- sound, codecs, schema --------------------------------------------------------------------------------


def test_codecs_agree_with_the_standard_ones() -> None:
    audioop = pytest.importorskip("audioop")
    codes = bytes(range(256))
    linear = audioop.ulaw2lin(codes, 2)
    assert g711.ulaw_to_alaw(codes) == audioop.lin2alaw(linear, 2)
    assert g711.alaw_to_ulaw(g711.ulaw_to_alaw(codes)) == audioop.lin2ulaw(
        audioop.alaw2lin(audioop.lin2alaw(linear, 2), 2), 2
    )
    assert g711.power(codes) ** 0.5 == pytest.approx(audioop.rms(linear, 2), abs=1)
    clip = speech.load("he_yes")
    assert g711.pcm24_to_ulaw(g711.ulaw_to_pcm24(clip)) == clip.replace(b"\x7f", b"\xff")


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("reply", [Reply(clip="he_agent_hours"), Reply(text="abc", seconds=1.5), Reply(numbered=2)])
def test_deltas_join_to_the_whole_sound(reply: Reply, odd: bool) -> None:
    import base64
    import dataclasses

    reply = dataclasses.replace(reply, odd_deltas=odd)
    wanted = voice.sound(reply, 3, 4, all_numbered=False)
    pieces = list(voice.deltas(wanted, reply, "audio/pcmu", random.Random(1)))
    audio = b"".join(base64.b64decode(piece.base64) for piece in pieces)
    assert audio == wanted.ulaw(0, wanted.ms * 8) and len(audio) % FRAME_BYTES == 0
    assert pieces[-1].end_ms == wanted.ms
    sizes = [len(base64.b64decode(piece.base64)) for piece in pieces[:-1]]
    assert (set(sizes[1:]) <= {2000} and sizes[0] == 800) != odd


def test_numbers_may_take_the_place_of_clips() -> None:
    wanted = voice.sound(Reply(clip="he_agent_hours"), 1, 2, all_numbered=True)
    assert wanted.ms == speech.CLIPS["he_agent_hours"].ms
    assert numbered.read(wanted.ulaw(FRAME_BYTES * 5, FRAME_BYTES)) == (1, 2, 5)
    with pytest.raises(KeyError, match="no_such_clip"):
        voice.sound(Reply(clip="no_such_clip"), 1, 1, all_numbered=False)


def test_arguments_are_split_without_loss() -> None:
    text = spaced_json({"day": "ראשון", "n": [1, 2]})
    assert "\n" in text and "".join(split(text, 4)) == text
    assert len(split(text, 4)) in (4, 5) and split("", 3) == [""]


def test_schema_catches_wrong_and_unknown_fields_and_thins_audio_checks() -> None:
    pytest.importorskip("openai")
    schema = Schema()
    assert schema.client_fault({"type": "response.cancel", "response_id": "r"}) is None
    assert "unknown keys .session.voice" in str(
        schema.client_fault({"type": "session.update", "session": {"type": "realtime", "voice": "x"}})
    )
    assert schema.server_fault({"type": "response.audio.delta", "event_id": "e"}) is not None
    reference = {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "item_1"}]}}
    assert schema.client_fault(reference) is None
    checks = SessionChecks(schema)
    for _ in range(50):
        assert checks.client_fault({"type": "input_audio_buffer.append", "audio": "AAAA"}) is None
    assert "fields" in str(checks.client_fault({"type": "input_audio_buffer.append", "sound": "AAAA"}))


def test_every_default_of_a_scenario_stands() -> None:
    assert Scenario() == library.from_json({})
