"""A caller that stops reading is felt within seconds of audio, not after the megabytes that the kernel would hold."""

import base64
import os
import socket
import threading
from contextlib import closing

import pytest

from media_ws_ai.runtime.carrier_socket import CarrierServer, CarrierSocket

FRAME = '{"event":"media","streamSid":"MZ' + "0" * 32 + '","media":{"payload":"' + "f" * 216 + '"}}'
MOST_FRAMES = 400
"""8 s of audio."""


def accepted(narrow_bytes: int) -> tuple[CarrierServer, socket.socket, socket.socket]:
    """(the worker's end after the handshake, its socket, the peer's socket)"""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, narrow_bytes)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, narrow_bytes)
        peer.connect(listener.getsockname())
        ours, _ = listener.accept()
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/twilio/media",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(os.urandom(16)).decode(),
        "gunicorn.socket": ours,
    }
    return CarrierServer(environ), ours, peer


def test_a_peer_that_stops_reading_blocks_the_sender_soon_and_abort_ends_it(eventually):
    server, ours, peer = accepted(4096)
    carrier = CarrierSocket(server)
    sent: list[int] = []
    ended: list[type[Exception]] = []

    def send() -> None:
        try:
            for number in range(100 * MOST_FRAMES):
                carrier.send(FRAME)
                sent.append(number)
        except Exception as error:
            ended.append(type(error))

    with closing(ours), closing(peer):
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        blocked_at = eventually(lambda: is_still(sent))
        assert not ended
        assert blocked_at <= MOST_FRAMES
        carrier.abort()
        sender.join(15.0)
        assert not sender.is_alive()
        assert ended
        server.thread.join(15.0)
        assert not server.thread.is_alive()


def is_still(sent: list[int]) -> int:
    """How many, once it no longer grows."""
    before = len(sent)
    threading.Event().wait(0.3)
    return before if before and before == len(sent) else 0


@pytest.mark.parametrize("bursts", [1, 5])
def test_what_was_sent_arrives_whole(bursts):
    server, ours, peer = accepted(64 * 1024)
    with closing(ours), closing(peer):
        peer.settimeout(5.0)
        for _ in range(bursts):
            server.send(FRAME)
        data = b""
        while data.count(b'"event":"media"') < bursts:
            data += peer.recv(65536)
        assert data.endswith(FRAME.encode())
        CarrierSocket(server).abort()
        server.thread.join(15.0)
        assert not server.thread.is_alive()
