"""The carrier: any number of calls over one clock, one HTTP session and one REST stand-in.

    async with Carrier(Target("http://127.0.0.1:5000")) as carrier:
        reports = await carrier.run(Plan.of([{"steps": [{"say": "he_book", "after": "agent_done"}]}]))

Finished calls stay known to the REST stand-in (an update of them is answered 21220), the latest 2,000 of them.
"""

import asyncio
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp import web

from media_ws_ai.peers import speech
from media_ws_ai.peers.carrier import report, rest
from media_ws_ai.peers.carrier.call import Call
from media_ws_ai.peers.carrier.dialling import session
from media_ws_ai.peers.carrier.line import Watcher
from media_ws_ai.peers.carrier.mouth import utterance
from media_ws_ai.peers.carrier.plan import CallPlan, Plan
from media_ws_ai.peers.carrier.report import CallReport
from media_ws_ai.peers.carrier.ticker import Ticker
from media_ws_ai.peers.carrier.webhook import Target

MAX_FINISHED: Final = 2000
END_S: Final = 3.0


class Carrier:
    """Places calls. An asynchronous context manager; `rest_url` is known once it is entered."""

    def __init__(self, target: Target, *, rest_port: int = 0, watcher: Watcher | None = None) -> None:
        self.target = target
        self.ticker = Ticker()
        self.calls: dict[str, Call] = {}
        self.rest_url = ""
        self._rest_port = rest_port
        self._watcher = watcher
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._clock: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """What the HTTP server answers; a subclass may add to it."""
        return rest.routes(self.calls, self.target)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._rest_port)
        await site.start()
        self.rest_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        speech.positions()  # the clips are known by heart before the first call, not during it
        self._http = session()
        self._clock = asyncio.create_task(self.ticker.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end_all()
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.wait({self._clock})
        if self._http is not None:
            await self._http.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def aim(self, url: str, public_url: str = "") -> None:
        """Call the worker at this URL from now on; account and token stay."""
        self.target = replace(self.target, url=url.rstrip("/"), public_url=public_url.rstrip("/"))

    def make(self, plan: CallPlan) -> Call:
        """A call that is ready to `run`. Raises: NotAudio for a clip or WAV that does not exist."""
        for step in plan.steps:
            if step.do == "say":
                utterance(step.text)  # encoded now, not in the middle of the calls
        assert self._http is not None
        if plan.call_sid in self.calls and not self.calls[plan.call_sid].over:
            raise ValueError(f"a call {plan.call_sid} is running already")
        call = Call(plan, self.target, self._http, self.ticker, self._watcher)
        self.calls[call.call_sid] = call
        self._forget()
        return call

    def start(self, plan: Plan) -> list[tuple[Call, "asyncio.Task[None]"]]:
        """Start the calls of a plan, each at its time; every call with the task that ends with it."""
        made = [self.make(call) for call in plan.calls]
        started = [
            (call, asyncio.create_task(self._placed(call, place * plan.stagger_ms))) for place, call in enumerate(made)
        ]
        for _, task in started:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return started

    async def run(self, plan: Plan) -> list[CallReport]:
        """Place all calls of a plan; their reports, in order, when all are over."""
        started = self.start(plan)
        await asyncio.wait({task for _, task in started})  # not gather: when cancelled, calls are to end properly
        for _, task in started:
            task.result()
        return [report.of(call) for call, _ in started]

    async def _placed(self, call: Call, stagger_ms: int) -> None:
        delay_ms = stagger_ms + call.plan.start_after_ms
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        call.line.placed()
        await call.run()

    async def _end_all(self) -> None:
        """Hang up what is still running; what does not end within 3 s is broken off."""
        for call in self.calls.values():
            if not call.over:
                call.hang_up("caller", "the carrier was ended")
        if self._tasks:
            _, unfinished = await asyncio.wait(set(self._tasks), timeout=END_S)
            for task in unfinished:
                task.cancel()
            if unfinished:
                await asyncio.wait(unfinished, timeout=END_S)

    def _forget(self) -> None:
        finished = [sid for sid, call in self.calls.items() if call.over]
        for sid in finished[: max(0, len(finished) - MAX_FINISHED)]:
            del self.calls[sid]
