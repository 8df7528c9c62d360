"""What `bench answer` measures, as order and counts: an answer heard whole, and a cut after which nothing old is heard.

Times are the bench's to judge; here only what came, and in which order.
"""

from collections.abc import Iterator

import pytest

from media_ws_ai.bench import answer, cuts
from media_ws_ai.bench.stack import Stack


@pytest.fixture(scope="module", params=["gevent", "gthread"])
def stack(request) -> Iterator[Stack]:
    with Stack(mode=request.param, conf=answer.CUT_CONF, check_schema=True) as running:
        yield running


def test_an_answer_delivered_at_once_is_heard_whole_and_in_order(stack):
    run = answer.answer_run(stack, 5.0)

    assert len(run.report["utterances"]) == 1
    (heard,) = run.report["numbered"]["utterances"]
    assert (heard["first"], heard["last"], heard["frames"]) == (0, 249, 250)
    assert (heard["lost"], heard["doubled"], heard["reordered"], run.report["numbered"]["shifted"]) == (0, 0, 0, 0)
    (response,) = run.session["responses"]
    assert (response["status"], response["audio_ms"]) == ("completed", 5000)
    _, last = answer.logged(run.log, run.report["call_sid"])
    assert (last["frames_sent"], last["frames_dropped"], last["frames_flushed"]) == (250, 0, 0)
    assert not run.session["schema_errors"]


def test_nothing_old_is_heard_after_a_cut_and_the_model_is_told_no_more_than_was_heard(stack):
    run = cuts.cut_run(stack, 4, seconds=8.0, cut_after_s=2.0, listen_ms=800)

    assert len(run.cuts) == run.ordered == 4, "each order brings one clear"
    for cut in run.cuts:
        assert cut.clear_ms > 0, "the clear follows the order"
        assert cut.old_audio_ms == 0, "no media of the old answer follows the clear"
        assert cut.told_ms is not None and cut.told_ms <= cut.heard_ms
        assert cut.was_cancelled == cut.was_running, "what is still being made is cancelled, nothing else"
    assert {cut.was_running for cut in run.cuts} == {True, False}, "both kinds were tried"
