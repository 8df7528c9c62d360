"""The carrier's websocket on simple-websocket, with its known faults cured.

| fault of simple-websocket 1.1.0 (measured)                     | cure                                            |
|-----------------------------------------------------------------|-------------------------------------------------|
| one `sock.send` a message: under gevent a short write corrupts  | `SafeSock`: sendall, under one lock             |
| no send lock, and its reader thread answers pings itself        | the same lock, waited for within the limit      |
| a blocked send has no bound; SO_SNDTIMEO does nothing           | `abort`: shutdown from outside ends it at once, |
|                                                                 | TCP_USER_TIMEOUT as a belt; a small send buffer |
| `close` raises when called twice, or on a reset                 | `close` here never raises (F3)                  |
| `connected` comes back when a message follows our close: wsproto| `send`, `close`: a closed connection like any   |
| then refuses with an exception of its own                       | other                                           |
| its reader survives a close that could not be sent              | `close` always ends the socket below it         |
| an unbounded inbox                                              | `inbox` tells its length; the reader bounds it  |
"""

import logging
import socket
import threading
from typing import Any, Final, Protocol

import flask_sock
from simple_websocket import ConnectionClosed, Server
from wsproto.utilities import LocalProtocolError

from media_ws_ai import markers
from media_ws_ai.markers import Line

SEND_LIMIT_S: Final = 5.0
CLOSE_REPLY_S: Final = 1.0
MAX_MESSAGE: Final = 64 * 1024
SEND_BUFFER_BYTES: Final = 16 * 1024
"""About a second of audio (the kernel doubles it for its own use). Left to itself it grows to megabytes, minutes of
audio, and a peer that reads no more is not felt at all."""

_TCP_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", 18)

_log: Final = logging.getLogger(__name__)


class SafeSock:
    """A socket whose `send` writes everything, one writer at a time."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._lock = threading.RLock()
        self._limit_s = -1.0

    def send(self, data: bytes) -> int:
        """All of `data`. Raises OSError, TimeoutError too when another writer is stuck for longer than the limit."""
        if not self._lock.acquire(timeout=self._limit_s):
            raise TimeoutError("another writer is stuck")
        try:
            self._sock.sendall(data)
        finally:
            self._lock.release()
        return len(data)

    def settimeout(self, limit_s: float) -> None:
        """The longest wait for the peer [s], and for one's turn to write: who is stuck keeps it."""
        self._limit_s = limit_s
        self._sock.settimeout(limit_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class CarrierServer(Server):  # type: ignore[misc]  # simple-websocket has no types
    """Installed as flask_sock's Server: the cures hold from the first byte after the handshake."""

    def handshake(self) -> None:
        self.sock: Any = SafeSock(self.sock)
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, int(2 * SEND_LIMIT_S * 1000))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        except OSError as error:
            _log.warning("socket options refused: %s", error)
        super().handshake()


def install() -> None:
    """Let Flask-Sock serve with the cured server; it has no option for that."""
    flask_sock.Server = CarrierServer


class Websocket(Protocol):
    """What a call needs of the carrier's websocket."""

    input_buffer: list[str | bytes]
    connected: bool

    def receive(self, timeout: float | None = None) -> str | bytes | None: ...

    def send(self, data: str) -> None: ...

    def close(self, reason: int | None = None, message: str | None = None) -> None: ...


class CarrierSocket:
    """One call's side of it: receive with a timeout, send, abort from outside, close quietly."""

    def __init__(self, ws: Websocket) -> None:
        self._ws = ws

    @property
    def inbox(self) -> int:
        """Messages received and not yet taken."""
        return len(self._ws.input_buffer)

    def receive(self, timeout_s: float) -> str | bytes | None:
        """The next message, or None in time. Raises ConnectionClosed."""
        return self._ws.receive(timeout=timeout_s)

    def send(self, message: str) -> None:
        """Raises ConnectionClosed or OSError. May block while the peer does not read: see `abort`."""
        try:
            self._ws.send(message)
        except LocalProtocolError as error:
            raise ConnectionClosed(message=str(error)) from error

    def abort(self) -> None:
        """End a blocked send or receive from another thread, under gevent and OS threads alike."""
        try:
            self._socket().shutdown(socket.SHUT_RDWR)
        except OSError as error:
            _log.debug("abort: already closed (%s)", error)

    def _socket(self) -> Any:
        return self._ws.sock  # type: ignore[attr-defined]  # simple-websocket's public attribute

    def close(self, code: int, reason: str = "") -> Line:
        """Close handshake: a second to send ours, a second for the answer. Never raises. Returns F3's line."""
        if not hasattr(self._ws, "close"):
            return markers.websocket_no_close()
        try:
            self._socket().settimeout(CLOSE_REPLY_S)
            self._ws.close(code, reason or None)
        except OSError as error:
            self.abort()
            return _already_closed(error)
        except (ConnectionClosed, LocalProtocolError) as error:
            self._wait_for_reply()  # the websocket's reader may be answering the peer's close just now
            return _already_closed(error)
        self._wait_for_reply()
        return markers.websocket_closed()

    def _wait_for_reply(self) -> None:
        """A socket closed with unread data is reset, and the peer may never see our close frame: let it answer."""
        thread = getattr(self._ws, "thread", None)
        if thread is not None:
            thread.join(CLOSE_REPLY_S)
        self.abort()


def _already_closed(error: Exception) -> Line:
    return markers.websocket_already_closed(reason=f"{type(error).__name__} {error}".strip())
