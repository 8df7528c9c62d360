"""Websocket frames by hand: a peer that can pause in the middle of one, and that sees every byte out of place."""

import os
import socket
import struct
from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def frame(opcode: int, payload: bytes, is_masked: bool = False) -> bytes:
    """One whole frame; a client's is masked."""
    mask_bit = 0x80 if is_masked else 0
    if len(payload) < 126:
        head = struct.pack("!BB", 0x80 | opcode, mask_bit | len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, mask_bit | 126, len(payload))
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, mask_bit | 127, len(payload))
    if not is_masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


class FrameReader:
    """Frames from a socket, one after the other. A stream with a byte too few or too many ends in AssertionError."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()

    def head(self) -> bytes:
        """An HTTP head, up to and with its empty line."""
        while b"\r\n\r\n" not in self._data:
            self._data += self._more()
        end = self._data.index(b"\r\n\r\n") + 4
        return self._take(end)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """(opcode, payload) until the other side ends the stream. Raises what the socket raises."""
        while True:
            try:
                yield self.next()
            except EOFError:
                assert not self._data, f"the stream ends within a frame: {bytes(self._data[:80])!r}"
                return

    def next(self) -> tuple[int, bytes]:
        """The next frame. Raises EOFError at the end of the stream."""
        first, second = self._peek(2)
        opcode = first & 0x0F
        assert first & 0xF0 == 0x80, f"no head of a frame: {bytes(self._data[:80])!r}"
        assert opcode in (TEXT, CLOSE, PING, PONG), f"no opcode: {bytes(self._data[:80])!r}"
        size, at = second & 0x7F, 2
        if size == 126:
            size, at = struct.unpack("!H", self._peek(4)[2:])[0], 4
        elif size == 127:
            size, at = struct.unpack("!Q", self._peek(10)[2:])[0], 10
        key = b""
        if second & 0x80:
            key, at = self._peek(at + 4)[at:], at + 4
        self._peek(at + size)
        self._take(at)
        payload = self._take(size)
        return opcode, bytes(byte ^ key[i % 4] for i, byte in enumerate(payload)) if key else payload

    def _peek(self, size: int) -> bytes:
        while len(self._data) < size:
            self._data += self._more()
        return bytes(self._data[:size])

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def _more(self) -> bytes:
        data = self._sock.recv(65536)
        if not data:
            raise EOFError
        return data
