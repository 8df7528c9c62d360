"""One media stream: the websocket from handshake to end, caller frames out, the worker's messages in.

    ticker ─▶ tick() ─ mouth ─▶ media, dtmf ─▶ │ socket │ ─▶ worker
    stopwatch ◀─ playout, echoes ◀─ judge() ◀─ │        │ ◀─ media, mark, clear

What the caller does and when is the conductor's; what follows the stream's end is the call's.
"""

import asyncio
import random
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp
from aiohttp import WSMsgType

from media_ws_ai.audio.frame import BYTES_PER_MS, FRAME_SEC, PTIME_MS
from media_ws_ai.peers.carrier.echoes import Echoes
from media_ws_ai.peers.carrier.line import Line
from media_ws_ai.peers.carrier.mediasocket import CLOSE_S, MediaSocket
from media_ws_ai.peers.carrier.messages import BINARY, Clear, Invalid, Mark, Media, Outgoing, connected, judge
from media_ws_ai.peers.carrier.mouth import Mouth
from media_ws_ai.peers.carrier.playout import Playout
from media_ws_ai.peers.carrier.stopwatch import PAUSE_S, Turn
from media_ws_ai.peers.carrier.ticker import TOGETHER_S

MAX_BEHIND_S: Final = 1.0
"""A clock that lost more than this jumps instead of sending a flood; the frames are counted as skipped."""
DIGIT_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How a stream ended. `by`: worker, carrier. `how`: closed (close frame), lost (no close frame), stopped, reset."""

    by: str
    how: str
    code: int | None


class Poll(Protocol):
    """What is asked at every tick: perform the steps that are due on this stream."""

    def __call__(self, stream: "MediaStream", now: float) -> None:
        """Called before the frames of the tick are sent."""


class MediaStream:
    """A stream on a connected websocket. `run` returns when it is over; everything else may be called until then."""

    def __init__(self, line: Line, socket: MediaSocket, number: int, poll: Poll) -> None:
        self.line = line
        self.number = number
        self.sid = "MZ" + uuid.uuid4().hex
        self.mouth = Mouth()
        self.playout = Playout()
        self.out = Outgoing(self.sid, line.account_sid, line.call_sid)
        self.frozen = False
        self.frames_sent = 0
        self.frames_skipped = 0
        self.started_at: float | None = None
        self._socket = socket
        self._poll = poll
        self._echoes = Echoes(line, self.playout, self._echo)
        self._held: deque[str] = deque(maxlen=5000)
        self._random = random.Random(f"{line.plan.seed}:{number}")
        self._index = 0
        self._pending: list[tuple[int, bytes]] = []
        self._gap_frames = 0
        self._digits: deque[str] = deque()
        self._next_digit_at = 0.0
        self._wait_until = 0.0
        self._turn: Turn | None = None
        self._agent_speaks = False
        self._stopping = asyncio.Event()
        self._how = "stopped"
        self._error: Exception | None = None

    @property
    def open(self) -> bool:
        """True between `start` and the end."""
        return self.started_at is not None and not self._stopping.is_set() and not self._socket.closed

    @property
    def busy(self) -> bool:
        """True while a step's action lasts: speech, silence, a gap, digits."""
        waiting = time.monotonic() < self._wait_until
        return waiting or self.mouth.busy or self._gap_frames > 0 or bool(self._digits)

    def start(self, parameters: dict[str, str], call_sid: str = "", account_sid: str = "") -> float:
        """Send `connected` and `start`; the time of it, which is media time 0."""
        self._socket.post(connected())
        self._socket.post(self.out.start(parameters, call_sid, account_sid))
        now = time.monotonic()
        self.started_at = now
        return now

    async def run(self) -> StreamEnd:
        """Until the worker or `stop` ends the stream. Never raises for what a worker can do, only what `fail` got."""
        listening = asyncio.create_task(self._listen())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        by = "carrier" if self._stopping.is_set() else "worker"
        self._stopping.set()
        self._echoes.close()
        self._agent_finished()
        self.line.stopwatch.stream_ended()
        if by == "carrier" and self._how == "reset":
            self._socket.reset()
        elif by == "carrier":
            self._socket.resume_reading()
            if self._how == "stopped":
                self._socket.post(self.out.stop())
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close()
        except TimeoutError:
            self._socket.transport.abort()
        await asyncio.wait({listening, stopping}, timeout=CLOSE_S)
        lost = await listening
        if self._error is not None:
            raise self._error
        if by == "carrier":
            return StreamEnd(by, self._how, self._socket.close_code)
        return StreamEnd(by, "lost" if lost else "closed", None if lost else self._socket.close_code)

    # ── what the conductor may do ────────────────────────────────────────────────────────────────────

    def stop(self, how: str = "stopped") -> None:
        """End the stream: `stopped` (stop message, close frame), `closed` (close frame only) or `reset` (RST)."""
        if not self._stopping.is_set():
            self._how = how
            self._stopping.set()

    def fail(self, error: Exception) -> None:
        """This peer itself failed: end the stream, and let `run` raise what happened."""
        self._error = error
        self.stop()

    def press(self, digits: str, now: float) -> None:
        """Press keys, one each 200 ms."""
        self._digits.extend(digits)
        self._next_digit_at = max(now, self._next_digit_at)

    def wait(self, ms: int, now: float) -> None:
        """Let the line be quiet for so long before the next step."""
        self._wait_until = now + ms / 1000

    def gap(self, ms: int) -> None:
        """Send no media for so long; the timestamps jump."""
        self._gap_frames = ms // PTIME_MS

    def thaw(self) -> None:
        """Send again, the held echoes first."""
        self.frozen = False
        while self._held:
            self._socket.post(self.out.mark(self._held.popleft()))

    def stop_reading(self) -> None:
        """Leave what the worker sends in the kernel's buffer; caller frames still go out."""
        self._socket.stop_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._socket.resume_reading()

    def send_rubbish(self, kind: str) -> None:
        """Send what no carrier sends."""
        self._socket.post(self.out.rubbish(kind), WSMsgType.BINARY if kind == "binary" else WSMsgType.TEXT)

    # ── up the line ──────────────────────────────────────────────────────────────────────────────────

    def tick(self, now: float) -> float | None:
        """Do what is due: steps, digits, caller frames; the next deadline, None when the stream is over."""
        if not self.open or self.started_at is None:
            return None
        self._poll(self, now)
        if self._stopping.is_set():
            return None
        self._press_due(now)
        self._notice_silence(now)
        zero, horizon = self.started_at + FRAME_SEC, now + TOGETHER_S
        if horizon - zero - self._index * FRAME_SEC > MAX_BEHIND_S:
            behind = int((horizon - zero) / FRAME_SEC) - self._index
            self._index += behind
            self.frames_skipped += behind
        while zero + self._index * FRAME_SEC <= horizon:
            self._take_frame(now)
        if len(self._pending) >= self.line.plan.burst_frames:
            self._send_pending()
        jitter_s = self._random.random() * self.line.plan.jitter_ms / 1000 if self.line.plan.jitter_ms else 0.0
        return zero + self._index * FRAME_SEC + jitter_s

    def _take_frame(self, now: float) -> None:
        payload = self.mouth.next_frame()
        if self.mouth.edges:
            self._note_edges(now)
        if self._gap_frames:
            self._gap_frames -= 1
        elif not self.frozen:
            self._pending.append((self._index * PTIME_MS, payload))
        self._index += 1

    def _send_pending(self) -> None:
        for timestamp_ms, payload in self._pending:
            self.frames_sent += self._socket.post(self.out.media(payload, timestamp_ms))
        self._pending.clear()

    def _note_edges(self, now: float) -> None:
        line = self.line
        for edge in self.mouth.edges:
            if edge.began:
                over = self.playout.play_end > now and self._agent_speaks
                line.ear.caller_began_at, line.ear.caller_ended_at = now, None
                self._turn = line.stopwatch.caller_began(edge.utterance.text, now, over)
                line.note("caller_says", now, text=edge.utterance.text, clip=edge.utterance.name, over_agent=over)
            elif self._turn is not None:
                line.ear.caller_ended_at = now
                line.stopwatch.caller_ended(self._turn, now)
                line.note("caller_done", now)
                self._turn = None
        self.mouth.edges.clear()

    def _press_due(self, now: float) -> None:
        if self._digits and now >= self._next_digit_at and not self.frozen:
            digit = self._digits.popleft()
            self._next_digit_at = now + DIGIT_S
            self._socket.post(self.out.dtmf(digit))
            self.line.note("dtmf", now, digit=digit)

    def _notice_silence(self, now: float) -> None:
        """The agent has finished: nothing buffered and nothing come for a while."""
        ear = self.line.ear
        if now >= max(ear.agent_until, ear.last_media_at) + PAUSE_S:
            self._agent_finished()

    def _agent_finished(self) -> None:
        if self._agent_speaks:
            self._agent_speaks = False
            run = self.line.stopwatch.utterances[-1]
            words = {"text": run.text} if run.text else {}
            spoken_ms = round(run.total_bytes / BYTES_PER_MS)
            self.line.note(
                "agent_done", self.line.ear.agent_until, ms_spoken=spoken_ms, marks=self.line.marks.received, **words
            )

    def _echo(self, name: str) -> None:
        if self.frozen:
            self._held.append(name)
        elif self.open:
            self._socket.post(self.out.mark(name))

    # ── down the line ────────────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> bool:
        """Take messages until the socket ends; True when it ended without a close frame."""
        socket, clock = self._socket, time.monotonic
        while True:
            message = await socket.receive()
            now = clock()
            kind = message.type
            if kind is WSMsgType.TEXT:
                self._heard(message.data, now)
            elif kind is WSMsgType.BINARY:
                self.line.warn(BINARY, f"binary frame of {len(message.data)} bytes")
            elif kind is WSMsgType.ERROR:
                self.line.warn("31924", f"the worker broke the websocket protocol: {message.data}")
                return True
            elif kind is WSMsgType.CLOSE:
                return False
            elif kind in (WSMsgType.CLOSED, WSMsgType.CLOSING):
                return socket.close_code in (None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE)

    def _heard(self, data: bytes, now: float) -> None:
        line = self.line
        message = judge(data, self.sid)
        if isinstance(message, Media):
            self._hear(message.payload, now)
        elif isinstance(message, Mark):
            line.marks.arrived(len(line.stopwatch.utterances), now)
            self._echoes.mark(message.name, now)
        elif isinstance(message, Clear):
            discarded_ms, names = self.playout.clear(now)
            line.stopwatch.clear(now, discarded_ms)
            line.ear.clears.append(now)
            line.ear.agent_until = min(line.ear.agent_until, now)
            self._echoes.clear(names)
            line.note("clear", now, discarded_ms=round(discarded_ms, 1), marks=len(names))
        elif isinstance(message, Invalid):
            line.warn(message.code, f"{message.fault} in {data[:160].decode(errors='replace')}")

    def _hear(self, payload: bytes, now: float) -> None:
        line = self.line
        if not self.playout.push(len(payload), now):
            line.warn("31931", "more than ten minutes of audio are buffered")
            return
        ear = line.ear
        ear.agent_until, ear.last_media_at = self.playout.play_end, now
        run = line.stopwatch.media(payload, now, self.number)
        if run is not None:
            ear.agent_starts.append(now)
            self._agent_speaks = True
            line.note("agent_starts", now, number=run.number)
