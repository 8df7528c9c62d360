"""Orders from a bench to the worker it measures, as datagrams on a socket in the stack's folder.

    bench: Orders(folder).give("cut", call_sid) ──▶ worker: serve(folder, {"cut": …}), a thread each ──▶ answer

Only the bench's own gunicorn configurations listen (cut_conf.py, stall_conf.py): the product has no such door.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

FOLDER: Final = "BENCH_FOLDER"
BASE_CONF: Final = "BENCH_BASE_CONF"
MAX_BYTES: Final = 32 * 1024

Order = Callable[..., Any]


def serve(deeds: Mapping[str, Order]) -> None:
    """In the worker: take orders until the process ends. Under gevent the socket and the threads are green."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(_place(Path(os.environ[FOLDER]), os.getpid())))
    threading.Thread(target=_listen, args=(server, deeds), name="BenchOrders", daemon=True).start()


def _listen(server: socket.socket, deeds: Mapping[str, Order]) -> None:
    while True:
        data, sender = server.recvfrom(MAX_BYTES)
        order = json.loads(data)
        deed = deeds[order["do"]]
        threading.Thread(target=_do, args=(server, sender, deed, order["args"]), name="BenchOrder", daemon=True).start()


def _do(server: socket.socket, sender: str, deed: Order, args: list[Any]) -> None:
    began_s = time.monotonic()
    try:
        answer: dict[str, Any] = {"result": deed(*args)}
    except Exception as error:  # the bench is told, whatever it is
        answer = {"error": f"{type(error).__name__}: {error}"}
    server.sendto(json.dumps({"began_s": began_s, "done_s": time.monotonic(), **answer}).encode(), sender)


def _place(folder: Path, pid: int) -> Path:
    return folder / f"orders-{pid}.sock"


class OrderFailed(RuntimeError):
    """The worker could not do it, or does not answer; the message says which."""


class Orders:
    """In the bench: gives orders, one at a time."""

    def __init__(self, folder: Path, worker_pid: int) -> None:
        self._server = str(_place(folder, worker_pid))
        self._own = folder / f"bench-{os.getpid()}-{id(self)}.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> "Orders":
        self._socket.bind(str(self._own))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._own.unlink(missing_ok=True)

    def give(self, do: str, *args: object, within_s: float = 5.0) -> dict[str, Any]:
        """Have it done. Returns: `result`, `began_s` and `done_s` (monotonic). Raises: OrderFailed."""
        self._socket.settimeout(within_s)
        try:
            self._socket.sendto(json.dumps({"do": do, "args": args}).encode(), self._server)
            answer: dict[str, Any] = json.loads(self._socket.recv(MAX_BYTES))
        except OSError as error:
            raise OrderFailed(f"{do}: the worker does not answer ({error})") from error
        if "error" in answer:
            raise OrderFailed(f"{do}: {answer['error']}")
        return answer
