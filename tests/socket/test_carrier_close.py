"""The end of the carrier's websocket: never an exception, never a wait without a bound, and the peer hears of it."""

import _socket
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from simple_websocket import ConnectionClosed

from media_ws_ai.runtime.carrier_socket import CarrierSocket
from tests.socket.carrier_ends import CarrierEnds, carrier_ends
from tests.socket.ws_frames import CLOSE, PING, TEXT
from tests.waiting import eventually


def reset(ends: CarrierEnds) -> None:
    ends.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends.peer.close()


def closed_by_peer(ends: CarrierEnds) -> None:
    ends.say(CLOSE, struct.pack("!H", 1000))
    eventually(lambda: not ends.server.connected, within_s=10)


def fill(ends: CarrierEnds) -> None:
    """So much unread that a further frame finds no room."""
    with closing(_socket.socket(fileno=os.dup(ends.ours.fileno()))) as raw, pytest.raises(BlockingIOError):
        for _ in range(100_000):
            raw.send(b"x" * 1000, socket.MSG_DONTWAIT)


def pinged_full(ends: CarrierEnds) -> None:
    """The websocket's reader is stuck in the middle of a pong, and with it whoever wants to write."""
    for _ in range(3):
        fill(ends)

    def is_stuck() -> bool:
        ends.say(PING, b"p" * 100)
        return is_writing(ends)

    eventually(is_stuck, within_s=10)


def is_writing(ends: CarrierEnds) -> bool:
    """Somebody holds the right to write."""
    lock = ends.server.sock._lock
    took: list[bool] = []

    def attempt() -> None:
        took.append(lock.acquire(timeout=0.05))
        if took[0]:
            lock.release()

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join(5)
    return took == [False]


def descriptor_closed(ends: CarrierEnds) -> None:
    """As gunicorn does behind us; it alone would not wake a reader that is an OS thread."""
    ends.carrier.abort()
    ends.ours.close()


def late_media(ends: CarrierEnds) -> None:
    """Closed here, and then a message of the peer: the library thinks itself connected again."""
    ends.server.close()
    ends.say(TEXT, b"late")
    eventually(lambda: ends.server.connected, within_s=10)


STATES: list[Callable[[CarrierEnds], None]] = [
    lambda ends: None,
    reset,
    closed_by_peer,
    lambda ends: ends.carrier.abort(),
    descriptor_closed,
    lambda ends: ends.server.close(),
    late_media,
    fill,
    pinged_full,
]
NAMES = [
    "open",
    "reset",
    "closed_by_peer",
    "aborted",
    "descriptor_closed",
    "closed_by_us",
    "late_media",
    "full",
    "pong",
]


@pytest.mark.parametrize("come_to", STATES, ids=NAMES)
def test_close_never_raises_nor_lingers_and_says_how_it_went(come_to: Callable[[CarrierEnds], None]) -> None:
    with carrier_ends() as ends:
        come_to(ends)
        began = time.monotonic()
        lines = [ends.carrier.close(1001, "drain"), ends.carrier.close(1001, "drain")]
        took = time.monotonic() - began
        assert all(line.text for line in lines)
        assert lines[1].marker == "websocket_already_closed"
        assert took < 8.0, "a second for the frame, one for the answer, twice; the rest is the machine's"
        ends.server.thread.join(10.0)
        assert not ends.server.thread.is_alive(), "under OS threads a closed descriptor alone does not end it"
        with pytest.raises((ConnectionClosed, OSError)):
            ends.carrier.send("more")


@pytest.mark.parametrize("come_to", [fill, pinged_full], ids=["full", "pong"])
def test_a_close_that_cannot_be_sent_ends_the_library_s_reader_all_the_same(
    come_to: Callable[[CarrierEnds], None],
) -> None:
    with carrier_ends() as ends:
        come_to(ends)
        assert ends.carrier.close(1001, "drain").marker == "websocket_already_closed"
        ends.server.thread.join(5.0)
        assert not ends.server.thread.is_alive(), "only the kernel, 10 s later, would have ended it"


def test_what_has_no_close_is_told_so() -> None:
    assert CarrierSocket(object()).close(1000).marker == "websocket_no_close"  # type: ignore[arg-type]


def test_a_send_after_the_close_is_a_closed_connection_and_no_other_fault() -> None:
    """The reader has refused a message as too big; its close is under way when TX has a frame to send."""
    with carrier_ends() as ends:
        late_media(ends)
        with pytest.raises((ConnectionClosed, OSError)):
            ends.carrier.send("more")


def test_the_close_frame_reaches_a_peer_whose_words_are_still_on_the_way() -> None:
    with carrier_ends(64 * 1024) as ends:
        seen: list[tuple[int, int]] = []
        faults: list[Exception] = []
        talking = threading.Event()

        def talk() -> None:
            try:
                for _ in range(400):
                    ends.say(TEXT, b"y" * 1000)
                    talking.set()
                for opcode, payload in ends.reading.frames():
                    seen.append((opcode, struct.unpack("!H", payload[:2])[0]))
                    ends.say(CLOSE, payload)
            except Exception as error:
                faults.append(error)
                talking.set()

        thread = threading.Thread(target=talk, name="talker", daemon=True)
        thread.start()
        assert talking.wait(10)
        line = ends.carrier.close(1001, "drain")
        ends.ours.close()  # as gunicorn does as soon as the route returns
        thread.join(20)
        assert not thread.is_alive()
        assert line.marker == "websocket_closed"
        assert (seen, faults) == ([(CLOSE, 1001)], [])


def test_a_message_comes_in_time_or_none_and_those_that_came_before_the_end_are_not_lost() -> None:
    with carrier_ends() as ends:
        began = time.monotonic()
        assert ends.carrier.receive(0.1) is None
        assert 0.1 <= time.monotonic() - began < 5.0
        for word in (b"one", b"two", b"three"):
            ends.say(TEXT, word)
        eventually(lambda: ends.carrier.inbox == 3, within_s=10)
        reset(ends)
        eventually(lambda: not ends.server.connected, within_s=10)
        assert [ends.carrier.receive(5.0) for _ in range(3)] == ["one", "two", "three"]
        with pytest.raises(ConnectionClosed):
            ends.carrier.receive(5.0)
