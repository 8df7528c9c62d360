"""A worker that misbehaves in known ways, for the tests of the carrier stand-in: run as a program, prints its port.

The called number chooses the behaviour (`MODES`). `GET /log` tells what arrived; standard input's end ends it.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

from media_ws_ai.audio.frame import FRAME_BYTES
from media_ws_ai.peers import numbered, speech

LOG: dict[str, Any] = {"streams": [], "posts": []}
FRAME_S = 0.02
SAY_FRAMES = 50


class Line:
    """One stream, with a paced voice."""

    def __init__(self, ws: web.WebSocketResponse, start: dict[str, Any], entry: dict[str, Any]) -> None:
        self.ws, self.sid, self.entry = ws, start["streamSid"], entry
        self.parameters = start["start"]["customParameters"]
        self.caller_spoke = asyncio.Event()
        self.utterance = int(self.parameters["attempt"])

    async def send(self, message: dict[str, Any]) -> None:
        await self.ws.send_str(json.dumps(message))

    async def frame(self, index: int) -> None:
        audio = numbered.stamp(numbered.tone_frame(), 7, self.utterance, index)
        payload = base64.b64encode(audio).decode()
        await self.send({"event": "media", "streamSid": self.sid, "media": {"payload": payload}})

    async def say(self, clip: str) -> None:
        """The beginning of a clip, in real time, with its end mark."""
        due = time.monotonic()
        for frame in speech.frames(clip)[:SAY_FRAMES]:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            payload = base64.b64encode(frame).decode()
            await self.send({"event": "media", "streamSid": self.sid, "media": {"payload": payload}})
            due += FRAME_S
        await self.mark(clip)

    async def mark(self, name: str) -> None:
        await self.send({"event": "mark", "streamSid": self.sid, "mark": {"name": name}})

    async def speak(self, indices: list[int], holes: dict[int, float] | None = None) -> None:
        """Numbered frames, 20 ms apart; `holes` delays the frame at a place by so many seconds more."""
        due = time.monotonic()
        for place, index in enumerate(indices):
            due += (holes or {}).get(place, 0.0)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self.frame(index)
            if place == 0 or place % 10 == 9:
                await self.mark(f"m{place}")
            due += FRAME_S
        await self.mark("end")


async def clean(line: Line) -> None:
    await line.speak(list(range(60)))


async def gap(line: Line) -> None:
    await line.speak(list(range(50)), {25: 0.1})


async def long_gap(line: Line) -> None:
    await line.speak(list(range(30)), {15: 0.7})


async def lossy(line: Line) -> None:
    await line.speak([n for n in range(40) if n != 10])


async def doubling(line: Line) -> None:
    await line.speak([*range(11), *range(10, 40)])


async def swapping(line: Line) -> None:
    await line.speak([*range(20), 21, 20, *range(22, 40)])


async def burst(line: Line) -> None:
    """Two seconds at once, marks between; then `clear` after half a second and five frames more of the same."""
    for index in range(100):
        await line.frame(index)
        if index % 10 == 9:
            await line.mark(f"b{index}")
    await asyncio.sleep(0.5)
    await line.send({"event": "clear", "streamSid": line.sid})
    await line.speak(list(range(100, 105)))


async def wrong_messages(line: Line) -> None:
    good = base64.b64encode(numbered.tone_frame()).decode()
    sid = line.sid
    for message in (
        {"event": "media", "streamSid": sid, "media": {"payload": good, "track": "outbound"}},
        {"event": "media", "streamSid": sid, "media": {"payload": good}, "extra": 1},
        {"event": "media", "stream_sid": sid, "media": {"payload": good}},
        {"event": "media", "streamSid": "MZ" + "0" * 32, "media": {"payload": good}},
        {"event": "media", "streamSid": sid, "media": {"payload": "*"}},
        {"event": "mark", "streamSid": sid, "mark": {"name": 7}},
        {"event": "mark", "streamSid": sid},
        {"event": "dance", "streamSid": sid},
    ):
        await line.send(message)
    await line.ws.send_str("{")
    await line.ws.send_bytes(b"\x00")
    await line.speak(list(range(5)))


async def dies(line: Line) -> None:
    """The first stream's connection is lost in mid-sentence, the second is closed properly."""
    await line.speak(list(range(20)))
    if line.utterance == 1:
        transport = line.ws._req.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.abort()
    else:
        await line.ws.close(code=1000)


async def closes(line: Line) -> None:
    await line.speak(list(range(10)))
    await line.ws.close(code=1000)


async def floods(line: Line) -> None:
    """Sends until the peer takes no more; the log says when that was."""
    payload = base64.b64encode(numbered.tone_frame() * 100).decode()
    began = time.monotonic()
    while time.monotonic() - began < 8:
        try:
            async with asyncio.timeout(0.7):
                await line.send({"event": "media", "streamSid": line.sid, "media": {"payload": payload}})
        except TimeoutError:
            line.entry["blocked"] = True
            return
        await asyncio.sleep(0.001)


async def converses(line: Line) -> None:
    """Greets, answers twice, says goodbye and closes."""
    await line.say("en_agent_bye")
    for clip in ("en_agent_hours", "he_agent_confirm", "he_agent_bye"):
        line.caller_spoke.clear()
        await line.caller_spoke.wait()
        await asyncio.sleep(0.3)
        await line.say(clip)
    await line.ws.close(code=1000)


async def later(line: Line) -> None:
    """An answer 1.5 s after the stream's start."""
    await asyncio.sleep(1.5)
    await line.speak(list(range(20)))


async def silent(line: Line) -> None:
    """Says nothing."""


MODES: dict[str, Callable[[Line], Awaitable[None]]] = {
    mode.__name__: mode
    for mode in (
        clean, gap, long_gap, lossy, doubling, swapping, burst, wrong_messages, dies, closes, floods,
        converses, later, silent,
    )
}  # fmt: skip


async def voice(request: web.Request) -> web.Response:
    form = dict(await request.post())
    await _noted(request)
    mode = str(form["To"])
    if mode == "http500":
        return web.Response(status=500)
    attempt = str(sum(1 for stream in LOG["streams"] if stream["call_sid"] == form["CallSid"]) + 1)
    verbs = {
        "say": "<Response><Say language='he-IL'>שלום</Say><Play>/clip.wav</Play><Hangup/></Response>",
        "broken": "<Response><Say>",
    }
    host = request.headers["Host"]
    stream = (
        f"<Response><Connect action='/twilio/stream-ended'><Stream url='wss://{host}/twilio/media' "
        f"statusCallback='/twilio/status'><Parameter name='mode' value='{mode}'/>"
        f"<Parameter name='attempt' value='{attempt}'/><Parameter name='token' value='secret-{attempt}'/>"
        "</Stream></Connect></Response>"
    )
    ended = request.path.endswith("stream-ended") and (mode != "dies" or attempt != "2")
    body = "<Response><Hangup/></Response>" if ended else verbs.get(mode, stream)
    return web.Response(body=body.encode(), content_type="text/xml")


async def status(request: web.Request) -> web.Response:
    await _noted(request)
    return web.Response(status=204)


async def _noted(request: web.Request) -> None:
    headers = {key.lower(): value for key, value in request.headers.items()}
    LOG["posts"].append({"path": request.path, "form": dict(await request.post()), "headers": headers})


async def media(request: web.Request) -> web.StreamResponse:
    if request.headers.get("X-Twilio-Signature") == "refuse" or request.query:
        return web.Response(status=403)
    ws = web.WebSocketResponse(max_msg_size=65536)
    await ws.prepare(request)
    entry: dict[str, Any] = {
        "call_sid": "", "events": [], "media": 0, "timestamps": [], "arrived": [], "bad": 0, "close_code": None,
        "signature": request.headers.get("X-Twilio-Signature", ""), "sequence_ok": True,
    }  # fmt: skip
    task: asyncio.Task[None] | None = None
    line: Line | None = None
    sequence, zero = 0, 0.0
    async for message in ws:
        if message.type is not WSMsgType.TEXT:
            entry["bad"] += 1
            continue
        try:
            data = json.loads(message.data)
            event = data["event"]
        except (ValueError, TypeError):
            entry["bad"] += 1
            continue
        if event != "connected" and "sequenceNumber" in data:
            sequence += 1
            entry["sequence_ok"] &= data["sequenceNumber"] == str(sequence)
        if event == "media":
            entry["media"] += 1
            entry["timestamps"].append(int(data["media"]["timestamp"]))
            entry["arrived"].append(time.monotonic())
            frame = base64.b64decode(data["media"]["payload"])
            assert len(frame) in (FRAME_BYTES, 60000, 8)
            said = speech.positions().get(frame)
            if line is not None and said is not None and said[1] >= speech.CLIPS[said[0]].ms // 20 - 12:
                line.caller_spoke.set()
        else:
            entry["events"].append(data | {"at": time.monotonic() - zero})
        if event == "start":
            zero = time.monotonic()
            entry["call_sid"] = data["start"]["callSid"]
            LOG["streams"].append(entry)
            if data["start"]["customParameters"]["token"] in LOG.setdefault("used", {}).get(entry["call_sid"], []):
                await ws.close(code=1008)
                break
            used = LOG["used"].setdefault(entry["call_sid"], [])
            used.append(data["start"]["customParameters"]["token"])
            line = Line(ws, data, entry)
            task = asyncio.create_task(_guarded(MODES[line.parameters["mode"]](line)))
    entry["close_code"] = ws.close_code
    if task is not None:
        task.cancel()
    return ws


async def _guarded(work: Awaitable[None]) -> None:
    try:
        await work
    except ConnectionError:
        return


async def clip(request: web.Request) -> web.Response:
    ulaw = b"\x7e" * 1600
    form = b"WAVEfmt \x10\x00\x00\x00\x07\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00"
    data = form + b"data" + len(ulaw).to_bytes(4, "little") + ulaw
    return web.Response(body=b"RIFF" + len(data).to_bytes(4, "little") + data, content_type="audio/wav")


async def log(request: web.Request) -> web.Response:
    return web.json_response(LOG)


async def main() -> None:
    app = web.Application()
    app.add_routes(
        [
            web.post("/twilio/voice", voice),
            web.post("/twilio/stream-ended", voice),
            web.post("/twilio/status", status),
            web.get("/twilio/media", media),
            web.get("/clip.wav", clip),
            web.get("/log", log),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), lambda: ended.set() if not os.read(0, 100) else None)
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
