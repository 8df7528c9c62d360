"""The ground that socket tests stand on: how threads are made here, and a database of each test's own."""

import os
import threading
import time
from contextlib import closing

import psycopg2
import pytest
from gevent import monkey

from tests.waiting import eventually


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


def test_threads_are_what_this_run_is_for() -> None:
    wanted = os.environ.get("TESTS_UNDER")
    if wanted is None:
        pytest.skip("make says under what: TESTS_UNDER=threads or gevent")
    patched = {name: bool(monkey.is_module_patched(name)) for name in ("threading", "socket", "time", "queue", "ssl")}
    assert set(patched.values()) == {wanted == "gevent"}, patched


def test_a_slow_query_holds_up_no_other_thread(empty_database_url: str) -> None:
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick, name="ticker")
    thread.start()
    try:
        ask(empty_database_url, "SELECT pg_sleep(0.5)")
    finally:
        done.set()
        thread.join(5)
    assert len(ticks) > 10, "the query stopped the process: psycogreen is not in place"


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_a_migrated_database_of_its_own(database_url: str, turn: int) -> None:
    assert ask(database_url, "SELECT count(*) FROM businesses") == [(0,)]
    ask(database_url, "CREATE TABLE left_behind (turn int)")
    assert ask(database_url, "SELECT to_regclass('left_behind') IS NOT NULL") == [(True,)]


def test_eventually_returns_what_became_true_and_says_what_did_not() -> None:
    answers = iter(["", "", "ready"])
    assert eventually(lambda: next(answers)) == "ready"
    with pytest.raises(AssertionError, match="last answer 0"):
        eventually(lambda: 0, within_s=0.02)
