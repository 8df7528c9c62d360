"""Child processes of a command: started apart from the terminal's Ctrl-C, ended in order, gone when we are killed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def _dies_with_parent() -> Callable[[], None]:
    """What a child runs before its program: a signal to it when its parent is gone. The library is loaded here,
    before the fork, because nothing may be imported between fork and exec."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return bind


class Child:
    """One process; `end` is patient for a while, then not."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self.name = name
        bind = _dies_with_parent() if sys.platform == "linux" else None
        self._process = subprocess.Popen(argv, env=dict(env), start_new_session=True, preexec_fn=bind)  # noqa: PLW1509

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self, within_s: float) -> int | None:
        """Its exit status, or None when it still runs by then."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self, within_s: float) -> None:
        """SIGTERM, and SIGKILL to its whole session when it has not gone by then."""
        if self._process.poll() is None:
            self._process.terminate()
            if self.wait(within_s) is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(5)
