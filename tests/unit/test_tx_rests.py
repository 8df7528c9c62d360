"""TwilioTx never turns without rest: under gevent a loop that does not wait stops every call of the worker."""

import threading
import time
from types import MappingProxyType

from media_ws_ai import events as e
from media_ws_ai.commands import Finish, Prompt
from media_ws_ai.rules.params import CallParams, Clip
from media_ws_ai.rules.session import Session
from media_ws_ai.runtime.tx import TwilioTx

FRAME = b"\x55" * 160
CLIP = Clip(FRAME * 50, "one moment")
PROMPT = Prompt("manners", "business", "tools")
PARAMS = CallParams(
    business_id=1,
    language="en",
    voice="marin",
    greeting="Hello",
    compact=PROMPT,
    full=PROMPT,
    policy=MappingProxyType({}),
    clips={name: CLIP for name in ("hold", "apology", "goodbye")},
)


def test_a_session_that_is_over_with_audio_left_lets_tx_rest():
    session = Session(PARAMS, 0.0)
    session.speech.say_clip("hold", CLIP)
    now = 0.0
    assert session.take(now)[0], "it is speaking"
    orders = session.handle(e.CarrierEnded("stop"), 0.05)
    assert any(isinstance(order, Finish) for order in orders)
    for now in (0.1, 2.0, 60.0):
        assert session.take(now)[0] == []
        assert session.tx_wait_s(now) >= 0.5


class _Core:
    """A core whose rules always claim to be late, and have nothing."""

    def __init__(self) -> None:
        self.tx_wake = threading.Event()
        self.takes = 0

    def take(self):
        self.takes += 1
        return [], time.monotonic() - 1.0


def test_rules_that_are_late_without_output_do_not_make_it_spin():
    core, stop = _Core(), threading.Event()
    tx = TwilioTx(None, None, core, stop)  # type: ignore[arg-type]  # nothing is sent
    thread = threading.Thread(target=tx.run, daemon=True)
    began = time.monotonic()
    thread.start()
    stop.wait(0.1)  # the window that is looked at
    stop.set()
    core.tx_wake.set()
    thread.join(15.0)
    assert not thread.is_alive()
    assert core.takes <= 1 + (time.monotonic() - began) * 1000
