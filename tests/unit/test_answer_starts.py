"""When an answer counts as started: at its first frame, also while the one before it still awaits its end."""

from media_ws_ai.commands import Log
from media_ws_ai.rules.history import History
from media_ws_ai.rules.params import Clip
from media_ws_ai.rules.playout import Playout
from media_ws_ai.rules.refs import Refs
from media_ws_ai.rules.requester import Requester
from media_ws_ai.rules.speech import Speech

FRAME = b"\x11" * 160


def test_an_answer_behind_a_clip_is_announced() -> None:
    playout, refs = Playout(), Refs()
    speech = Speech(playout, Requester(refs), History(()), refs, "en")
    speech.begin_call(100.0)
    speech.say_clip("hold", Clip(FRAME, "Hold on."))
    answer = playout.begin("model", "resp_1", "item_1")
    playout.feed(answer, FRAME * 3)

    told = {
        round(at, 2): [n.line.text for n in speech.take(at)[1] if isinstance(n, Log)] for at in (100.5, 100.52, 100.54)
    }
    assert len(told[100.5]) == 1 and "clip" in told[100.5][0], "first sound, by a clip"
    assert len(told[100.52]) == 1 and "resp_1" in told[100.52][0], "the clip's end mark is still out"
    assert told[100.54] == []
    assert speech.first_sound_ms == 500
