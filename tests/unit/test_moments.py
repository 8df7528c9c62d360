"""Notable moments are rows of the call, at their place on its time axis."""

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai import markers
from media_ws_ai.rules.moments import KEPT
from tests.paper_call import PaperCall


def test_every_moment_is_a_marker() -> None:
    assert {marker.name for marker in markers.every()} >= KEPT


def test_what_happened_stands_beside_what_was_said() -> None:
    call = PaperCall()
    call.greeted()
    call.said("i1")
    call.speak("r1", ms=2000)
    call.run(0.5)
    call.feed(e.CutOrdered("an_operator"))
    moments = [order for order in call.all(c.Record) if order.kind == "moment"]
    assert [moment.payload["what"] for moment in moments] == [
        "model_ready",
        "prompt_upgraded",
        "ai_starting",
        "first_sound",
        "ai_starting",
        "cut",
        "utterance_cut",
    ]
    offsets = [moment.offset_ms for moment in moments]
    assert offsets == sorted(offsets) and offsets[-1] == round(call.t * 1000)
