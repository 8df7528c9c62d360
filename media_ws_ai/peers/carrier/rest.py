"""The carrier's REST API, as far as a worker uses it for a live call: fetch, hang up, redirect.

    GET  /2010-04-01/Accounts/{AC}/Calls/{CA}.json
    POST …  Status=completed             the call ends: its stream gets `stop` and the close frame, ended by "rest"
    POST …  Twiml=<Response>… | Url=…    the running stream is stopped, the new TwiML followed

Errors are the real ones: 401/20003, 404/20404, 400/21220 for a call that is over. A call's plan may make its answers
slow, failing or wrong.
"""

import asyncio
import base64
import hmac
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from media_ws_ai.peers.carrier.call import Call
from media_ws_ai.peers.carrier.webhook import Target

MAX_TWIML_CHARS: Final = 4000
MAX_SLOW_S: Final = 60.0


def routes(calls: Mapping[str, Call], target: Target) -> list[web.RouteDef]:
    """The API over these calls (by call_sid)."""
    rest = Rest(calls, target)
    path = "/2010-04-01/Accounts/{account}/Calls/{call}.json"
    return [web.get(path, rest.handle), web.post(path, rest.handle)]


def _error(status: int, code: int, message: str) -> web.Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return _json({"code": code, "message": message, "more_info": more, "status": status}, status)


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


class Rest:
    """The handlers."""

    def __init__(self, calls: Mapping[str, Call], target: Target) -> None:
        self._calls = calls
        self._target = target

    async def handle(self, request: web.Request) -> web.Response:
        """Fetch or update one call."""
        account, sid = request.match_info["account"], request.match_info["call"]
        if not self._authentic(request):
            return _error(401, 20003, "Authenticate")
        call = self._calls.get(sid)
        if call is None or account != self._target.account_sid:
            return _error(404, 20404, f"The requested resource {request.path} was not found")
        form = {key: str(value) for key, value in (await request.post()).items()} if request.method == "POST" else {}
        faults = call.plan.rest
        entry: dict[str, object] = {"at_ms": call.line.ms(), "method": request.method, "form": form, "answer": "ok"}
        call.rest.append(entry)
        call.line.note("rest", method=request.method, form=form)
        if faults.answer == "ok" or faults.acts:
            response = self._update(call, form) if form or request.method == "POST" else _json(self._resource(call))
        else:
            response = _json(self._resource(call))
        if faults.answer != "ok":
            entry["answer"] = faults.answer
            response = await self._faulty(call, response, request.path)
        entry["status"] = response.status
        return response

    async def _faulty(self, call: Call, response: web.Response, path: str) -> web.Response:
        match call.plan.rest.answer:
            case "slow":
                await asyncio.sleep(min(MAX_SLOW_S, call.plan.rest.slow_s))
            case "fail":
                return _error(500, 20500, "An internal server error has occurred")
            case "gone":
                return _error(404, 20404, f"The requested resource {path} was not found")
            case "ended":
                return _error(400, 21220, "Call is not in-progress. Cannot redirect.")
        return response

    def _authentic(self, request: web.Request) -> bool:
        """HTTP Basic with the account's SID and token; any when the carrier was given no token."""
        if not self._target.auth_token:
            return True
        wanted = base64.b64encode(f"{self._target.account_sid}:{self._target.auth_token}".encode()).decode()
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Basic {wanted}".encode())

    def _update(self, call: Call, form: Mapping[str, str]) -> web.Response:
        if call.end is not None:
            return _error(400, 21220, "Call is not in-progress. Cannot redirect.")
        if "Status" in form:
            if form["Status"] not in ("completed", "canceled"):
                return _error(400, 20001, f"Status {form['Status']} is not completed or canceled")
            if form["Status"] == "completed":
                call.hang_up("rest", "REST Status=completed")
        elif "Twiml" in form:
            if len(form["Twiml"]) > MAX_TWIML_CHARS:
                return _error(400, 32018, "Twiml is longer than 4000 characters")
            call.redirect("", form["Twiml"].encode())
        elif "Url" in form:
            call.redirect(form["Url"], None)
        else:
            return _error(400, 20001, "Nothing to update")
        return _json(self._resource(call))

    def _resource(self, call: Call) -> dict[str, Any]:
        return {
            "sid": call.call_sid,
            "account_sid": self._target.account_sid,
            "from": call.plan.caller,
            "to": call.plan.called,
            "status": "completed" if call.end is not None else "in-progress",
            "direction": "inbound",
            "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{self._target.account_sid}/Calls/{call.call_sid}.json",
        }
