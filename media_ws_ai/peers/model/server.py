"""The HTTP side: the handshake at /v1/realtime with its refusals, and the hub that knows all sessions."""

import asyncio
import dataclasses
from collections import deque
from typing import Any, Final

import orjson
from aiohttp import web

from media_ws_ai.peers.model.heard import speech_index
from media_ws_ai.peers.model.journal import Journal
from media_ws_ai.peers.model.outbox import Outbox
from media_ws_ai.peers.model.scenario import Scenario
from media_ws_ai.peers.model.schema import Schema
from media_ws_ai.peers.model.session import Session

PATH: Final = "/v1/realtime"
MAX_FRAME_BYTES: Final = 24 << 20
"""15 MiB of audio as base64, and room for its envelope."""

KEPT_SESSIONS: Final = 1000
KEPT_HEADERS: Final = ("User-Agent", "Origin", "OpenAI-Safety-Identifier", "OpenAI-Project", "OpenAI-Organization")
BETA_REFUSED: Final = 4000
REFUSALS: Final = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "model_not_found", "Your project does not have access to this model."),
    429: ("insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    500: ("server_error", None, "The server had an error while processing your request."),
}


class Hub:
    """All sessions of the process, and which scenario the next one gets."""

    def __init__(self, scenario: Scenario, schema: Schema, speed: float | None = None) -> None:
        """Args: speed: audio seconds sent per second, over that of every scenario."""
        self._first = scenario
        self._speed = speed
        self.default = scenario
        self.coming: deque[Scenario] = deque(maxlen=KEPT_SESSIONS)
        self.schema = schema
        self.index = speech_index()
        self.sessions: deque[Session] = deque(maxlen=KEPT_SESSIONS)
        self.open: set[Session] = set()
        self.refused: deque[dict[str, Any]] = deque(maxlen=KEPT_SESSIONS)
        self.total = 0

    def next_scenario(self) -> Scenario:
        scenario = self.coming.popleft() if self.coming else self.default
        return scenario if self._speed is None else dataclasses.replace(scenario, speed=self._speed)

    def reset(self) -> None:
        """Back to the first scenario; logs and counts forgotten; open sessions go on."""
        self.default = self._first
        self.coming.clear()
        self.refused.clear()
        self.sessions.clear()
        self.sessions.extend(sorted(self.open, key=lambda session: session.number))
        self.total = len(self.open)


class Handshake:
    """The websocket route."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._numbers = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        hub = self._hub
        scenario = hub.next_scenario()
        await asyncio.sleep(scenario.connect_delay_ms / 1000)
        refusal = self._refusal(request, scenario)
        if refusal is not None:
            hub.refused.append({"status": refusal.status, "path": request.path_qs})
            return refusal
        ws = web.WebSocketResponse(max_msg_size=MAX_FRAME_BYTES, compress=False, timeout=1.0)
        await ws.prepare(request)
        if "realtime=v1" in request.headers.get("OpenAI-Beta", ""):
            hub.refused.append({"status": BETA_REFUSED, "path": request.path_qs})
            return await _refuse_beta(ws)
        self._numbers += 1
        hub.total += 1
        model = request.query["model"]
        headers = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
        journal = Journal(self._numbers, model, headers)
        outbox = Outbox(ws, request)
        session = Session(self._numbers, scenario, model, outbox, journal, hub.schema, hub.index)
        hub.sessions.append(session)
        hub.open.add(session)
        try:
            await session.run(ws)
        finally:
            hub.open.discard(session)
        return ws

    @staticmethod
    def _refusal(request: web.Request, scenario: Scenario) -> web.Response | None:
        if scenario.refuse_status is not None:
            return _http_error(scenario.refuse_status)
        key = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not request.headers.get("Authorization", "").startswith("Bearer ") or not key:
            return _http_error(401)
        if not request.query.get("model"):
            return _http_error(400, "invalid_request_error", "missing_model", "You must provide a model parameter.")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return _http_error(426, "invalid_request_error", "websocket_required", "Upgrade to a websocket.")
        return None


def _http_error(status: int, kind: str = "server_error", code: str | None = None, message: str = "") -> web.Response:
    kind, code, message = REFUSALS.get(status, (kind, code, message or f"Refused with {status}."))
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    headers = {"Retry-After": "1"} if status in (429, 503) else None
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", headers=headers)


async def _refuse_beta(ws: web.WebSocketResponse) -> web.WebSocketResponse:
    """The beta protocol was removed: one error frame, then close 4000."""
    code = "beta_api_shape_disabled"
    message = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None, "event_id": None}
    event = {"type": "error", "event_id": "event_beta0000000000000000", "error": error}
    await ws.send_str(orjson.dumps(event).decode())
    await ws.close(code=BETA_REFUSED, message=f"invalid_request_error.{code}".encode())
    return ws
