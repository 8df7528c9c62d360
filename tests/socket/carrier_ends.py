"""Both ends of a carrier's websocket after the handshake, over a real connection with buffers of our choosing."""

import base64
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from media_ws_ai.runtime.carrier_socket import CarrierServer, CarrierSocket
from tests.socket.ws_frames import FrameReader, frame

NARROW_BYTES = 4096


@dataclass
class CarrierEnds:
    """The worker's end, its raw socket, the peer's socket and what the peer reads."""

    server: CarrierServer
    carrier: CarrierSocket
    ours: socket.socket
    peer: socket.socket
    reading: FrameReader

    def say(self, opcode: int, payload: bytes) -> None:
        """From the peer, masked as a client's frames are."""
        self.peer.sendall(frame(opcode, payload, is_masked=True))


@contextmanager
def carrier_ends(narrow_bytes: int = NARROW_BYTES) -> Iterator[CarrierEnds]:
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, narrow_bytes)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, narrow_bytes)
        peer.connect(listener.getsockname())
        ours, _ = listener.accept()
    with closing(ours), closing(peer):
        peer.settimeout(20.0)
        server = CarrierServer(
            {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": "/twilio/media",
                "HTTP_HOST": "127.0.0.1",
                "HTTP_UPGRADE": "websocket",
                "HTTP_CONNECTION": "Upgrade",
                "HTTP_SEC_WEBSOCKET_VERSION": "13",
                "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(os.urandom(16)).decode(),
                "gunicorn.socket": ours,
            },
            max_message_size=64 * 1024,
        )
        reading = FrameReader(peer)
        assert reading.head().startswith(b"HTTP/1.1 101 ")
        carrier = CarrierSocket(server)
        try:
            yield CarrierEnds(server, carrier, ours, peer, reading)
        finally:
            carrier.abort()
            server.thread.join(10.0)
            assert not server.thread.is_alive(), "the websocket's own reader outlived its socket"
