"""The last step before `initdb` or `postgres`: drop root, tie the life to the launcher's, exec.

Run as a file (`python -I -S become.py ORDER`), never imported: it is a process of its own, so that nothing has to
run between fork and exec of a launcher that has threads or greenlets. ORDER is JSON:

    argv     list of str   program and arguments
    env      dict          the whole environment of the program
    uid,gid  int | null    who to become (null: stay)
    parent   int | null    pid whose end brings SIGINT, PostgreSQL's fast shutdown (null: no tie)
    detach   bool          fork once more and print the new pid, so that the launcher keeps no child
    pgdata   str | null    data directory whose stale postmaster.pid may be taken over
"""

import json
import os
import signal
import sys
from ctypes import CDLL, get_errno  # loaded as root: the library may lie where the new user cannot read
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
KEPT_LINES = 6  # of postmaster.pid after the pid: up to the shared memory key, without the old server's "ready"


def main(order: dict[str, Any]) -> None:
    libc = CDLL(None, use_errno=True)
    if order["detach"]:
        child = os.fork()
        if child:
            print(child, flush=True)
            os._exit(0)
        os.dup2(2, 1)  # the launcher reads our stdout to its end; postgres must not keep it open
    if order["uid"] is not None:
        os.setgroups([])
        os.setgid(order["gid"])
        os.setuid(order["uid"])
    if order["parent"] is not None:  # after setuid, which clears it
        if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0) != 0:
            sys.exit(f"PR_SET_PDEATHSIG was refused: {os.strerror(get_errno())}")
        if os.getppid() != order["parent"]:
            sys.exit("the launcher ended before its server began")
    if order["pgdata"] is not None:
        take_over_stale_pidfile(os.path.join(order["pgdata"], "postmaster.pid"))
    os.execve(order["argv"][0], order["argv"], order["env"])


def take_over_stale_pidfile(path: str) -> None:
    """Put our own pid on the first line when the server named there is no more.

    PostgreSQL asks only whether *some* process has that pid, and so refuses to start beside an unreaped
    `<defunct>` one or after the pid went to another program. Its own pid it accepts; the shared memory key
    stays, because by it PostgreSQL sees that old backends still run.
    """
    try:
        with open(path) as file:
            first, *rest = file.read().split("\n")
        pid = int(first)
    except (FileNotFoundError, ValueError):
        return
    if is_live_postgres(pid):
        return
    with open(path, "w") as file:
        file.write("\n".join([str(os.getpid()), *rest[:KEPT_LINES], ""]))


def is_live_postgres(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            head, _, tail = file.read().rpartition(")")
    except OSError:
        return False
    return head.partition("(")[2] == "postgres" and tail.split()[0] not in "ZXx"


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
