"""The goals of the judgements as floors, on both labelled sets; docs/judges.md has the figures."""

import pytest

from media_ws_ai.judges import backchannel, goodbye, hallucination, locality, question_pair, short_answer
from tests.judge_scores import Tally, items, languages

PARTS = ("first", "second")


@pytest.mark.parametrize("part", PARTS)
def test_backchannels_let_the_agent_speak_and_interruptions_do_not(part: str) -> None:
    for lang, some in languages(items(part, "backchannel")):
        for context in backchannel.CONTEXTS:
            scored = [item for item in some if item[context] != "either" and item["while_agent_speaking"] != "either"]
            tally = Tally([(item[context], backchannel.judge(item["text"], context).verdict) for item in scored])
            if context == backchannel.WHILE_AGENT_SPEAKING:
                assert tally.recall("interrupt") >= 0.97, lang
                assert tally.recall("ignore") >= 0.93, lang
            else:
                assert tally.share_right() >= 0.93, lang


@pytest.mark.parametrize("part", PARTS)
def test_short_answers_reach_the_dialogue(part: str) -> None:
    for lang, some in languages(items(part, "short_answer")):
        for slotted in (True, False):
            tally = Tally(
                [
                    (item["verdict"], short_answer.judge(item["text"], item["slot"] if slotted else "").verdict)
                    for item in some
                ]
            )
            assert tally.recall("accept") >= 0.99, lang


@pytest.mark.parametrize("part", PARTS)
def test_goodbyes_are_known_and_nothing_else_is_one(part: str) -> None:
    for lang, some in languages(items(part, "goodbye")):
        tally = Tally([(item["verdict"], goodbye.judge(item["text"], item["turn"]).verdict) for item in some])
        assert tally.precision("goodbye") >= 0.98, lang
        assert tally.recall("goodbye") >= 0.93, lang


@pytest.mark.parametrize("part", PARTS)
def test_hallucinations_are_dropped_and_genuine_speech_is_kept(part: str) -> None:
    for lang, some in languages(items(part, "hallucination")):
        for told in (True, False):
            tally = Tally(
                [
                    (item["verdict"], hallucination.judge(item["text"], item["lang"] if told else "").verdict)
                    for item in some
                ]
            )
            taken = [expected for expected, got in tally.pairs if got == "drop" and expected != "drop"]
            assert len(taken) <= 0.01 * len(tally.pairs), lang
            assert tally.recall("drop") >= 0.9, lang
            assert tally.recall("keep") >= 0.99, lang


@pytest.mark.parametrize("part", PARTS)
def test_the_same_question_is_known_and_its_look_alike_is_not(part: str) -> None:
    for lang, some in languages(items(part, "question_pair")):
        tally = Tally([(item["verdict"], question_pair.judge(item["a"], item["b"]).verdict) for item in some])
        assert tally.precision("duplicate") >= 0.8, lang
        assert tally.recall("duplicate") >= 0.6, lang


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("context", locality.CONTEXTS)
def test_localities_are_taken_confirmed_or_left(part: str, context: str) -> None:
    pairs = []
    for item in items(part, "locality"):
        got = locality.judge(item["text"], context)
        right = item[context] == "not_city" or set(got.locality_ids) == set(item["locality_ids"])
        pairs.append((item[context], got.verdict if right else "another place"))
    assert Tally(pairs).share_right() >= 0.95
