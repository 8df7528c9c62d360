"""gunicorn may leave its loop while calls still run (gthread does): the worker's end waits for the drain."""

import threading
from types import SimpleNamespace

from media_ws_ai.runtime import serving
from media_ws_ai.runtime.drain import Drain
from media_ws_ai.runtime.registry import Registry


def a_worker(registry: Registry) -> tuple[SimpleNamespace, Drain, threading.Event]:
    drain = Drain(registry, 8.0, lambda: True)
    drain.watch()
    closed = threading.Event()
    parts = SimpleNamespace(drain=drain, close=closed.set)
    worker = SimpleNamespace(wsgi=SimpleNamespace(extensions={"worker": parts}))
    return worker, drain, closed


def test_it_waits_for_the_calls_of_a_drain():
    registry = Registry(5)
    assert registry.enter() == ""
    worker, drain, closed = a_worker(registry)
    drain.ask()
    leaving = threading.Thread(target=serving.worker_exit, args=(None, worker), daemon=True)
    leaving.start()
    assert not closed.wait(0.7), "a call runs"
    registry.leave("drain")
    assert closed.wait(15.0)
    leaving.join(15.0)
    assert not leaving.is_alive()


def test_without_a_drain_it_does_not_wait():
    registry = Registry(5)
    assert registry.enter() == ""
    worker, drain, closed = a_worker(registry)
    leaving = threading.Thread(target=serving.worker_exit, args=(None, worker), daemon=True)
    leaving.start()
    assert closed.wait(4.0), "at once, not after the time of a drain"
    drain.close()
    leaving.join(15.0)
    assert not leaving.is_alive()
