"""A slow name server holds a call up for its limit and no longer, is asked once, and done without where that can be."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from gevent import get_hub, monkey

from media_ws_ai.errors import PeerError
from media_ws_ai.runtime import model_socket, resolver
from media_ws_ai.runtime.model_socket import Endpoint, ModelSocket, Opening
from media_ws_ai.runtime.resolver import Resolver
from tests.waiting import eventually

NativeEvent = monkey.get_original("threading", "Event")
FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]


class NameServer:
    """Stands in for getaddrinfo; blocks its native thread, as the C library does."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: OSError | None = None
        self.answers = NativeEvent()

    def look(self, *args: Any, **kwargs: Any) -> list[Any]:
        self.asked += 1
        if monkey.is_module_patched("socket"):  # gevent gives it a thread of its pool
            get_hub().threadpool.apply(self.answers.wait, (30,))
        else:
            self.answers.wait(30)
        if self.error is not None:
            raise self.error
        return FOUND


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.look)
    yield server
    server.answers.set()
    eventually(lambda: not any(thread.name == "Resolver" for thread in threading.enumerate()), within_s=10)


def test_calls_that_wait_for_one_name_ask_once_and_stop_at_their_deadline(names: NameServer) -> None:
    ours, began = Resolver(), time.monotonic()
    given_up: list[float] = []

    def call() -> None:
        with pytest.raises(PeerError, match="within 0.3 s"):
            ours.lookup("model", 443, 0.3)
        given_up.append(time.monotonic() - began)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(given_up) == 20 and max(given_up) < 5.0
    assert names.asked == 1
    names.answers.set()
    eventually(lambda: ours.lookup("model", 443, 5.0) == [(socket.AF_INET, ("127.0.0.1", 9))], within_s=10)
    assert names.asked == 1


def test_an_old_answer_serves_while_a_new_one_is_awaited(names: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    names.answers.set()
    ours = Resolver()
    first = ours.lookup("model", 443, 10.0)
    names.answers.clear()
    monkeypatch.setattr(resolver, "FRESH_S", 0.0)
    began = time.monotonic()
    assert [ours.lookup("model", 443, 10.0) for _ in range(5)] == [first] * 5
    assert time.monotonic() - began < 5.0
    eventually(lambda: ours.lookup("model", 443, 10.0) == first and names.asked == 2, within_s=10)
    names.error = OSError("no such name")
    names.answers.set()
    eventually(lambda: ours.lookup("model", 443, 10.0) == first and names.asked > 2, within_s=10)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_a_name_that_is_not_found_says_so_and_is_looked_up_again(names: NameServer, error: Any) -> None:
    names.answers.set()
    names.error = error
    ours = Resolver()
    for _ in range(2):
        with pytest.raises(PeerError, match=r"no address for model: .*(unknown|too long)"):
            ours.lookup("model", 443, 10.0)
    assert names.asked == 2
    names.error = None
    assert ours.lookup("model", 443, 10.0)


def test_the_hosts_remembered_are_bounded(names: NameServer) -> None:
    names.answers.set()
    ours = Resolver()
    for number in range(3 * resolver.MAX_HOSTS):
        ours.lookup(f"host{number}", 443, 10.0)
        assert len(ours._hosts) <= resolver.MAX_HOSTS


def test_a_connection_to_be_made_while_names_are_slow_costs_its_limit(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_socket, "CONNECT_S", 0.5)
    ended: list[str] = []

    def connect() -> None:
        with pytest.raises((PeerError, OSError)) as caught:
            ModelSocket.connect(Endpoint("ws://model/v1", "m", "k"), None, Resolver(), Opening())  # type: ignore[arg-type]
        ended.append(str(caught.value))

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "the call's thread waits for the name server's"
    assert "no address for model" in ended[0]
