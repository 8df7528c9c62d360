"""TwilioTx: the carrier socket's only writer. It sends what the rules say is due, and sleeps until the next instant.

It never queries, parses or waits for a slow log. A send that blocks is seen from outside by `blocked_s`.
"""

import threading
import time
from typing import Final

from simple_websocket import ConnectionClosed

from media_ws_ai.events import CarrierEnded
from media_ws_ai.runtime.carrier_socket import CarrierSocket
from media_ws_ai.runtime.core import CallCore
from media_ws_ai.wire.twilio import TwilioWriter

REST_S: Final = 0.001
"""The least rest after a step that had nothing to send: a greenlet that never waits stops all calls of its worker."""

READER_FIRST_S: Final = 0.5
"""A caller who hangs up says so and closes; the send that fails then may come before the reader has taken that word."""


class TwilioTx:
    """The carrier's half that speaks."""

    def __init__(self, socket: CarrierSocket, writer: TwilioWriter, core: CallCore, stop: threading.Event) -> None:
        self._socket = socket
        self._writer = writer
        self._core = core
        self._stop = stop
        self._sending_since: float | None = None

    def blocked_s(self) -> float:
        """How long the send under way has been blocked [s]."""
        since = self._sending_since
        return time.monotonic() - since if since is not None else 0.0

    def run(self) -> None:
        wake = self._core.tx_wake
        while not self._stop.is_set():
            out, wake_at = self._core.take()
            try:
                for message in out:
                    self._sending_since = time.monotonic()
                    if message.kind == "media":
                        self._socket.send(self._writer.media(message.audio))
                    elif message.kind == "mark":
                        self._socket.send(self._writer.mark(message.name))
                    else:
                        self._socket.send(self._writer.clear)
            except (ConnectionClosed, OSError) as error:
                self._sending_since = None
                if not self._stop.wait(READER_FIRST_S):
                    self._core.handle(CarrierEnded("lost", f"{type(error).__name__} {error}".strip()))
                return
            finally:
                self._sending_since = None
            wait_s = max(wake_at - time.monotonic(), 0.0 if out else REST_S)
            if wait_s > 0:
                wake.wait(wait_s)
            wake.clear()
