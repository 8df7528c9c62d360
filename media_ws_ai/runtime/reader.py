"""TwilioReader: carrier's messages → facts. It ends when the line is closed, dead for 10 s, or the call stops."""

import threading
import time
from typing import Final

from simple_websocket import ConnectionClosed

from media_ws_ai import markers
from media_ws_ai.events import CallerFrame, CarrierEnded
from media_ws_ai.logs import CallLog
from media_ws_ai.runtime.carrier_socket import CarrierSocket
from media_ws_ai.runtime.core import CallCore
from media_ws_ai.wire.twilio import StreamStarted, TwilioParser

DEAD_LINE_S: Final = 10.0
RECEIVE_S: Final = 0.5
MAX_INBOX: Final = 1000
"""Messages that wait to be read: 20 s of audio. A worker that far behind serves nobody."""


class TwilioReader:
    """The carrier's half that listens."""

    def __init__(
        self, socket: CarrierSocket, parser: TwilioParser, core: CallCore, log: CallLog, stop: threading.Event
    ) -> None:
        self._socket = socket
        self._parser = parser
        self._core = core
        self._log = log
        self._stop = stop

    def run(self) -> None:
        heard_at = time.monotonic()
        while not self._stop.is_set():
            try:
                message = self._socket.receive(RECEIVE_S)
            except (ConnectionClosed, OSError) as error:
                self._core.handle(self._ended(error))
                return
            now = time.monotonic()
            if message is not None:
                for event in self._parser.feed(message):
                    if isinstance(event, CallerFrame):
                        heard_at = now
                    if not isinstance(event, StreamStarted):
                        self._core.handle(event)
            if now - heard_at >= DEAD_LINE_S:
                self._log.write(markers.media_dead(silent_s=now - heard_at))
                self._core.handle(CarrierEnded("silent"))
                return
            if self._socket.inbox > MAX_INBOX:
                self._core.handle(CarrierEnded("overrun", f"{self._socket.inbox} messages unread"))
                return

    @staticmethod
    def _ended(error: Exception) -> CarrierEnded:
        code = getattr(error, "reason", None)
        if code in (1000, 1001):
            return CarrierEnded("closed", str(code))
        return CarrierEnded("lost", f"{code or ''} {error}".strip())
