"""Heavy work of many calls, one piece at a time, with a breath between: running calls come first.

Greenlets that become ready together all run before any timer does. Fifty callers at once, each with a few ms of
set-up, were heard in every running call as a gap of 100 ms and more; so were answers delivered whole on many lines.
Who passes here has let every frame that was due leave first.

It orders work, and bounds nothing: a piece between two turnstiles must itself be short (a few ms).
"""

import threading
import time
from typing import Final

BREATH_S: Final = 0.0005
"""Any time above zero lets the loop run its timers; `sleep(0)` does not."""


class Turnstile:
    """One per process and kind of work. Passes are at least `BREATH_S` apart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Returns when it is this thread's turn: after those that came before, each with its breath."""
        with self._lock:
            time.sleep(BREATH_S)
