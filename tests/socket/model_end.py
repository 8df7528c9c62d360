"""The model's end of a connection, frame by frame: upgraded, refused, silent or slow, over ws or wss."""

import base64
import hashlib
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

import trustme

from media_ws_ai.runtime.model_socket import Endpoint
from tests.socket.ws_frames import FrameReader, frame

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NARROW_BYTES = 4096
UPGRADE = b""
"""The answer that is made for the key that was asked with."""


@dataclass
class Accepted:
    """One connection that was accepted and answered."""

    sock: socket.socket
    reading: FrameReader
    head: bytes = b""

    def say(self, opcode: int, payload: bytes) -> None:
        self.sock.sendall(frame(opcode, payload))


@dataclass
class ModelEnd:
    """A listener; connections come out of `accepted` in their order."""

    scheme: str
    port: int
    context: ssl.SSLContext
    """What a client needs to trust it."""
    answers: list[bytes]
    """What the first, second, … connection gets; the last goes on for ever. See UPGRADE."""
    accepted: "queue.Queue[Accepted]" = field(default_factory=queue.Queue)
    connections: int = 0

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"{self.scheme}://localhost:{self.port}/v1/realtime", "m", "key")

    def next(self) -> Accepted:
        return self.accepted.get(timeout=20)


@contextmanager
def model_end(scheme: str = "ws", answers: tuple[bytes, ...] = (UPGRADE,)) -> Iterator[ModelEnd]:
    ca = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("localhost").configure_cert(server)
    ca.configure_trust(client)
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BYTES)
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        end = ModelEnd(scheme, listener.getsockname()[1], client, list(answers))
        opened: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                end.connections += 1
                opened.append(sock)
                with suppress(OSError, EOFError):  # a client that breaks off is what some tests are about
                    if scheme == "wss":
                        sock = server.wrap_socket(sock, server_side=True)
                        opened.append(sock)
                    accepted = Accepted(sock, FrameReader(sock))
                    answer(end, accepted)
                    end.accepted.put(accepted)

        thread = threading.Thread(target=serve, name="model-end", daemon=True)
        thread.start()
        try:
            yield end
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for sock in opened:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(10)
            for sock in opened:
                sock.close()
            assert not thread.is_alive()


def answer(end: ModelEnd, accepted: Accepted) -> None:
    accepted.head = accepted.reading.head()
    reply = end.answers.pop(0) if len(end.answers) > 1 else end.answers[0]
    if reply == UPGRADE:
        lines = accepted.head.split(b"\r\n")
        key = next(line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key"))
        digest = base64.b64encode(hashlib.sha1(key + GUID).digest())
        reply = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + digest + b"\r\n\r\n"
        )
        accepted.sock.sendall(reply)
    else:
        accepted.sock.sendall(reply)
        accepted.sock.shutdown(socket.SHUT_RDWR)


def refusal(status: str, body: bytes = b"", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status.encode(), len(body), extra, body)
