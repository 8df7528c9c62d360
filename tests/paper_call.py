"""A call on paper: one Session, a clock moved by hand, a carrier that plays what it is given. No thread, no socket.

call = PaperCall()
call.ready()                  connected, greeted, configured; the greeting is asked for
call.answer("r1", ms=600)     the whole life of one response, delivered at once
call.run(2.0)                 time: TX every 20 ms, marks echoed, Tick ten times a second
call.seen                     orders and log lines as text, as in the tables of the tests
"""

from collections.abc import Callable, Mapping
from typing import Any

from media_ws_ai import commands as c
from media_ws_ai import events as e
from media_ws_ai.audio.frame import FRAME_BYTES, PTIME_MS
from media_ws_ai.rules.params import CallParams, Clip
from media_ws_ai.rules.playout import Out
from media_ws_ai.rules.session import Session

COMPACT = c.Prompt("be brief", "Dana's hair salon", "no calendar")
FULL = c.Prompt("be brief, and much more", "Dana's hair salon, open on Sundays", "no calendar")
POLICY: Mapping[str, object] = {"call_goal": "lead_only", "auto_end_on_goodbye": False}
CLIPS = {
    name: Clip(b"\x12" * (FRAME_BYTES * frames), f"({name})")
    for name, frames in {"hold": 25, "apology": 50, "goodbye": 40}.items()
}
AS_ASKED = e.ModelConfigured(is_pcmu=True, leaves_turns_to_us=True, transcribes=True)


def params(**changes: Any) -> CallParams:
    """A lead-only business in English; `changes` are fields of CallParams."""
    given: dict[str, Any] = {
        "business_id": 7,
        "language": "en",
        "voice": "marin",
        "greeting": "Hello, Dana's.",
        "compact": COMPACT,
        "full": FULL,
        "policy": POLICY,
        "clips": CLIPS,
        "model": "gpt-realtime-2.1",
        "transcribe_model": "gpt-realtime-whisper",
        "transcribe_fallback": "whisper-1",
    }
    return CallParams(**{**given, **changes})


_SHOWN: Mapping[type[c.Command], Callable[[Any], str]] = {
    c.Log: lambda order: order.line.text,
    c.Configure: lambda order: f"configure {order.transcribe_model}",
    c.Reprompt: lambda order: f"reprompt {len(order.prompt)}",
    c.Transcribe: lambda order: f"transcribe {order.model}",
    c.RequestResponse: lambda order: f"ask {order.ref}",
    c.CancelResponse: lambda order: f"cancel {order.response_id}",
    c.TruncateItem: lambda order: f"truncate {order.item_id} at {order.heard_ms}",
    c.DeleteItem: lambda order: f"delete {order.item_id}",
    c.AddText: lambda order: f"add {order.role}: {order.text}",
    c.AnswerTool: lambda order: f"output {order.call_id}",
    c.RunTool: lambda order: f"run {order.name} {order.call_id}",
    c.RenewModel: lambda order: f"renew {order.link} {order.why}",
    c.HangUp: lambda order: f"hang up {order.reason}",
    c.Finish: lambda order: f"finish {order.reason} {order.code} {'intended' if order.is_intended else 'open'}",
}


def shown(order: c.Command) -> str:
    """One order as a row of a table shows it; empty for those without a say in the rules tried here."""
    show = _SHOWN.get(type(order))
    return show(order) if show else ""


class PaperCall:
    """One session and everything that came out of it, with times in seconds since its start."""

    def __init__(self, is_echoing: bool = True, **changes: Any) -> None:
        self.began = 1000.0
        self.t = 0.0
        self.session = Session(params(**changes), self.began)
        self.is_echoing = is_echoing
        """The carrier plays what it gets and echoes marks at once; else it never echoes one."""
        self.orders: list[tuple[float, c.Command]] = []
        self.wire: list[tuple[float, Out]] = []
        self._tick_at = 0.1

    @property
    def now(self) -> float:
        return self.began + self.t

    @property
    def seen(self) -> list[str]:
        return [text for text in (shown(order) for _, order in self.orders) if text]

    def all(self, kind: type[c.Command]) -> list[Any]:
        return [order for _, order in self.orders if isinstance(order, kind)]

    def count(self, prefix: str) -> int:
        return sum(text.startswith(prefix) for text in self.seen)

    def at(self, text: str) -> float:
        """When an order or log line that begins with `text` was first seen [s]."""
        return next(at for at, order in self.orders if shown(order).startswith(text))

    def feed(self, *events: e.Event) -> list[str]:
        """Facts, now; what followed from them, as text."""
        before = len(self.orders)
        for event in events:
            orders = self.session.handle(event, self.now)
            self.orders += [(self.t, order) for order in orders if "[TX_METRICS]" not in shown(order)]
        return [text for text in (shown(order) for _, order in self.orders[before:]) if text]

    def run(self, seconds: float) -> list[str]:
        """Let time pass: a TX step every 20 ms, a Tick every 100 ms."""
        before = len(self.orders)
        until = self.t + seconds
        while self.t < until - 1e-9:
            self.t = round(self.t + PTIME_MS / 1000, 6)
            out, notes = self.session.take(self.now)
            self.orders += [(self.t, note) for note in notes if "[TX_METRICS]" not in shown(note)]
            self.wire += [(self.t, message) for message in out]
            if self.is_echoing:
                self.feed(*[e.MarkEchoed(message.name) for message in out if message.kind == "mark"])
            if self.t >= self._tick_at - 1e-9:
                self._tick_at = round(self.t + 0.1, 6)
                self.feed(e.Tick())
        return [text for text in (shown(order) for _, order in self.orders[before:]) if text]

    def skip(self, seconds: float) -> list[str]:
        """A long time in which nothing happens, then one Tick."""
        self.t += seconds
        self._tick_at = self.t + 0.1
        return self.feed(e.Tick())

    # --- stretches of a call ------------------------------------------------------------------------------------

    def ready(self, link: int = 1) -> list[str]:
        return self.feed(e.ModelConnected(link, 80), e.ModelGreeted(), AS_ASKED)

    @property
    def last_ref(self) -> str:
        """The ref of the newest create."""
        return str(self.all(c.RequestResponse)[-1].ref)

    def created(self, response: str) -> list[str]:
        return self.feed(e.ResponseCreated(response, self.last_ref))

    def speak(self, response: str, ms: int = 600, text: str = "All right.") -> list[str]:
        """Created, text and audio, but no end."""
        item = f"item_{response}"
        return self.created(response) + self.feed(
            e.ItemAdded(item, "assistant", None),
            e.ModelText(response, item, text),
            e.ModelAudio(response, item, b"\x20" * (8 * ms)),
        )

    def done(self, response: str, status: str = "completed", **more: Any) -> list[str]:
        return self.feed(
            e.ModelAudioDone(response, f"item_{response}"), e.ResponseEnded(response, self.last_ref, status, **more)
        )

    def answer(self, response: str, ms: int = 600, text: str = "All right.") -> list[str]:
        return self.speak(response, ms, text) + self.done(response)

    def greeted(self) -> None:
        """Ready, the greeting generated and heard, the prompt upgraded."""
        self.ready()
        self.answer("greeting", 400, "Hello, Dana's.")
        self.feed(AS_ASKED)
        self.run(0.6)
        assert self.session.playout.is_idle

    def said(self, item: str, text: str = "When are you open?") -> list[str]:
        """The caller's turn, from its start to its transcript."""
        return self.feed(
            e.SpeechStarted(item, 0),
            e.SpeechStopped(item, 500),
            e.TurnCommitted(item, None),
            e.ItemAdded(item, "user", None),
            e.TranscriptPart(item, text),
            e.Transcript(item, text),
        )
