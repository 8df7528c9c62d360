"""One connection to the model: refused, slow, silent, ended from outside, and never a descriptor too many."""

import gc
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import trustme

from media_ws_ai.errors import PeerError
from media_ws_ai.runtime import model_socket
from media_ws_ai.runtime.model_socket import (
    OPCODE_CLOSE,
    OPCODE_TEXT,
    Endpoint,
    HandshakeRefused,
    ModelSocket,
    Opening,
    close_code,
)
from media_ws_ai.runtime.resolver import Resolver
from tests.socket.model_end import UPGRADE, ModelEnd, model_end, refusal
from tests.socket.ws_frames import CLOSE, PING, PONG, TEXT, frame
from tests.waiting import eventually

both = pytest.mark.parametrize("scheme", ["ws", "wss"])
SOON_S = 3.0
"""Less than any deadline of the socket's own."""


def connect(end: ModelEnd) -> ModelSocket:
    return ModelSocket.connect(end.endpoint, end.context, Resolver(), Opening())


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def same_descriptors() -> Iterator[None]:
    before = descriptors()
    yield
    eventually(lambda: descriptors() <= before, within_s=10)


@both
def test_it_says_who_it_is_and_speaks_text(scheme: str) -> None:
    with model_end(scheme) as end:
        ours = connect(end)
        model = end.next()
        assert b"GET /v1/realtime?model=m HTTP/1.1" in model.head
        assert b"Authorization: Bearer key" in model.head
        assert b"\r\nOrigin:" not in model.head
        ours.send(b'{"a":1}')
        assert model.reading.next() == (TEXT, b'{"a":1}')
        model.say(PING, b"?")
        model.say(TEXT, "שלום".encode())
        assert [ours.receive(), ours.receive()][1] == (OPCODE_TEXT, "שלום".encode())
        assert model.reading.next() == (PONG, b"?")
        ours.abort()
        ours.release()


@both
@pytest.mark.usefixtures("same_descriptors")
def test_abort_wakes_a_blocked_reader_and_a_blocked_writer_at_once(scheme: str) -> None:
    with model_end(scheme) as end:
        ours = connect(end)
        end.next()
        ended: dict[str, Exception] = {}
        sent: list[int] = []

        def read() -> None:
            try:
                while True:
                    ours.receive()
            except (PeerError, OSError) as error:
                ended["reader"] = error

        def write() -> None:
            try:
                while True:
                    ours.send(b"x" * 10_000)
                    sent.append(1)
            except (PeerError, OSError) as error:
                ended["writer"] = error

        threads = [threading.Thread(target=each, daemon=True) for each in (read, write)]
        for thread in threads:
            thread.start()
        eventually(lambda: is_still(sent), within_s=20)
        assert not ended
        began = time.monotonic()
        ours.abort()
        ours.abort()
        for thread in threads:
            thread.join(SOON_S)
        assert time.monotonic() - began < SOON_S
        assert set(ended) == {"reader", "writer"}
        ours.release()
        ours.release()


def is_still(sent: list[int]) -> bool:
    before = len(sent)
    threading.Event().wait(0.2)
    return 0 < before == len(sent)


@both
@pytest.mark.usefixtures("same_descriptors")
def test_release_gives_the_descriptor_back_after_a_close_of_the_model(scheme: str) -> None:
    with model_end(scheme) as end:
        before = descriptors()
        ours = connect(end)
        model = end.next()
        model.say(CLOSE, (1011).to_bytes(2, "big") + b"bye")
        opcode, data = ours.receive() or (0, b"")
        assert (opcode, *close_code(data)) == (OPCODE_CLOSE, 1011, "bye")
        ours.abort()
        ours.release()
        assert len(os.listdir("/proc/self/fd")) == before + 1, "the model's own is left"


@both
def test_a_silent_model_is_no_end_even_in_the_middle_of_a_frame(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_socket, "IO_S", 0.2)
    with model_end(scheme) as end:
        ours = connect(end)
        model = end.next()
        assert ours.receive() is None
        whole = frame(TEXT, b"z" * 1000)
        model.sock.sendall(whole[:500])
        assert ours.receive() is None
        model.sock.sendall(whole[500:])
        assert eventually(ours.receive, within_s=10) == (OPCODE_TEXT, b"z" * 1000)
        ours.abort()
        ours.release()


@both
def test_a_model_that_reads_no_more_ends_a_send(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_socket, "IO_S", 0.5)
    with model_end(scheme) as end:
        ours = connect(end)
        end.next()
        began = time.monotonic()
        with pytest.raises((PeerError, OSError)):
            while time.monotonic() < began + 20:
                ours.send(b"x" * 10_000)
        ours.abort()
        ours.release()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
@pytest.mark.usefixtures("same_descriptors")
def test_a_refusal_says_its_status_and_why(status: int) -> None:
    with model_end(answers=(refusal(f"{status} No", b'{"error":"because"}'),)) as end:
        with pytest.raises(HandshakeRefused, match="because") as caught:
            connect(end)
        assert caught.value.status == status
        assert "key" not in str(caught.value)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
@pytest.mark.usefixtures("same_descriptors")
def test_the_key_is_not_taken_elsewhere(status: str) -> None:
    with model_end() as other:
        to = f"Location: ws://localhost:{other.port}/v1/realtime\r\n".encode()
        with model_end(answers=(refusal(status, extra=to),)) as end:
            with pytest.raises((PeerError, OSError)):
                connect(end)
            assert (end.connections, other.connections) == (1, 0)


@pytest.mark.usefixtures("same_descriptors")
def test_an_unknown_certificate_is_refused() -> None:
    with model_end("wss") as end:
        strangers = ssl.create_default_context()
        trustme.CA().configure_trust(strangers)
        with pytest.raises(ssl.SSLCertVerificationError):
            ModelSocket.connect(end.endpoint, strangers, Resolver(), Opening())


@pytest.mark.usefixtures("same_descriptors")
def test_a_certificate_for_another_name_is_refused() -> None:
    with model_end("wss") as end:
        elsewhere = Endpoint(f"wss://127.0.0.1:{end.port}/v1/realtime", "m", "key")
        with pytest.raises(ssl.SSLCertVerificationError):
            ModelSocket.connect(elsewhere, end.context, Resolver(), Opening())


@both
@pytest.mark.usefixtures("same_descriptors")
def test_a_model_that_accepts_and_says_nothing_costs_the_limit(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_socket, "CONNECT_S", 0.5)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        endpoint = Endpoint(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/", "m", "k")
        began = time.monotonic()
        with pytest.raises((PeerError, OSError)):
            ModelSocket.connect(endpoint, ssl.create_default_context(), Resolver(), Opening())
        assert 0.4 <= time.monotonic() - began < 5.0


@pytest.mark.usefixtures("same_descriptors")
def test_a_model_that_answers_a_byte_at_a_time_costs_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time; the head never ends."""
    monkeypatch.setattr(model_socket, "CONNECT_S", 0.5)
    drips, stop = [], threading.Event()

    def drip(taken: socket.socket) -> None:
        try:
            taken.sendall(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
            while not stop.wait(0.05):
                taken.sendall(b"x")
                drips.append(1)
        except OSError:
            return

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def accept() -> None:
            taken, _ = listener.accept()
            with closing(taken):
                drip(taken)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        endpoint = Endpoint(f"ws://127.0.0.1:{listener.getsockname()[1]}/", "m", "k")
        began = time.monotonic()
        opening = Opening()
        rescue = threading.Timer(10, opening.abort)
        rescue.start()
        try:
            with pytest.raises((PeerError, OSError)):
                ModelSocket.connect(endpoint, ssl.create_default_context(), Resolver(), opening)
        finally:
            rescue.cancel()
            rescue.join(5)
        took = time.monotonic() - began
        stop.set()
        thread.join(10)
        assert drips and took < 5.0


def test_upgrade_is_the_default() -> None:
    with model_end(answers=(refusal("500 No"), UPGRADE)) as end:
        with pytest.raises(HandshakeRefused):
            connect(end)
        ours = connect(end)
        ours.abort()
        ours.release()
