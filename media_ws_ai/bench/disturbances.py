"""What a bench does to a worker with running calls, and the evidence that it really happened.

Each is `disturb(stack, orders) -> Evidence` and lasts a few seconds. New calls come from a carrier of their own, so
that the one that listens to the running calls is not kept busy by them.
"""

import http.client
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from media_ws_ai.bench.freezing import frozen
from media_ws_ai.bench.orders import Orders
from media_ws_ai.bench.stack import Stack

FIRST_SOUND_MS: Final = 3_000
WEBHOOK_MS: Final = 1_000
QUIET_S: Final = 3.0
SLOW_QUERIES: Final = 12
QUERY_S: Final = 2.0
REQUESTS: Final = 8
FLOOD_PER_S: Final = 5_000
FLOOD_S: Final = 4.0
NEW_CALLS: Final = 50
FEW_CALLS: Final = 4
FROZEN_S: Final = 4.0
LOOKUPS: Final = 25
LOOKUP_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What happened, and whether that was the disturbance meant."""

    is_real: bool
    told: str


Disturb = Callable[[Stack, Orders], Evidence]


def nothing(stack: Stack, orders: Orders) -> Evidence:
    """For comparison."""
    threading.Event().wait(QUIET_S)
    return Evidence(True, "")


def slow_queries(stack: Stack, orders: Orders) -> Evidence:
    """Jobs of `pg_sleep(2)` on every connection of the worker, and pages that want the database meanwhile."""
    with ThreadPoolExecutor(REQUESTS + 1) as pool:
        jobs = pool.submit(orders.give, "sql_sleep", SLOW_QUERIES, QUERY_S, within_s=30.0)
        answers = list(pool.map(lambda n: _status(stack, "/" if n % 2 else "/readyz"), range(REQUESTS)))
        done = jobs.result()["result"]
    answered = sum(status in (200, 503) for status in answers)
    told = f"{done} of {SLOW_QUERIES} queries done, {answered} of {REQUESTS} pages answered meanwhile"
    return Evidence(done >= 1 and answered == REQUESTS, told)


def _status(stack: Stack, path: str) -> int:
    try:
        return stack.get(path, within_s=10.0)[0]
    except (OSError, http.client.HTTPException):
        return 0


def stalled_log(stack: Stack, orders: Orders) -> Evidence:
    """Thousands of lines into a pipe that nobody reads."""
    written = orders.give("flood", FLOOD_PER_S, FLOOD_S, within_s=30.0)["result"]
    lost = stack.metrics()["log_lines_lost_total"]
    return Evidence(lost > 0, f"{written:,} lines written, {lost:,.0f} lost and counted")


def many_calls(stack: Stack, orders: Orders) -> Evidence:
    """Fifty callers at once; over wss each is a TLS handshake too."""
    return _call(stack, NEW_CALLS)


def _call(stack: Stack, count: int) -> Evidence:
    """New calls, all at once, each until a moment after the first sound."""
    call: dict[str, Any] = {
        "repeat": count,
        "max_s": 12,
        "steps": [{"hangup": True, "after": "agent_starts", "ms": 300, "within_ms": 8_000}],
    }
    with stack.carrier() as carrier:
        reports = carrier.run({"calls": [call]}, timeout_s=40)
    sounds = [report["first_sound_ms"] for report in reports if report["first_sound_ms"] is not None]
    webhook_ms = max(request["ms"] for report in reports for request in report["webhooks"][:1])
    late = sum(ms > FIRST_SOUND_MS for ms in sounds)
    told = (
        f"{len(sounds)} of {count} new calls heard us, the last after {max(sounds, default=0):.0f} ms"
        f"{f' ({late} after 3 s)' if late else ''}; slowest webhook {webhook_ms:.0f} ms"
    )
    return Evidence(len(sounds) == count, told)


def frozen_database(stack: Stack, orders: Orders) -> Evidence:
    """Every process of PostgreSQL stopped, with a few new calls meanwhile."""
    with frozen(stack.database_url):
        began = time.monotonic()
        evidence = _call(stack, FEW_CALLS)
        threading.Event().wait(max(0.0, FROZEN_S - (time.monotonic() - began)))
    return evidence


def slow_names(stack: Stack, orders: Orders) -> Evidence:
    """A name server that takes 5 s per look-up, 25 look-ups at once, and new calls meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(orders.give, "look_up", LOOKUPS, LOOKUP_S, within_s=60.0)
        calls = _call(stack, FEW_CALLS)
        took = [seconds for seconds in asked.result()["result"] if seconds >= 0]
    slowest_s = max(took, default=0.0)
    told = f"{len(took)} of {LOOKUPS} look-ups answered, the last after {slowest_s:.1f} s; {calls.told}"
    return Evidence(calls.is_real and slowest_s >= LOOKUP_S, told)
