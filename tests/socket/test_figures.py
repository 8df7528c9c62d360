"""The figures of /metrics by which leaks are found: exact, whatever pools do beside them."""

import socket
import threading

import pytest
from gevent import monkey

from media_ws_ai.web import health

IS_GREEN = monkey.is_module_patched("threading")


def look_up_at_once(count: int) -> None:
    """Under gevent each look-up takes a native thread of its pool, which stays."""
    threads = [threading.Thread(target=socket.getaddrinfo, args=("localhost", 80)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15.0)


@pytest.mark.skipif(not IS_GREEN, reason="greenlets are threads under gevent only")
def test_one_more_greenlet_is_one_more_however_large_the_pool():
    release = threading.Event()
    before = health.live_greenlets()
    waiting = threading.Thread(target=release.wait, daemon=True)
    waiting.start()
    try:
        look_up_at_once(3)
        assert health.pool_threads() >= 1
        assert health.live_greenlets() == before + 1
    finally:
        release.set()
        waiting.join(15.0)
    assert health.live_greenlets() == before


@pytest.mark.skipif(IS_GREEN, reason="threads of the operating system")
def test_threads_of_gunicorns_pool_are_told_apart(eventually):
    from concurrent.futures import ThreadPoolExecutor

    before, pool_before = health.threads(), health.pool_threads()
    with ThreadPoolExecutor(2) as pool:
        assert pool.submit(threading.get_ident).result(15.0)
        assert health.pool_threads() == pool_before + 1
        assert health.threads() == before
    eventually(lambda: health.pool_threads() == pool_before)
