"""Whatever the order of facts: nothing raises, nothing is asked twice, nothing is cancelled without a reason.

A machine feeds one session with plausible and implausible events: a model that obeys, delays, repeats itself, refuses,
dies; a carrier that echoes, does not, hangs up; time that passes in steps of 20 ms to 20 s.
"""

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai.rules.requester import Wish
from tests.paper_call import AS_ASKED, PaperCall, shown

TOOLS = ({"type": "function", "name": "check"},)
REASONS = (
    "[CUT] reason=",
    "[MODEL] stall:",
    "[BACKLOG] full",
    "[RESPONSE] Unasked:",
    "[HANGUP] Closing words first:",
)
"""Lines that name why something is given up."""
OVER = ("[MODEL] renewing", "[MODEL] lost: replaced", "[RESPONSE] Done:", "[RESPONSE] Rejected:")
"""Lines after which what was asked for is no longer under way."""

IDS = st.sampled_from([f"r{n}" for n in range(6)])
ITEMS = st.sampled_from([f"i{n}" for n in range(6)])
WORDS = st.sampled_from(["", " ", "כן", "When are you open?"])
CODES = st.sampled_from(
    ["conversation_already_has_active_response", "strange", "response_cancel_not_active", "invalid_value"]
)


class SessionMachine(RuleBasedStateMachine):
    """Keeps its own book of what was asked, given up and answered; shares no code with the requester."""

    def __init__(self) -> None:
        super().__init__()
        self.call = PaperCall(tools=TOOLS, max_call_s=300.0)
        self.link = 0
        self.read = 0
        self.outstanding = ""
        self.given_up: set[str | None] = set()
        self.number = 0
        self.asked_items: Counter[str] = Counter()
        self.excused_items: Counter[str] = Counter()
        self.under_way: Wish | None = None
        self.is_finished = False

    # --- the book ---------------------------------------------------------------------------------------------

    def feed(self, *events: e.Event) -> None:
        for event in events:
            was_done = self.call.session.ending.is_done
            self.call.feed(event)
            self._judge(event, was_done)

    def pass_time(self, seconds: float) -> None:
        until = self.call.t + seconds
        while self.call.t < until - 1e-9:
            was_done = self.call.session.ending.is_done
            self.call.run(min(0.1, until - self.call.t))
            self._judge(None, was_done)

    def _judge(self, event: e.Event | None, was_done: bool) -> None:
        new = [order for _, order in self.call.orders[self.read :]]
        self.read = len(self.call.orders)
        assert not (was_done and new), "after Finish no command"
        is_named = isinstance(event, e.ResponseCreated) and event.ref in self.given_up
        for order in new:
            text = shown(order)
            assert not self.is_finished or isinstance(order, c.Record), "after Finish no command"
            is_named = is_named or text.startswith(REASONS)
            if text.startswith((*REASONS, *OVER)) and "Unasked" not in text:
                self._over(is_served="status=completed" in text)
            elif isinstance(order, c.CancelResponse):
                assert is_named, f"cancel of {order.response_id} without a named reason"
            elif isinstance(order, c.RequestResponse):
                assert not self.outstanding, f"{order.ref} while {self.outstanding} is under way"
                self.outstanding = order.ref
                self._asked()
            elif isinstance(order, c.Finish):
                self.is_finished = True
        cuts = sum(text.startswith("[CUT] reason=") for text in self.call.seen)
        assert sum(out.kind == "clear" for _, out in self.call.wire) <= cuts
        assert cuts or not self.call.session.playout.outlet.flushed

    def _asked(self) -> None:
        asked = self.call.session.requester._asked
        assert asked is not None
        for item in asked.wish.items:
            self.asked_items[item] += 1
            assert self.asked_items[item] <= 1 + self.excused_items[item], f"{item} is answered twice"
        self.under_way = asked.wish

    def _over(self, is_served: bool) -> None:
        """Ended, refused, given up or gone with its connection; what was not completed may be asked for again."""
        self.given_up.add(self.outstanding)
        self.outstanding = ""
        if self.under_way is not None and not is_served:
            self.excused_items.update(self.under_way.items)
        self.under_way = None

    # --- the model --------------------------------------------------------------------------------------------

    @initialize(start=st.sampled_from(["nothing", "ready", "greeted", "greeted", "answering", "answering"]))
    def set_up(self, start: str) -> None:
        if start == "nothing":
            return
        self.link = 1
        self.feed(e.ModelConnected(1), e.ModelGreeted(), AS_ASKED)
        if start == "ready":
            return
        self.feed(e.ResponseCreated("hello", self.call.last_ref), e.ModelAudio("hello", "i0", b"\x21" * 3200))
        self.feed(e.ResponseEnded("hello", None, "completed"))
        if start == "answering":
            self.pass_time(0.6)
            self.feed(AS_ASKED, e.Transcript("first", "Hello?"))
            self.feed(e.ResponseCreated("r0", self.call.last_ref), e.ModelAudio("r0", "i1", b"\x21" * 24_000))

    @rule(is_next=st.booleans())
    def connected(self, is_next: bool) -> None:
        if not is_next and self.call.session.link.stage != "down":
            return
        self.link += 1
        self.feed(e.ModelConnected(self.link))

    @rule()
    def greeted(self) -> None:
        self.feed(e.ModelGreeted())

    @rule(wrong=st.integers(0, 29))
    def configured(self, wrong: int) -> None:
        self.feed(e.ModelConfigured(wrong != 1, wrong != 2, transcribes=True))

    @rule(link=st.integers(0, 6), reason=st.sampled_from(["closed", "expired", "lost"]), chance=st.integers(0, 29))
    def lost(self, link: int, reason: str, chance: int) -> None:
        if chance < 12 or chance == 29:
            self.feed(e.ModelLost(self.link if chance < 8 else link, reason, is_hopeless=chance == 29))

    @precondition(lambda self: self.call.session.requester.is_busy)
    @rule(
        item=ITEMS,
        ms=st.sampled_from([0, 20, 333, 3000, 70_000]),
        outcome=st.sampled_from(
            ["rejected", "created", "completed", "completed", "tools", "failed", "incomplete", "stall"]
        ),
        code=CODES,
    )
    def the_model_obeys(self, item: str, ms: int, outcome: str, code: str) -> None:
        """What a real service does with a create, up to some point of the answer."""
        if outcome == "rejected":
            self.feed(e.ModelError(code, "busy", self.call.last_ref, is_fatal=False))
            return
        requester = self.call.session.requester
        if not requester.generating_id:
            self.number += 1
            self.feed(e.ResponseCreated(f"made{self.number}", self.call.last_ref))
        response = requester.generating_id
        if outcome == "created":
            return
        if ms:
            self.feed(e.ModelText(response, item, "some words "), e.ModelAudio(response, item, b"\x21" * (8 * ms)))
        if outcome != "stall":
            calls = (e.ToolCall("c1", "check", "{}"), e.ToolCall("c2", "other", "")) if outcome == "tools" else ()
            status = "completed" if outcome == "tools" else outcome
            self.feed(e.ModelAudioDone(response, item), e.ResponseEnded(response, None, status, calls=calls))

    @rule(response=IDS, ref=st.sampled_from([None, "ask-2", "ask-5", "stranger"]), chance=st.integers(0, 3))
    def created(self, response: str, ref: str | None, chance: int) -> None:
        if chance == 0:
            self.feed(e.ResponseCreated(response, ref))

    @rule(response=IDS, item=ITEMS, ms=st.sampled_from([1, 20, 250, 1001, 70_000]))
    def audio(self, response: str, item: str, ms: int) -> None:
        self.feed(e.ModelAudio(response, item, b"\x21" * (8 * ms)))

    @rule(response=IDS, item=ITEMS, text=WORDS, is_done=st.booleans())
    def text(self, response: str, item: str, text: str, is_done: bool) -> None:
        self.feed(e.ModelTextDone(response, item, text) if is_done else e.ModelText(response, item, text))

    @rule(
        response=IDS,
        status=st.sampled_from(["completed", "cancelled", "failed", "incomplete"]),
        reason=st.sampled_from(["", "turn_detected", "client_cancelled"]),
        calls=st.lists(st.sampled_from([e.ToolCall("c1", "check", "{}"), e.ToolCall("c2", "other", "")]), max_size=2),
        is_hopeless=st.sampled_from([False] * 29 + [True]),
    )
    def ended(self, response: str, status: str, reason: str, calls: Any, is_hopeless: bool) -> None:
        hopeless = is_hopeless and status == "failed"
        self.feed(e.ResponseEnded(response, None, status, reason, is_hopeless=hopeless, calls=tuple(calls)))

    @rule(
        code=CODES,
        ref=st.sampled_from([None, "ask-1", "stranger", "last"]),
        fatal=st.sampled_from([False] * 9 + [True]),
    )
    def error(self, code: str, ref: str | None, fatal: bool) -> None:
        asked = self.call.all(c.RequestResponse)
        ref = asked[-1].ref if ref == "last" and asked else ref
        self.feed(e.ModelError("session_expired" if fatal else code, "…", ref, fatal))

    @precondition(lambda self: self.call.all(c.Reprompt))
    @rule()
    def upgrade_refused(self) -> None:
        self.feed(e.ModelError("invalid_value", "no", self.call.all(c.Reprompt)[-1].ref, is_fatal=False))

    # --- the caller and the carrier ---------------------------------------------------------------------------

    @rule(item=ITEMS, text=WORDS)
    def transcript(self, item: str, text: str) -> None:
        self.feed(e.Transcript(item, text))

    @rule(item=ITEMS, at_ms=st.integers(0, 100_000), name=st.sampled_from(["0.1.20", "0.1.200.end", "1.2.20", "x", ""]))
    def noise(self, item: str, at_ms: int, name: str) -> None:
        self.feed(e.SpeechStarted(item, 0), e.SpeechStopped(item, 1), e.TurnCommitted(item, None))
        self.feed(e.CallerFrame(b"\x55" * 160, at_ms), e.TranscriptFailed(item, "x"), e.MarkEchoed(name))
        self.feed(e.DtmfPressed("5"))

    @rule(is_echoing=st.booleans())
    def echoing(self, is_echoing: bool) -> None:
        self.call.is_echoing = is_echoing

    @rule(seconds=st.sampled_from([0.02, 0.6, 2.0, 6.0]))
    def time(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule(seconds=st.sampled_from([20.0, 61.0]), chance=st.integers(0, 5))
    def long_time(self, seconds: float, chance: int) -> None:
        if chance == 0:
            was_done = self.call.session.ending.is_done
            self.call.skip(seconds)
            self._judge(None, was_done)

    # --- ourselves --------------------------------------------------------------------------------------------

    @rule()
    def cut(self) -> None:
        self.feed(e.CutOrdered("machine"))

    @rule(call_id=st.sampled_from(["c1", "c2", "c3"]))
    def tool_done(self, call_id: str) -> None:
        self.feed(e.ToolDone(call_id, "{}"))

    @rule(chance=st.integers(0, 14), how=st.sampled_from(["end", "drain", "stop", "lost"]))
    def end(self, chance: int, how: str) -> None:
        ends = {
            "end": e.EndOrdered("machine"),
            "drain": e.DrainStarted(),
            "stop": e.CarrierEnded("stop"),
            "lost": e.CarrierEnded("lost"),
        }
        if chance == 0:
            self.feed(ends[how])

    @rule()
    def settled(self) -> None:
        self.feed(e.HangupSettled("rest"))

    # --- always -----------------------------------------------------------------------------------------------

    @invariant()
    def frames_in_are_frames_out_held_or_flushed(self) -> None:
        outlet = self.call.session.playout.outlet
        held = outlet.tx_frames + len(outlet._backlog)
        assert outlet.pushed == outlet.popped + outlet.flushed + held
        assert sum(out.kind == "media" for _, out in self.call.wire) == outlet.popped

    @invariant()
    def nothing_grows_without_bound(self) -> None:
        session = self.call.session
        assert len(session.requester._pending) <= 9
        assert len(session.link._held) <= 100
        assert len(session.speech._texts) <= 32

    def teardown(self) -> None:
        """Whatever happened: the model is well from here on. Every wish is served, or the call is over."""
        call, session = self.call, self.call.session
        call.is_echoing = True
        for _ in range(120):
            if session.ending.is_done or not (session.requester.has_pending or session.requester.is_busy):
                break
            self._be_a_good_model()
            self.pass_time(1.0)
        if not session.ending.is_closing:
            assert not session.requester.has_pending and not session.requester.is_busy, "a wish hangs"

    def _be_a_good_model(self) -> None:
        session = self.call.session
        match session.link.stage:
            case "down":
                self.link = max(self.link, session.link.number) + 1
                self.feed(e.ModelConnected(self.link))
            case "open":
                self.feed(e.ModelGreeted())
            case "configuring":
                self.feed(AS_ASKED)
            case "ready" if session.requester.is_busy and not session.requester.generating_id:
                self.number += 1
                self.feed(e.ResponseCreated(f"good{self.number}", self.call.last_ref))
            case "ready" if session.requester.is_busy:
                response = session.requester.generating_id
                self.feed(
                    e.ModelAudio(response, f"of_{response}", b"\x21" * 1600),
                    e.ResponseEnded(response, None, "completed"),
                )


SessionMachine.TestCase.settings = settings(stateful_step_count=50)
TestSession = SessionMachine.TestCase
