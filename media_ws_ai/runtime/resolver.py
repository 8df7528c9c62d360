"""Addresses of the model's host, looked up ahead: a name server that is slow today delays no call and holds no thread.

One look-up per host at a time, in a thread of the process (never of a call); its answer serves for a minute, and an
older one still serves while the name server does not answer.
"""

import logging
import socket
import threading
import time
from typing import Any, Final

from media_ws_ai.errors import PeerError

FRESH_S: Final = 60.0
MAX_HOSTS: Final = 64

Address = tuple[socket.AddressFamily, Any]

_log: Final = logging.getLogger(__name__)


class _Host:
    def __init__(self) -> None:
        self.addresses: list[Address] = []
        self.at = float("-inf")
        self.error = ""
        self.is_looking = False
        self.answered = threading.Event()


class Resolver:
    """Shared by all calls of a process."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, int], _Host] = {}
        self._lock = threading.Lock()

    def lookup(self, host: str, port: int, deadline_s: float) -> list[Address]:
        """Addresses of `host`, at once when any are known. Raises PeerError when none come within `deadline_s`."""
        with self._lock:
            if len(self._hosts) >= MAX_HOSTS and (host, port) not in self._hosts:
                self._hosts.clear()
            entry = self._hosts.setdefault((host, port), _Host())
            if time.monotonic() - entry.at > FRESH_S and not entry.is_looking:
                entry.is_looking = True
                entry.answered.clear()
                threading.Thread(target=self._look, args=(host, port, entry), name="Resolver", daemon=True).start()
            if entry.addresses:
                return entry.addresses
        if not entry.answered.wait(deadline_s):
            raise PeerError(f"no address for {host} within {deadline_s:.1f} s")
        if not entry.addresses:
            raise PeerError(f"no address for {host}: {entry.error}")
        return entry.addresses

    def _look(self, host: str, port: int, entry: _Host) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            entry.addresses = [(family, address) for family, _, _, _, address in found]
            entry.at = time.monotonic()
        except (OSError, UnicodeError) as error:  # UnicodeError: no name that can be asked for
            entry.error = str(error)
            _log.warning("looking up %s failed: %s", host, error)
        finally:
            with self._lock:  # else the next look-up may begin between the two, and take this answer for its own
                entry.is_looking = False
                entry.answered.set()
