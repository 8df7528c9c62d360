"""One connection to the model, on websocket-client: how it is made, read, written and ended without hanging.

`abort` is the only way to end it from another thread: `close()` waits for a lock that the blocked reader holds.
"""

import logging
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import websocket
from websocket import ABNF

from media_ws_ai.errors import PeerError
from media_ws_ai.runtime.resolver import Resolver

CONNECT_S: Final = 3.0
IO_S: Final = 5.0
_TCP_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", 18)
_USER_TIMEOUT_MS: Final = 10_000

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is and how it knows us."""

    url: str
    model: str
    api_key: str

    @property
    def full_url(self) -> str:
        joint = "&" if urlsplit(self.url).query else "?"
        return f"{self.url}{joint}{urlencode({'model': self.model})}"


class HandshakeRefused(PeerError):
    """The model answered the upgrade with an HTTP status."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"HTTP {status} {body}".strip())
        self.status = status
        self.body = body


class Opening:
    """A connection in the making; `abort` breaks it off from another thread, wherever it has come to."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._is_aborted = False

    def reached(self, sock: socket.socket) -> None:
        """This socket is being waited for now. Raises PeerError when nobody wants it any more."""
        self._sock = sock
        if self._is_aborted:
            raise PeerError("broken off")

    def abort(self) -> None:
        self._is_aborted = True
        sock = self._sock
        if sock is None:
            return
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            _log.debug("abort: not connected (%s)", error)


class ModelSocket:
    """Text frames both ways. One reader, one writer; pings are answered inside `receive`."""

    def __init__(self, ws: websocket.WebSocket) -> None:
        self._ws = ws

    @classmethod
    def connect(
        cls, endpoint: Endpoint, context: ssl.SSLContext, resolver: Resolver, opening: Opening
    ) -> "ModelSocket":
        """Connect, TLS, upgrade: all within 4 s. Raises PeerError, HandshakeRefused or OSError."""
        until = time.monotonic() + CONNECT_S
        parts = urlsplit(endpoint.full_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        sock = cls._open(resolver.lookup(host, port, CONNECT_S), until, opening)
        try:
            if parts.scheme == "wss":
                sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
                opening.reached(sock)  # the socket below it is detached
                _hurry(sock, until)
                sock.do_handshake()
            ws = websocket.create_connection(
                endpoint.full_url,
                socket=_Hurried(sock, until),
                header=[f"Authorization: Bearer {endpoint.api_key}"],
                suppress_origin=True,
                skip_utf8_validation=True,
                redirect_limit=0,
            )
        except websocket.WebSocketBadStatusException as error:
            sock.close()
            body = (error.resp_body or b"")[:200]
            raise HandshakeRefused(error.status_code, body.decode("utf-8", "replace")) from error
        except websocket.WebSocketException as error:
            sock.close()
            raise PeerError(f"{type(error).__name__}: {error}") from error
        except (PeerError, OSError):
            sock.close()
            raise
        ws.sock = sock
        ws.settimeout(IO_S)
        return cls(ws)

    @staticmethod
    def _open(addresses: list[tuple[socket.AddressFamily, object]], until: float, opening: Opening) -> socket.socket:
        error: OSError = TimeoutError("no address could be tried in time")
        for family, address in addresses:
            left = until - time.monotonic()
            if left <= 0:
                break
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                opening.reached(sock)
                sock.settimeout(left)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
                sock.connect(address)  # type: ignore[arg-type]  # whatever getaddrinfo gave
            except OSError as failed:
                sock.close()
                error = failed
                continue
            except PeerError:
                sock.close()
                raise
            return sock
        raise error

    def receive(self) -> tuple[int, bytes] | None:
        """(opcode, data) of the next frame, control frames too; None when nothing came for 5 s.

        Raises PeerError or OSError when the connection is gone.
        """
        try:
            opcode, frame = self._ws.recv_data_frame(control_frame=True)
        except websocket.WebSocketTimeoutException:
            return None
        except (websocket.WebSocketException, AttributeError, ValueError) as error:
            # AttributeError, ValueError: what TLS says when another thread has just aborted the socket
            raise PeerError(f"{type(error).__name__}: {error}") from error
        return opcode, frame.data

    def send(self, frame: bytes) -> None:
        """One text frame. Raises PeerError or OSError; after that the connection is of no use."""
        self._write(frame, ABNF.OPCODE_TEXT)

    def ping(self) -> None:
        """Ask for a sign of life; the answer comes through `receive`."""
        self._write(b"", ABNF.OPCODE_PING)

    def _write(self, data: bytes, opcode: int) -> None:
        try:
            self._ws.send(data, opcode)
        except (websocket.WebSocketException, AttributeError, ValueError) as error:
            raise PeerError(f"{type(error).__name__}: {error}") from error

    def abort(self) -> None:
        """Wake whoever is blocked on this connection, at once. Callable from any thread, any number of times."""
        try:
            self._ws.abort()  # type: ignore[no-untyped-call]
        except (OSError, AttributeError) as error:
            _log.debug("abort: already closed (%s)", error)

    def release(self) -> None:
        """Close the descriptor; only after reader and writer have ended."""
        try:
            self._ws.shutdown()  # type: ignore[no-untyped-call]
        except (OSError, AttributeError) as error:
            _log.debug("shutdown: already closed (%s)", error)


def _hurry(sock: socket.socket, until: float) -> None:
    """No wait past `until` (monotonic seconds). Raises TimeoutError when it is past."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the connection was not made in time")
    sock.settimeout(left)


class _Hurried:
    """A socket for the upgrade, all of whose waits together end in time: its head is read byte by byte."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._until = until

    def recv(self, size: int) -> bytes:
        _hurry(self._sock, self._until)
        return self._sock.recv(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


OPCODE_TEXT: Final = ABNF.OPCODE_TEXT
OPCODE_CLOSE: Final = ABNF.OPCODE_CLOSE


def close_code(data: bytes) -> tuple[int, str]:
    """Code and reason of a close frame; 1005 when it carries none."""
    if len(data) < 2:
        return 1005, ""
    return int.from_bytes(data[:2], "big"), data[2:].decode("utf-8", "replace")
