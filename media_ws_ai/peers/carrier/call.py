"""One simulated call: webhook, TwiML followed verb by verb, streams, the end, the callbacks.

POST /twilio/voice ─▶ TwiML ─▶ Say, Play, Pause … ─▶ Connect/Stream ─▶ stream over, caller there ─▶ POST action ─┐
                        ▲                                                                                        │
                        └────────────────────────────────────────────────────────────────────────────────────────┘
"""

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

import aiohttp

from media_ws_ai.audio.frame import FRAME_SEC
from media_ws_ai.peers.carrier import forms, twiml
from media_ws_ai.peers.carrier.callbacks import Callbacks
from media_ws_ai.peers.carrier.conduct import Conductor
from media_ws_ai.peers.carrier.dialling import Dialling, Refused, session
from media_ws_ai.peers.carrier.line import Line, Watcher
from media_ws_ai.peers.carrier.plan import CallPlan, Step
from media_ws_ai.peers.carrier.sound import NotAudio
from media_ws_ai.peers.carrier.stream import MediaStream
from media_ws_ai.peers.carrier.ticker import Ticker
from media_ws_ai.peers.carrier.webhook import Answer, Target, WebhookError, Webhooks

MAX_DOCUMENTS: Final = 20
SAY_S_PER_CHAR: Final = 0.065
DIAL_S: Final = 0.2
MAX_TEXT: Final = 500


@dataclass(slots=True)
class End:
    """How the call ended. `by`: caller, worker, rest, webhook, refused, rejected or deadline."""

    by: str
    reason: str
    code: str | int | None
    at: float
    wall: float


class Call:
    """One call from webhook to report. `run` once; `hang_up` and `redirect` at any time meanwhile."""

    def __init__(
        self, plan: CallPlan, target: Target, http: aiohttp.ClientSession, ticker: Ticker, watcher: Watcher | None
    ) -> None:
        self.plan = plan
        self.call_sid = plan.call_sid or "CA" + uuid.uuid4().hex
        self.line = Line(plan, self.call_sid, target.account_sid, watcher)
        self.stream: MediaStream | None = None
        self.end: End | None = None
        self.heard: list[dict[str, object]] = []
        self.streams: list[dict[str, object]] = []
        self.webhooks: list[dict[str, object]] = []
        self.rest: list[dict[str, object]] = []
        self.second_stream: dict[str, object] | None = None
        self.over = False
        self._target, self._http, self._ticker = target, http, ticker
        self._hooks = Webhooks(http, target)
        self._callbacks = Callbacks(self.line, self._hooks, self.webhooks)
        self._conductor = Conductor(self.line, self._ended_by_step)
        self._next: tuple[str, bytes | None] | None = None
        self._turned = asyncio.Event()

    async def run(self) -> None:
        """The whole call. Returns when the caller is gone and the callbacks are answered."""
        loop = asyncio.get_running_loop()
        deadline = loop.call_later(
            self.plan.max_s, lambda: self.hang_up("deadline", f"the plan's max_s, {self.plan.max_s:g} s, has passed")
        )
        try:
            await self._converse()
        finally:
            deadline.cancel()
        self.hang_up("worker", "the TwiML came to its end")
        self.over = True
        if self.plan.status_callback and self.end is not None and self.end.by not in ("webhook", "refused"):
            form = forms.completed_form(self.line, 0)
            await self._callbacks.post(self._target.public + "/twilio/status", form, "status")
        await self._callbacks.finish()
        assert self.end is not None
        self.line.note("end", self.end.at, by=self.end.by, reason=self.end.reason, code=self.end.code)

    def hang_up(self, by: str, reason: str, code: str | int | None = None, how: str = "stopped") -> bool:
        """End the call; False when it had ended already."""
        if self.end is not None:
            return False
        self.end = End(by, reason, code, time.monotonic(), time.time())
        self._turned.set()
        if self.stream is not None:
            self.stream.stop(how)
        return True

    def redirect(self, url: str, document: bytes | None) -> None:
        """Leave what is running and follow this TwiML, or the one at `url`."""
        self._next = (url, document)
        self._turned.set()
        if self.stream is not None:
            self.stream.stop()

    def act(self, step: Step) -> bool:
        """Perform a step now, whatever the script says; False when no stream is open."""
        if self.stream is None or not self.stream.open:
            return False
        self._conductor.perform(step, self.stream, time.monotonic())
        return True

    def _ended_by_step(self, by: str, how: str, reason: str) -> None:
        if how == "reset_stream" and self.stream is not None:
            self.stream.stop("reset")
        else:
            self.hang_up(by, reason, how=how)

    # ── following TwiML ──────────────────────────────────────────────────────────────────────────────

    async def _converse(self) -> None:
        url = self._target.public + "/twilio/voice"
        document: bytes | None = await self._first(url)
        for _ in range(MAX_DOCUMENTS):
            if document is None or self.end is not None:
                return
            following = await self._follow(document, url)
            if self.end is None and self._next is not None:
                (to, document), self._next = self._next, None
                self._turned.clear()
                url = urljoin(url, to)
                if document is None:
                    document = await self._document(url, "in-progress")
            elif following is None:
                return
            else:
                url = following
                document = await self._document(url, "in-progress")
        self.hang_up("webhook", f"more than {MAX_DOCUMENTS} TwiML documents in one call", "12400")

    async def _first(self, url: str) -> bytes | None:
        """The voice webhook, twice when the plan says so: Twilio's retry carries the same idempotency token."""
        faults, token = self.plan.webhook, str(uuid.uuid4())
        first = asyncio.create_task(self._document(url, "ringing", faults.signature, token))
        if faults.twice:
            await asyncio.sleep(faults.twice_after_ms / 1000)
            again = await self._document(url, "ringing", faults.signature, token)
            body = await first
            self.webhooks.append({"url": url, "repeated": True, "same_answer": body == again})
            return body
        return await first

    async def _document(self, url: str, status: str, sign: str = "right", token: str = "") -> bytes | None:
        """TwiML from the worker; None, and the call ended, when there is none."""
        try:
            answer = await self._hooks.document(
                url, forms.call_form(self.line, status), sign=sign, idempotency=token or str(uuid.uuid4())
            )
        except WebhookError as error:
            self.webhooks.append({"url": url, "status": error.status, "ms": None, "error": str(error)})
            self.line.warn(error.code, str(error))
            self.hang_up("webhook", str(error), error.status or error.code)
            return None
        self._noted(url, answer)
        return answer.body

    def _noted(self, url: str, answer: Answer) -> None:
        twiml_text = answer.body.decode(errors="replace")[:MAX_TEXT]
        self.webhooks.append({"url": url, "status": answer.status, "ms": round(answer.ms, 1), "twiml": twiml_text})
        self.line.note("webhook", url=url, status=answer.status, took_ms=round(answer.ms, 1))

    async def _follow(self, document: bytes, base: str) -> str | None:
        """Do what a document says; the URL of the one that takes its place, None at its end."""
        try:
            verbs = twiml.parse(document)
        except twiml.BadTwiml as error:
            self.line.warn(error.code, str(error))
            self.hang_up("webhook", str(error), error.code)
            return None
        for verb in verbs:
            if self.end is not None or self._next is not None:
                return None
            following = await self._verb(verb, base)
            if following is not None:
                return urljoin(base, following)
        return None

    async def _verb(self, verb: twiml.Verb, base: str) -> str | None:
        match verb:
            case twiml.Say(text, language, voice):
                ms = round(len(text) * SAY_S_PER_CHAR * 1000)
                self._hears("say", text=text[:MAX_TEXT], language=language, voice=voice, ms=ms)
                await self._pass(ms / 1000)
            case twiml.Play(url, loop):
                await self._play(base, url, loop)
            case twiml.Pause(length_s):
                self._hears("pause", ms=round(length_s * 1000))
                await self._pass(length_s)
            case twiml.Hangup():
                self.hang_up("worker", "TwiML <Hangup/>")
            case twiml.Reject(reason):
                self.hang_up("rejected", f"TwiML <Reject reason={reason!r}>", reason)
            case twiml.Redirect(url):
                return url
            case twiml.Dial(numbers, action):
                self._hears("dial", numbers=list(numbers))
                await self._pass(DIAL_S)
                return action or None
            case twiml.Stream():
                return await self._connect(verb, base)
            case twiml.Unknown(tag):
                self._hears("unknown_verb", tag=tag)
        return None

    def _hears(self, verb: str, **details: Any) -> None:
        self.heard.append({"verb": verb, "at_ms": self.line.ms(), **details})
        self.line.note(verb, **details)

    async def _play(self, base: str, url: str, loop: int) -> None:
        try:
            public, ms = await self._hooks.clip(base, url)
        except (WebhookError, NotAudio) as error:
            self.line.warn(getattr(error, "code", "12300"), f"<Play>: {error}")
            self._hears("play", url=url, ms=0, error=str(error))
            return
        self._hears("play", url=public, ms=round(ms * max(1, loop)))
        await self._pass(ms * max(1, loop) / 1000)

    async def _pass(self, seconds: float) -> None:
        """Time that a verb takes, cut short by the end of the call or a redirect."""
        if self.plan.skip_verbs or self.end is not None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._turned.wait()
        except TimeoutError:
            return

    # ── streams ──────────────────────────────────────────────────────────────────────────────────────

    async def _connect(self, verb: twiml.Stream, base: str) -> str | None:
        """One `<Connect><Stream>` from handshake to end; the `action` to request afterwards, if any."""
        own = session(self.plan.rcvbuf_bytes) if self.plan.rcvbuf_bytes else None
        try:
            await self._streamed(verb, base, Dialling(self.line, self._target, own or self._http))
        finally:
            if own is not None:
                await own.close()
        if self.end is None and self._next is None and self.plan.stream.forged:
            last = self.streams[-1]
            code = last["close_code"] if last["status"] == 101 else last["status"]
            self.hang_up("refused", "the worker refused the forged stream", code if isinstance(code, int) else None)
        return verb.action or None if self.end is None and self._next is None else None

    async def _streamed(self, verb: twiml.Stream, base: str, dialling: Dialling) -> None:
        faults, line = self.plan.stream, self.line
        callback = urljoin(base, verb.status_callback) if verb.status_callback else ""
        row: dict[str, object] = {"url": verb.url, "sid": None, "status": 101, "close_code": None, "ended": None}
        self.streams.append(row)
        began = time.monotonic()
        try:
            socket = await dialling.open(verb, faults.signature)
        except Refused as refused:
            row.update(status=refused.status, ended="refused", error=str(refused), handshake_ms=_since(began))
            line.warn(refused.code, str(refused))
            self._callbacks.later(callback, forms.stream_form(line, "stream-error", "", verb.name, str(refused)))
            return
        row["handshake_ms"] = _since(began)
        stream = MediaStream(line, socket, len(self.streams), self._conductor)
        row["sid"] = stream.sid
        self.stream = stream
        if self.end is not None or self._next is not None:
            stream.stop()
        running = asyncio.create_task(stream.run())
        if not faults.never_start:
            await self._started(stream, dialling, verb, running)
            row["started_ms"] = line.ms(stream.started_at)
            self._callbacks.later(callback, forms.stream_form(line, "stream-started", stream.sid, verb.name))
        ended = await running
        self.stream = None
        row.update(
            ended=ended.how, by=ended.by, close_code=ended.code, ended_ms=line.ms(), frames_sent=stream.frames_sent,
            frames_skipped=stream.frames_skipped, frames_dropped=socket.dropped,
        )  # fmt: skip
        if socket.dropped:
            line.warn("31930", f"{socket.dropped} caller frames were dropped: the worker does not read")
        if ended.by == "worker":
            lost = ended.how == "lost"
            said = "the worker's connection was lost" if lost else f"the worker closed with code {ended.code}"
            line.warn("31903" if lost else "31921", said)
        line.note("stream_end", by=ended.by, how=ended.how, code=ended.code)
        self._callbacks.later(callback, forms.stream_form(line, "stream-stopped", stream.sid, verb.name))

    async def _started(
        self, stream: MediaStream, dialling: Dialling, verb: twiml.Stream, running: "asyncio.Task[Any]"
    ) -> None:
        faults, line = self.plan.stream, self.line
        if faults.start_delay_ms:
            await asyncio.wait({running}, timeout=faults.start_delay_ms / 1000)
        if running.done():
            return
        now = stream.start(dialling.parameters(verb), faults.call_sid, faults.account_sid)
        if line.stopwatch.zero is None:
            line.stopwatch.zero = now
            line.ear.started_at = now
            line.script.start(now)
        line.note("stream_start", now, sid=stream.sid, number=stream.number)
        self._ticker.add(now + FRAME_SEC, stream.tick, stream.fail)
        if faults.second_after_ms is not None and self.second_stream is None:
            self.second_stream = {}
            self._callbacks.beside(self._steal(dialling, verb, faults.second_after_ms))

    async def _steal(self, dialling: Dialling, verb: twiml.Stream, after_ms: int) -> None:
        await asyncio.sleep(after_ms / 1000)
        self.second_stream = await dialling.second(verb)


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
