"""Alive, ready, and the figures: /healthz, /readyz, /metrics.

Threads, greenlets, descriptors and database connections are read when asked for, so that a leak shows from outside.
The figures are this worker process's own.
"""

import gc
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from media_ws_ai import logs, markers
from media_ws_ai.logs import NO_CALL
from media_ws_ai.runtime import serving
from media_ws_ai.runtime.handler import live_threads
from media_ws_ai.web.worker import Worker

PING_S: Final = 0.5
_POOL_NAME: Final = "ThreadPoolExecutor-"
"""Names of gunicorn's request threads; one that runs a call bears the call's name meanwhile."""


def live_greenlets() -> int:
    """Greenlets that are alive, less those of gevent's thread pool; 0 without gevent.

    The pool has, for each native thread, one of its own kind and the thread's root. Those frozen at start are not seen.
    """
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return 0
    return sum(
        1
        for each in gc.get_objects()
        if isinstance(each, greenlet.greenlet)
        and not each.dead
        and each.parent is not None
        and type(each).__name__ != "_WorkerGreenlet"
    )


def pool_threads() -> int:
    """Native threads that gevent's or gunicorn's pool keeps for reuse: no call's, though they come and stay."""
    if serving.is_green():
        return int(sys.modules["gevent"].get_hub().threadpool.size)
    return sum(1 for each in threading.enumerate() if each.name.startswith(_POOL_NAME))


def native_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    """Threads that Python knows of, less the dummies of request greenlets and gunicorn's pool."""
    return sum(1 for each in threading.enumerate() if not each.name.startswith(("Dummy-", _POOL_NAME)))


class WorkerFigures:
    """A collector of prometheus_client."""

    def __init__(self, worker: Worker) -> None:
        self._w = worker

    def collect(self) -> Iterator[Metric]:
        w = self._w
        calls = GaugeMetricFamily("media_ws_ai_calls", "Calls of this worker by state", labels=["state"])
        live = len(w.registry.live())
        calls.add_metric(["live"], live)
        calls.add_metric(["closing"], max(0, w.registry.active - live))
        yield calls
        yield _counter("media_ws_ai_calls_ended", "Calls ended, by reason", "reason", w.registry.ended)
        yield _counter("media_ws_ai_calls_refused", "Streams not admitted, by reason", "reason", w.registry.refused)
        started = CounterMetricFamily("media_ws_ai_calls_started", "Streams admitted")
        started.add_metric([], w.registry.started)
        yield started
        gauges = {
            "max_calls": ("Calls this worker takes at most", w.settings.max_calls),
            "draining": ("1 after SIGTERM", int(w.registry.is_draining)),
            "threads": ("Threads", threads()),
            "call_threads": ("Threads of calls", len(live_threads())),
            "native_threads": ("Threads of the operating system", native_threads()),
            "pool_threads": ("Native threads kept by the pool of gevent or gunicorn", pool_threads()),
            "greenlets": ("Greenlets, less those of gevent's thread pool", live_greenlets()),
            "descriptors": ("Open descriptors", descriptors()),
            "database_connections": ("Connections to the database", w.database.connections()),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"media_ws_ai_{name}", text, value=value)
        yield from self._losses()

    def _losses(self) -> Iterator[Metric]:
        w = self._w
        recorder = w.recorder.counts()
        database = w.database.counts()
        health = w.model.health
        counters = {
            "events_written": ("Rows of call_events written", recorder.written),
            "events_dropped": ("Rows of call_events lost", recorder.dropped),
            "database_jobs": ("Jobs of the database", database.jobs),
            "database_timeouts": ("Jobs that missed their deadline", database.timeouts),
            "database_failures": ("Jobs that failed", database.failures),
            "model_connections": ("Connections to the model", health.connections),
            "model_connection_failures": ("Connections to the model that failed", health.failures),
            "log_lines_lost": ("Log lines lost to a stalled reader", logs.lines_lost()),
        }
        for name, (text, value) in counters.items():
            family = CounterMetricFamily(f"media_ws_ai_{name}", text)
            family.add_metric([], value)
            yield family


def _counter(name: str, text: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, count in sorted(counts.items()):
        family.add_metric([key], count)
    return family


class Readiness:
    """Whether new calls should come here, and why not. A change is logged once."""

    def __init__(self, worker: Worker) -> None:
        self._w = worker
        self._last = ""

    def reason(self) -> str:
        """Empty when ready."""
        if self._w.registry.is_draining:
            return "draining"
        if self._w.registry.is_full:
            return "full"
        if not self._w.database.ping(PING_S):
            return "no_database"
        return "" if self._w.model.health.is_reachable else "model_unreachable"

    def look(self) -> str:
        reason = self.reason()
        if reason != self._last:
            self._last = reason
            state = "not_ready" if reason else "ready"
            NO_CALL.write(markers.ready(state=state, reason=reason or "-"))
        return reason


def blueprint(worker: Worker) -> Blueprint:
    """The three routes."""
    routes = Blueprint("health", __name__)
    readiness = Readiness(worker)
    registry = CollectorRegistry()
    registry.register(WorkerFigures(worker))

    @routes.get("/healthz")
    def healthz() -> Any:
        return {"status": "alive"}

    @routes.get("/readyz")
    def readyz() -> Any:
        reason = readiness.look()
        return {"ready": not reason, "reason": reason}, 503 if reason else 200

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return routes
