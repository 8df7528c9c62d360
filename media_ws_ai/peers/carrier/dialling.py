"""Opens media websockets: the handshake, signed, with the faults a plan asks for."""

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from aiohttp import WSMsgType

from media_ws_ai.peers.carrier import signature
from media_ws_ai.peers.carrier.line import Line
from media_ws_ai.peers.carrier.mediasocket import CLOSE_S, MAX_MESSAGE_BYTES, MediaSocket, narrow
from media_ws_ai.peers.carrier.messages import Outgoing, connected
from media_ws_ai.peers.carrier.twiml import Stream
from media_ws_ai.peers.carrier.webhook import Target

HANDSHAKE_S: Final = 10.0
SECOND_S: Final = 6.0
"""How long a second stream with a used token is watched for its refusal."""


class Refused(Exception):
    """No websocket: the carrier's error code, the HTTP status (0: none), a sentence."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def session(rcvbuf_bytes: int = 0) -> aiohttp.ClientSession:
    """A client session for any number of calls; close it after use."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=narrow(rcvbuf_bytes))
    return aiohttp.ClientSession(connector=connector, ws_response_class=MediaSocket)


@dataclass(frozen=True, slots=True)
class Dialling:
    """How streams of this call are opened."""

    line: Line
    target: Target
    http: aiohttp.ClientSession

    async def open(self, stream: Stream, sign: str) -> MediaSocket:
        """Connect to the stream's URL. `sign`: right, wrong or none.

        Raises: Refused (31920 status, 31901 no answer, 31902 nobody there, 31922/31923 the URL).
        """
        public = self._public(stream.url)
        headers = self.target.headers(public)
        if self.target.auth_token and sign != "none":
            made = signature.sign(self.target.auth_token, signature.as_wss(public))
            headers["X-Twilio-Signature"] = made if sign == "right" else signature.forged(made)
        where = self.target.reach(public)
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                made_socket: Any = await self.http.ws_connect(
                    where, headers=headers, max_msg_size=MAX_MESSAGE_BYTES, decode_text=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )  # fmt: skip
        except aiohttp.WSServerHandshakeError as error:
            raise Refused("31920", error.status, f"{where}: the handshake was answered {error.status}") from error
        except TimeoutError as error:
            raise Refused("31901", 0, f"{where} did not answer the handshake within {HANDSHAKE_S:.0f} s") from error
        except aiohttp.InvalidURL as error:
            raise Refused("31923", 0, f"{where!r} is not a URL") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Refused("31902", 0, f"{where}: {error or type(error).__name__}") from error
        assert isinstance(made_socket, MediaSocket)
        return made_socket

    def _public(self, url: str) -> str:
        """The stream's URL as the carrier takes it: no query string, and wss in production."""
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss"):
            raise Refused("31922", 0, f"<Stream url={url!r}>: the scheme must be wss")
        if parts.scheme == "ws" and not self.target.is_plain_local:
            self.line.warn("31922", f"<Stream url={url!r}>: the scheme must be wss; followed here all the same")
        if parts.query:
            self.line.warn("31920", f"<Stream url={url!r}>: a query string is not supported and was dropped")
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))

    def parameters(self, stream: Stream) -> dict[str, str]:
        """The stream's `<Parameter>`s, the token among them falsified or left out when the plan says so."""
        faults = self.line.plan.stream
        parameters = dict(stream.parameters)
        if faults.token == "right" or not parameters:
            return parameters
        longest = max(parameters, key=lambda name: len(parameters[name]))
        name = faults.token_parameter or next((known for known in ("token", "tok") if known in parameters), longest)
        value = parameters.pop(name, "")
        if faults.token == "wrong":
            parameters[name] = value[:-4] + "".join("A" if sign != "A" else "B" for sign in value[-4:])
        return parameters

    async def second(self, stream: Stream) -> dict[str, object]:
        """Open another stream with the same token, as a thief would: how it was answered, and after how many ms."""
        began = time.monotonic()
        out = Outgoing("MZ" + uuid.uuid4().hex, self.line.account_sid, self.line.call_sid)
        try:
            socket = await self.open(stream, "right")
        except Refused as refused:
            return {"status": refused.status, "close_code": None, "accepted": False, "ms": _since(began)}
        socket.post(connected())
        socket.post(out.start(dict(stream.parameters)))
        media = 0
        try:
            async with asyncio.timeout(SECOND_S):
                while True:
                    message = await socket.receive()
                    if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
                        ended: dict[str, object] = {"status": 101, "close_code": socket.close_code, "accepted": False}
                        return {**ended, "messages": media, "ms": _since(began)}
                    media += 1
        except TimeoutError:
            return {"status": 101, "close_code": None, "accepted": True, "messages": media, "ms": _since(began)}
        finally:
            await socket.close()


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
