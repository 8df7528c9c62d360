"""What the carrier is sent arrives frame by frame, whatever it reads when and whoever else writes."""

import threading

from tests.socket.carrier_ends import CarrierEnds, carrier_ends
from tests.socket.ws_frames import PING, PONG, TEXT
from tests.waiting import eventually

MANY = 600
"""Frames of 300 bytes: far more than the narrow buffers hold."""


def text(number: int, size: int = 300) -> str:
    return f"{number}:".ljust(size, "x")


def number_of(payload: bytes) -> int:
    return int(payload.partition(b":")[0])


def until_still(counts: list[int]) -> None:
    """Until a sender has come to a stand."""

    def is_still() -> bool:
        before = len(counts)
        threading.Event().wait(0.2)
        return 0 < before == len(counts)

    eventually(is_still, within_s=20)


def sending(ends: CarrierEnds, count: int, size: int) -> tuple[threading.Thread, list[int]]:
    sent: list[int] = []

    def send() -> None:
        for number in range(count):
            ends.carrier.send(text(number, size))
            sent.append(number)

    thread = threading.Thread(target=send, name="sender", daemon=True)
    thread.start()
    return thread, sent


def test_a_peer_that_pauses_finds_the_stream_intact() -> None:
    with carrier_ends() as ends:
        thread, sent = sending(ends, MANY, 300)
        until_still(sent)
        assert len(sent) < MANY, "it was felt"
        got: list[int] = []
        while len(got) < MANY:
            opcode, payload = ends.reading.next()
            assert opcode == TEXT and len(payload) == 300
            got.append(number_of(payload))
        assert got == list(range(MANY))
        thread.join(10)
        assert not thread.is_alive()


def test_pongs_between_long_messages_break_none() -> None:
    """The websocket's own reader answers pings while TX is in the middle of a message."""
    pings, messages, size = 20, 12, 60_000
    with carrier_ends() as ends:
        thread, sent = sending(ends, messages, size)
        for number in range(pings):
            ends.say(PING, f"{number}:".encode())
        until_still([1])
        assert len(sent) < messages
        got: dict[int, list[int]] = {TEXT: [], PONG: []}
        while len(got[TEXT]) < messages or len(got[PONG]) < pings:
            opcode, payload = ends.reading.next()
            assert opcode in got
            assert opcode == PONG or len(payload) == size
            got[opcode].append(number_of(payload))
        assert got == {TEXT: list(range(messages)), PONG: list(range(pings))}
        thread.join(10)
        assert not thread.is_alive()
