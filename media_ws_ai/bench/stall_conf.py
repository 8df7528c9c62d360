"""gunicorn's settings of the worker measured, and orders that trouble it from within: slow queries, a flood of log
lines, a name server that takes seconds.

Names below `.bench` are 127.0.0.1; how long such a look-up takes is ordered. It sleeps where the real one would: in
gevent's pool of native threads, or in the thread that asks.
"""

import os
from pathlib import Path
from typing import Any

# First, as in the file itself: under gevent it patches before anything else is imported.
exec(compile(Path(os.environ["BENCH_BASE_CONF"]).read_text(), os.environ["BENCH_BASE_CONF"], "exec"))

import logging  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

from gevent import get_hub  # noqa: E402
from gevent.monkey import get_original  # noqa: E402
from sqlalchemy import text  # noqa: E402

from media_ws_ai import markers  # noqa: E402
from media_ws_ai.bench import orders  # noqa: E402
from media_ws_ai.errors import PeerError  # noqa: E402
from media_ws_ai.logs import NO_CALL  # noqa: E402
from media_ws_ai.runtime import serving  # noqa: E402
from media_ws_ai.store.database import DatabaseUnavailable  # noqa: E402

BATCH_S = 0.01


class Names:
    """In the place of socket.getaddrinfo."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, *args: Any, **kwargs: Any) -> Any:
        if not str(host).endswith(".bench"):
            return self._real(host, *args, **kwargs)
        if self.delay_s:
            sleep = get_original("time", "sleep")
            if serving.is_green():
                get_hub().threadpool.apply(sleep, (self.delay_s,))
            else:
                sleep(self.delay_s)
        return self._real("127.0.0.1", *args, **kwargs)


def post_worker_init(worker: Any) -> None:
    """The product's hook, then the door for orders."""
    serving.post_worker_init(worker)
    parts = worker.wsgi.extensions["worker"]
    names = Names()
    socket.getaddrinfo = names

    def sql_sleep(jobs: int, seconds: float) -> int:
        """Jobs that the database takes long over; how many were done."""

        def job() -> bool:
            try:
                parts.database.run(lambda session: session.execute(text(f"SELECT pg_sleep({seconds})")), 3 * seconds)
            except DatabaseUnavailable:
                return False
            return True

        return sum(_all_at_once(job, jobs))

    def flood(lines_per_s: int, seconds: float) -> int:
        """Log lines of both kinds, ours and a library's; how many."""
        library, pause, written = logging.getLogger("bench"), threading.Event(), 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for _ in range(int(lines_per_s * BATCH_S / 2)):
                library.warning("a line that no one reads, %d of many", written)
                NO_CALL.write(markers.ready(state="bench", reason=f"line_{written}"))
                written += 2
            pause.wait(BATCH_S)
        return written

    def look_up(hosts: int, delay_s: float) -> list[float]:
        """Look-ups of so many hosts at once, each slow, with the model's own address grown old; how long each took."""
        names.delay_s = delay_s
        resolver = parts.model.resolver
        for host in resolver._hosts.values():
            host.at = 0.0

        def one() -> float:
            began = time.monotonic()
            try:
                resolver.lookup(f"host-{threading.get_ident()}.bench", 443, 4 * delay_s)
            except PeerError:
                return -1.0
            return time.monotonic() - began

        try:
            return _all_at_once(one, hosts)
        finally:
            names.delay_s = 0.0

    orders.serve({"sql_sleep": sql_sleep, "flood": flood, "look_up": look_up})


def _all_at_once(work: Callable[[], Any], count: int) -> list[Any]:
    """`work` in so many threads; their results."""
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(work()), name="BenchWork") for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
