"""The way out of a session: one queue, one writer; it can be held (a frozen or stalled service) and torn down.

    put() ─▶ queue (bounded in bytes) ─▶ write() ─▶ websocket

`put` never waits. A generator of audio asks `room()` first, so that a slow reader slows the model and no more.
"""

import asyncio
import socket
import struct
from collections import deque
from typing import Final

from aiohttp import WSMsgType, web

ROOM_BYTES: Final = 1 << 20
"""Generation waits while more than this is unsent."""

MOST_BYTES: Final = 64 << 20
"""A peer that leaves this much unread is cut off."""


class Outbox:
    """Owns all writing to one websocket."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self._ws = ws
        self._request = request
        self._queue: deque[bytes | tuple[int, bytes]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._room = asyncio.Event()
        self._room.set()
        self.closing = False
        self.saying_goodbye = False
        self.overflowed = False

    @property
    def transport(self) -> asyncio.Transport | None:
        """The connection's transport while there is one."""
        transport = self._request.transport
        return transport if isinstance(transport, asyncio.Transport) else None

    def put(self, frame: bytes) -> None:
        """Queue one text frame. After `close` or `drop` it is discarded: the line is gone."""
        if self.closing:
            return
        self._queue.append(frame)
        self._bytes += len(frame)
        if self._bytes > MOST_BYTES:
            self.overflowed = True
            self.drop()
            return
        if self._bytes > ROOM_BYTES:
            self._room.clear()
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after what is queued."""
        if not self.closing:
            self.closing = self.saying_goodbye = True
            self._queue.append((code, reason.encode()))
            self._wake.set()

    def drop(self) -> None:
        """Tear the connection down: the peer sees a reset, code 1006."""
        self.closing = True
        self._queue.clear()
        self._room.set()
        transport = self._request.transport
        if transport is not None:
            raw = transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    def hold(self) -> None:
        """Write nothing until `release`; what is put meanwhile waits."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def room(self) -> None:
        """Returns when the reader has caught up."""
        await self._room.wait()

    async def write(self) -> None:
        """The writer task: ends with the connection or after the close frame."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._open.wait()
                if not self._queue:
                    break
                frame = self._queue.popleft()
                if isinstance(frame, tuple):
                    await self._ws.close(code=frame[0], message=frame[1])
                    return
                try:
                    await self._ws.send_frame(frame, WSMsgType.TEXT)
                except (ConnectionError, RuntimeError):
                    # The peer has gone; the reading side sees it too and ends the session.
                    self.closing = True
                    self._queue.clear()
                    self._room.set()
                    return
                self._bytes -= len(frame)
                if self._bytes <= ROOM_BYTES:
                    self._room.set()
