"""Become another program whose life is tied to a parent: when that one ends, whatever the way, it gets SIGTERM.

Run as a file (`python -I -S tied.py PARENT_PID PROGRAM ARGUMENT …`), never imported: a process of its own, so that
nothing has to run between fork and exec of a bench that has threads.
"""

import os
import signal
import sys
from ctypes import CDLL, get_errno

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, argv: list[str]) -> None:
    if CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        sys.exit(f"PR_SET_PDEATHSIG was refused: {os.strerror(get_errno())}")
    if os.getppid() != parent:
        sys.exit("the bench ended before its worker began")
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
