"""A carrier that takes its orders over HTTP, beside the REST stand-in: what the process facade talks to.

POST /carrier/run      a plan → {"run": n}, 400 {"error": …} for a plan that is none
GET  /carrier/run/n?wait_s=5  → {"done": …, "calls": [reports], "clock": {…}}; `done` false when the time was up
POST /carrier/aim      {"url": …, "public_url": …}: the worker to call from now on
POST /carrier/act      {"call_sid": "CA…" | "all", "step": {"dtmf": "5"}} → {"acted": n}
GET  /carrier/state    → {"calls": {call_sid: {"stage", …}}, "clock": {…}}
"""

import asyncio
from typing import Any, Final

import orjson
from aiohttp import web

from media_ws_ai.peers.carrier import report
from media_ws_ai.peers.carrier.call import Call
from media_ws_ai.peers.carrier.carrier import Carrier
from media_ws_ai.peers.carrier.mouth import utterance
from media_ws_ai.peers.carrier.plan import Plan, PlanError, read_step
from media_ws_ai.peers.carrier.sound import NotAudio

MAX_WAIT_S: Final = 30.0
MAX_RUNS: Final = 50
CLIENT_MAX_BYTES: Final = 16 * 1024 * 1024

Started = list[tuple[Call, "asyncio.Task[None]"]]


class ControlledCarrier(Carrier):
    """A Carrier with the routes above. The reports of the latest 50 runs are kept."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._runs: dict[int, Started] = {}
        self._count = 0

    def routes(self) -> list[web.RouteDef]:
        """The REST stand-in's and ours."""
        return [
            *super().routes(),
            web.post("/carrier/run", self._run),
            web.get("/carrier/run/{run}", self._report),
            web.post("/carrier/act", self._act),
            web.post("/carrier/aim", self._aim),
            web.get("/carrier/state", self._state),
        ]

    async def _run(self, request: web.Request) -> web.Response:
        try:
            started = self.start(Plan.of(orjson.loads(await request.read())))
        except (ValueError, OSError) as error:
            return _json({"error": str(error)}, 400)
        self._count += 1
        self._runs[self._count] = started
        self._runs.pop(self._count - MAX_RUNS, None)
        return _json({"run": self._count, "call_sids": [call.call_sid for call, _ in started]})

    async def _report(self, request: web.Request) -> web.Response:
        started = self._runs.get(int(request.match_info["run"]))
        if started is None:
            return _json({"error": "no such run"}, 404)
        wait_s = min(MAX_WAIT_S, float(request.query.get("wait_s", "0")))
        tasks = {task for _, task in started}
        _, running = await asyncio.wait(tasks, timeout=wait_s)
        failed = [repr(task.exception()) for task in tasks - running if task.exception() is not None]
        if failed:
            return _json({"error": f"the carrier failed: {failed[0]}"}, 500)
        if running and "now" not in request.query:
            return _json({"done": False, "running": len(running)})
        calls = [report.of(call) for call, _ in started]
        return _json({"done": not running, "calls": calls, "clock": self.ticker.figures()})

    async def _act(self, request: web.Request) -> web.Response:
        try:
            order = orjson.loads(await request.read())
            step = read_step(order["step"])
            if step.do == "say":
                utterance(step.text)
            sid = order["call_sid"]
        except (PlanError, NotAudio, orjson.JSONDecodeError, KeyError, TypeError) as error:
            return _json({"error": f"not an order: {error}"}, 400)
        chosen = [call for call in self.calls.values() if not call.over and sid in ("all", call.call_sid)]
        return _json({"acted": sum(call.act(step) for call in chosen)})

    async def _aim(self, request: web.Request) -> web.Response:
        order = orjson.loads(await request.read())
        self.aim(str(order["url"]), str(order.get("public_url", "")))
        return _json({"url": self.target.url})

    async def _state(self, request: web.Request) -> web.Response:
        return _json({"calls": {sid: _stage(call) for sid, call in self.calls.items()}, "clock": self.ticker.figures()})


def _stage(call: Call) -> dict[str, object]:
    stream = call.stream
    streaming = stream is not None and stream.open
    stage = "over" if call.over else "ending" if call.end else "streaming" if streaming else "up"
    watch = call.line.stopwatch
    return {
        "stage": stage,
        "streams": len(call.streams),
        "stream_sid": stream.sid if stream is not None else None,
        "utterances": len(watch.utterances),
        "agent_ms": round(sum(run.total_bytes for run in watch.utterances) / 8),
        "frames_sent": stream.frames_sent if stream is not None else 0,
        "marks": call.line.marks.received,
        "clears": len(watch.clears),
        "steps": call.line.script.at,
        "first_sound": watch.first_sound_at is not None,
    }


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
