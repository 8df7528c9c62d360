"""Control over HTTP: scenarios in, logs and counts out, faults on order. A bad request is 400 with a sentence."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from media_ws_ai.peers.model.library import from_json
from media_ws_ai.peers.model.server import Hub
from media_ws_ai.peers.model.session import Session

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Control:
    """The routes below /control."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/control/scenario", _clearly(self._scenario)),
            web.post("/control/next", _clearly(self._next)),
            web.post("/control/act", _clearly(self._act)),
            web.post("/control/reset", _clearly(self._reset)),
            web.get("/control/log", _clearly(self._log)),
            web.get("/control/count", _clearly(self._count)),
        ]

    async def _scenario(self, request: web.Request) -> Any:
        self._hub.default = from_json(await _json(request))
        return {"ok": True}

    async def _next(self, request: web.Request) -> Any:
        self._hub.coming.append(from_json(await _json(request)))
        return {"ok": True, "waiting": len(self._hub.coming)}

    async def _act(self, request: web.Request) -> Any:
        order = await _json(request)
        if not isinstance(order, dict) or set(order) != {"session", "do"}:
            raise ValueError('an act is {"session": number or "all" or "last", "do": what}')
        chosen = self._chosen(order["session"])
        for session in chosen:
            session.line.act(str(order["do"]))
        return {"ok": True, "sessions": [session.number for session in chosen]}

    def _chosen(self, which: object) -> list[Session]:
        """Open sessions."""
        sessions = sorted(self._hub.open, key=lambda session: session.number)
        if which == "all":
            return sessions
        if which == "last":
            return sessions[-1:]
        return [session for session in sessions if session.number == which]

    async def _reset(self, request: web.Request) -> Any:
        self._hub.reset()
        return {"ok": True}

    async def _log(self, request: web.Request) -> Any:
        """All sessions, or that of `?session=N` (or `last`), or those numbered above `?after=N`."""
        one, after = request.query.get("session"), int(request.query.get("after", 0))
        sessions = [session for session in self._hub.sessions if session.number > after]
        if one == "last":
            sessions = sessions[-1:]
        elif one is not None:
            sessions = [session for session in sessions if session.number == int(one)]
        return {"sessions": [session.report() for session in sessions], "refused": list(self._hub.refused)}

    async def _count(self, request: web.Request) -> Any:
        return {"total": self._hub.total, "open": len(self._hub.open)}


async def _json(request: web.Request) -> object:
    return orjson.loads(await request.read())


def _clearly(handler: Callable[[web.Request], Awaitable[Any]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            body, status = await handler(request), 200
        except ValueError as error:
            body, status = {"error": str(error)}, 400
        return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

    return answer
