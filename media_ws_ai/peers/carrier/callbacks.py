"""Callbacks of a call: requests whose answer does not matter to it, made beside it and waited for at its end."""

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any, Final

from media_ws_ai.peers.carrier.line import Line
from media_ws_ai.peers.carrier.webhook import WebhookError, Webhooks

FINISH_S: Final = 10.0


class Callbacks:
    """Posts callbacks and notes each in `rows`, the report's `webhooks`."""

    def __init__(self, line: Line, hooks: Webhooks, rows: list[dict[str, object]]) -> None:
        self._line, self._hooks, self._rows = line, hooks, rows
        self._running: set[asyncio.Task[None]] = set()

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this while the call goes on."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def later(self, url: str, form: dict[str, str]) -> None:
        """Post a stream status callback while the call goes on; "" for `url`: none was asked for."""
        if url:
            self.beside(self.post(url, form, form["StreamEvent"]))

    async def post(self, url: str, form: dict[str, str], what: str) -> None:
        """Post a callback now."""
        try:
            answer = await self._hooks.post(url, form, idempotency=str(uuid.uuid4()))
        except WebhookError as error:
            self._line.warn(error.code, f"{what}: {error}")
            self._rows.append({"url": url, "callback": what, "status": error.status, "error": str(error)})
            return
        self._rows.append({"url": url, "callback": what, "status": answer.status, "ms": round(answer.ms, 1)})

    async def finish(self) -> None:
        """Wait for what is under way, at most 10 s; what takes longer is given up and noted."""
        if not self._running:
            return
        _, unfinished = await asyncio.wait(set(self._running), timeout=FINISH_S)
        for task in unfinished:
            task.cancel()
            self._line.note("given_up", task=str(task.get_coro()))
