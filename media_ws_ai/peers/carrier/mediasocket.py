"""The media websocket as the carrier's end holds it: aiohttp's, plus what a misbehaving peer needs.

Adds the transport (to stop reading, and to see how much the worker has not taken yet), sending that never waits, and
a TCP reset. Frames that find 64 KiB waiting are dropped and counted, which is the carrier's warning 31930.
"""

import asyncio
import socket
import struct
from typing import Any, Final

import aiohttp
from aiohttp import WSMsgType

MAX_WAITING_BYTES: Final = 64 * 1024
HIGH_WATER_BYTES: Final = 4 * 1024 * 1024
"""Above the largest message ever sent here, so that aiohttp's `send_frame` never pauses."""
MAX_MESSAGE_BYTES: Final = 1024 * 1024
CLOSE_S: Final = 2.0

RESET: Final = struct.pack("ii", 1, 0)


class MediaSocket(aiohttp.ClientWebSocketResponse):
    """A websocket client that can be rude."""

    def __init__(
        self, reader: Any, writer: Any, protocol: Any, response: aiohttp.ClientResponse, *args: Any, **kw: Any
    ) -> None:
        super().__init__(reader, writer, protocol, response, *args, **kw)
        connection = response.connection
        if connection is None or not isinstance(connection.transport, asyncio.Transport):
            raise ConnectionError("the connection was lost during the handshake")
        self.transport: asyncio.Transport = connection.transport
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self.dropped = 0

    def post(self, data: bytes, kind: WSMsgType = WSMsgType.TEXT) -> bool:
        """Send at once or not at all; False when the worker takes nothing or is gone."""
        if self.closed or self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            self.dropped += 1
            return False
        sending = self.send_frame(data, kind)
        try:
            sending.send(None)
        except StopIteration:
            return True
        except (ConnectionError, aiohttp.ClientError):
            return False
        sending.close()  # the frame is written; only the wait for the buffer to sink is given up
        return True

    def stop_reading(self) -> None:
        """Leave everything in the kernel's buffer, which fills; then the worker's."""
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self.transport.resume_reading()

    def reset(self) -> None:
        """End with RST: no close frame, no FIN, as when a machine or a network path dies."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


def narrow(rcvbuf_bytes: int) -> Any:
    """A socket factory whose sockets have so small a receive buffer (0: as usual): a peer that stops reading is felt
    after kilobytes instead of megabytes."""

    def make(address: Any) -> socket.socket:
        family, kind, proto, _, _ = address
        made = socket.socket(family, kind, proto)
        if rcvbuf_bytes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf_bytes)
        made.setblocking(False)
        return made

    return make
