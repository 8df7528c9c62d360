"""Asking by REST to end a call: three seconds whatever the other side does; an end that was there already counts."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
from gevent import get_hub, monkey

from media_ws_ai.runtime import hangup
from media_ws_ai.runtime.hangup import MAX_REQUESTS, RestHangup
from tests.waiting import eventually

Answer = Callable[[socket.socket, threading.Event], None]
LIMIT_S = 0.5


@contextmanager
def rest(answer: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """(url, what was asked)"""
    asked: list[bytes] = []
    over = threading.Event()
    threads: list[threading.Thread] = []

    def one(taken: socket.socket) -> None:
        with closing(taken), suppress(OSError):
            asked.append(taken.recv(65536))
            answer(taken, over)

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=one, args=(taken,), daemon=True))
            threads[-1].start()

    with closing(socket.create_server(("127.0.0.1", 0), backlog=50)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in [server, *threads]:
                thread.join(10)
            eventually(lambda: not requests_under_way(), within_s=15)


def requests_under_way() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "Rest"]


def replying(status: str, body: object) -> Answer:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    return lambda taken, over: taken.sendall(head.encode() + data)


def never(taken: socket.socket, over: threading.Event) -> None:
    over.wait(60)


def dripping(taken: socket.socket, over: threading.Event) -> None:
    taken.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not over.wait(0.05):
        taken.sendall(b"x")


def broken(taken: socket.socket, over: threading.Event) -> None:
    taken.sendall(b"nonsense")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "REST_S", LIMIT_S)


@pytest.mark.parametrize("answer", [never, dripping, broken], ids=lambda each: each.__name__)
def test_a_server_of_any_manners_costs_the_limit(answer: Answer) -> None:
    with rest(answer) as (url, asked):
        began = time.monotonic()
        assert RestHangup("AC1", "token", url)("CA1") == "failed"
        assert time.monotonic() - began < 5.0
        eventually(lambda: asked, within_s=10)


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        ("200 OK", {"sid": "CA1", "status": "completed"}, "ended"),
        ("404 Not Found", {"code": 20404, "message": "not found", "status": 404}, "over"),
        ("404 Not Found", {"message": "no code"}, "over"),
        ("400 Bad Request", {"code": 21220, "message": "not in progress", "status": 400}, "over"),
        ("400 Bad Request", {"code": 21210, "message": "no", "status": 400}, "failed"),
        ("401 Unauthorized", {"code": 20003, "message": "who", "status": 401}, "failed"),
        ("500 Oh", {}, "failed"),
    ],
)
def test_what_the_answer_means(status: str, body: object, result: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "REST_S", 10.0)
    with rest(replying(status, body)) as (url, asked):
        assert RestHangup("AC1", "token", url)("CA1") == result
        assert b"POST /2010-04-01/Accounts/AC1/Calls/CA1.json" in asked[0]
        assert len(asked) == 1, "not tried again blindly"


def test_a_name_server_that_hangs_costs_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = monkey.get_original("threading", "Event")()

    def look(*args: Any, **kwargs: Any) -> Any:
        if monkey.is_module_patched("socket"):
            get_hub().threadpool.apply(answers.wait, (30,))
        else:
            answers.wait(30)
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", look)
    try:
        began = time.monotonic()
        assert RestHangup("AC1", "token", "http://rest.example")("CA1") == "failed"
        assert time.monotonic() - began < 5.0
    finally:
        answers.set()
    eventually(lambda: not requests_under_way(), within_s=15)


def test_a_bounded_number_of_requests_hang_at_once() -> None:
    with rest(dripping) as (url, asked):
        ours = RestHangup("AC1", "token", url)
        callers = [threading.Thread(target=ours, args=(f"CA{number}",)) for number in range(MAX_REQUESTS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(20)
        eventually(lambda: len(asked) == MAX_REQUESTS, within_s=10)
        began = time.monotonic()
        assert ours("CA99") == "failed"
        assert time.monotonic() - began < LIMIT_S, "without a wait"
        assert len(requests_under_way()) == MAX_REQUESTS


def test_without_an_account_there_is_no_rest() -> None:
    assert RestHangup("", "", "")("CA1") == "none"
