"""A call that ends while its model connection is still being made does not wait for a model that says nothing."""

import socket
import ssl
import threading
import time
from contextlib import closing

import pytest

from media_ws_ai.logs import CallLog
from media_ws_ai.runtime.health import ModelHealth
from media_ws_ai.runtime.model import ModelAccess, ModelSide
from media_ws_ai.runtime.model_socket import CONNECT_S, Endpoint
from media_ws_ai.runtime.resolver import Resolver


class _Core:
    def __init__(self) -> None:
        self.events: list[object] = []

    def handle(self, event: object) -> None:
        self.events.append(event)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_the_end_breaks_off_a_connect_that_hangs(scheme, eventually):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v1/realtime"
        access = ModelAccess(Endpoint(url, "m", "k"), ssl.create_default_context(), Resolver(), ModelHealth())
        stop = threading.Event()
        side = ModelSide(access, CallLog("CA1", "MZ1"), stop)
        side.attach(_Core())  # type: ignore[arg-type]  # what the reader needs of it
        reader = threading.Thread(target=side.read, daemon=True)
        reader.start()
        taken, _ = listener.accept()
        with closing(taken):
            taken.settimeout(CONNECT_S)
            assert taken.recv(1), "it has begun to shake hands"
            began = time.monotonic()
            stop.set()
            side.end()
            reader.join(CONNECT_S + 2.0)
            assert not reader.is_alive()
            assert time.monotonic() - began < CONNECT_S / 2
            eventually(lambda: is_over(taken))
            assert access.health.is_reachable
            assert access.health.failures == 0


def is_over(peer: socket.socket) -> bool:
    """The other side has closed, with or without having been read to the end."""
    try:
        return not peer.recv(4096)
    except ConnectionResetError:
        return True
