"""Deadlines over a real PostgreSQL: refused, frozen, slow, full; and all well again after."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from gevent import monkey
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from media_ws_ai.bench.freezing import frozen
from media_ws_ai.errors import ContractError
from media_ws_ai.store.database import Database, DatabaseUnavailable
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
REFUSING = "postgresql://u:p@127.0.0.1:1/none"
SLACK_S = 2.0
"""What a loaded machine may add to a deadline; without one the wait would be that of TCP, or for ever."""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    assert database.close()


@pytest.fixture
def narrow(database_url: str) -> Iterator[Database]:
    """One thread: what it does next shows whether it is free."""
    database = Database(database_url, threads=1, jobs_waiting=3)
    yield database
    assert database.close()


def one(session: Session) -> int:
    return int(session.execute(text("SELECT 1")).scalar_one())


def slowly(session: Session) -> None:
    session.execute(text("SELECT pg_sleep(30)"))


def without_database(session: Session) -> str:
    return "free"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def unavailable(database: Database, work: object, deadline_s: float) -> tuple[str, float]:
    """The reason, and how long it took to be told [s]."""
    start = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as refusal:
        database.run(work, deadline_s)  # type: ignore[arg-type]
    return str(refusal.value), time.monotonic() - start


def test_a_job_is_one_transaction(database: Database) -> None:
    def insert(session: Session) -> None:
        session.execute(text("INSERT INTO calls (call_sid, started_at) VALUES ('CA1', now())"))

    def insert_and_fail(session: Session) -> None:
        session.execute(text("INSERT INTO calls (call_sid, started_at) VALUES ('CA2', now())"))
        raise LookupError("ours")

    database.run(insert, 2)
    with pytest.raises(LookupError, match="ours"):
        database.run(insert_and_fail, 2)
    assert database.run(lambda s: list(s.execute(text("SELECT call_sid FROM calls")).scalars()), 2) == ["CA1"]
    counts = database.counts()
    assert (counts.jobs, counts.errors, counts.failures, counts.timeouts) == (3, 1, 0, 0)


def test_threads_start_with_the_first_job_and_end_with_close(database_url: str) -> None:
    database = Database(database_url, threads=3)
    before = set(threading.enumerate())
    assert database.connections() == 0
    assert database.ping(10)
    started = [t for t in threading.enumerate() if t not in before]
    assert sorted(t.name for t in started if t.name.startswith("Db-")) == ["Db-1", "Db-2", "Db-3"]
    assert all(t.daemon for t in started)
    assert database.connections() == 1
    assert database.close()
    assert not [t for t in started if t.is_alive()]
    assert database.connections() == 0
    assert "closed" in unavailable(database, one, 1)[0]


def test_jobs_run_side_by_side(database: Database) -> None:
    meeting = threading.Barrier(4)

    def meet(session: Session) -> int:
        one(session)
        return meeting.wait(10)

    threads = [threading.Thread(target=database.run, args=(meet, 15)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not meeting.broken, "all four were under way at once"
    assert database.connections() == 4


def test_a_host_name_is_resolved_and_reached(database_url: str) -> None:
    """Under gevent it is resolved beforehand: libpq would block every greenlet."""
    database = Database(database_url.replace("127.0.0.1", "localhost"))
    assert database.run(one, 10) == 1
    assert database.close()


def test_a_name_that_does_not_exist_is_unavailable() -> None:
    database = Database("postgresql://u:p@no-such-host.invalid/none")
    assert "within" not in unavailable(database, one, 10)[0]
    assert database.close()


def test_refused_is_told_at_once_with_the_cause() -> None:
    database = Database(REFUSING)
    reason, took_s = unavailable(database, one, 10)
    assert "refused" in reason
    assert took_s < SLACK_S
    assert not database.ping(2)
    assert database.counts().failures == 2
    assert database.close()


def test_a_slow_query_is_left_at_the_deadline_and_its_thread_is_free(narrow: Database) -> None:
    reason, took_s = unavailable(narrow, slowly, 0.3)
    assert "within 0.3 s" in reason
    assert took_s < 0.3 + SLACK_S
    assert narrow.run(without_database, 3) == "free"
    assert narrow.run(one, 3) == 1
    assert narrow.counts().timeouts == 1


def test_a_query_longer_than_the_servers_limit_is_ended_by_the_server(database_url: str, narrow: Database) -> None:
    def soon_too_long(session: Session) -> None:
        session.execute(text("SET LOCAL statement_timeout = '100ms'"))
        slowly(session)

    assert "statement timeout" in unavailable(narrow, soon_too_long, 3)[0]


def test_a_lock_held_by_another_is_not_waited_for_long(database_url: str, narrow: Database) -> None:
    holder = psycopg2.connect(database_url)
    try:
        holder.cursor().execute("LOCK TABLE calls")
        start = time.monotonic()
        reason, _ = unavailable(narrow, lambda s: s.execute(text("SELECT 1 FROM calls")).all(), 5)
        assert "lock timeout" in reason
        assert time.monotonic() - start < 3
    finally:
        holder.close()


def test_frozen_in_mid_query_keeps_the_deadline_and_frees_the_thread(database_url: str, narrow: Database) -> None:
    assert narrow.run(one, 10) == 1
    asked = threading.Event()

    def ask(session: Session) -> int:
        one(session)
        asked.set()
        assert go_on.wait(5)
        return one(session)

    go_on = threading.Event()
    told: list[tuple[str, float]] = []
    caller = threading.Thread(target=lambda: told.append(unavailable(narrow, ask, 2.0)))
    caller.start()
    assert asked.wait(10)
    with frozen(database_url):
        go_on.set()
        caller.join(10)
        assert told
        assert told[0][1] < 2.0 + SLACK_S
        assert narrow.run(without_database, 3) == "free"
    eventually(lambda: narrow.ping(3))


def test_frozen_at_the_pools_ping_frees_the_thread(database_url: str, narrow: Database) -> None:
    """The ping is asked before a job has a connection, so to speak; and after it, none is opened anew."""
    assert narrow.run(one, 10) == 1
    with frozen(database_url):
        assert unavailable(narrow, one, 0.3)[1] < 0.3 + SLACK_S
        assert narrow.run(without_database, 3) == "free"
    eventually(lambda: narrow.ping(3))


def test_frozen_while_connecting_frees_the_thread_soon(database_url: str, narrow: Database) -> None:
    with frozen(database_url):
        assert unavailable(narrow, one, 0.3)[1] < 0.3 + SLACK_S
        assert narrow.run(without_database, 3) == "free"
    eventually(lambda: narrow.ping(3))


def test_frozen_under_load_everyone_is_told_in_time_and_nothing_is_left_behind(
    database_url: str, database: Database
) -> None:
    for _ in range(2):
        assert database.ping(10)
    before = descriptors()
    told: list[float] = []
    with frozen(database_url):
        callers = [threading.Thread(target=lambda: told.append(unavailable(database, one, 0.5)[1])) for _ in range(20)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(15)
        assert len(told) == 20
        assert max(told) < 0.5 + 2 * SLACK_S
        assert database.counts().timeouts == 20
    eventually(lambda: database.ping(3))
    eventually(lambda: database.waiting() == 0)
    assert database.connections() <= 4
    # At most the connections that three more threads may have opened.
    eventually(lambda: descriptors() <= before + 3)


def test_the_queue_is_bounded(narrow: Database) -> None:
    release = threading.Event()
    callers = [
        threading.Thread(target=narrow.run, args=(lambda s: release.wait(15), 15), name=f"caller {n}") for n in range(4)
    ]
    callers[0].start()
    eventually(lambda: narrow.counts().jobs == 1 and narrow.waiting() == 0)
    for caller in callers[1:]:
        caller.start()
    eventually(lambda: narrow.waiting() == 3)
    reason, took_s = unavailable(narrow, one, 5)
    assert "3 database jobs are waiting" in reason
    assert took_s < SLACK_S
    release.set()
    for caller in callers:
        caller.join(15)
    assert narrow.counts().refused == 1


def test_a_job_left_in_the_queue_is_never_done(narrow: Database) -> None:
    release, done = threading.Event(), []
    caller = threading.Thread(target=narrow.run, args=(lambda s: release.wait(15), 15))
    caller.start()
    eventually(lambda: narrow.counts().jobs == 1 and narrow.waiting() == 0)
    unavailable(narrow, lambda s: done.append(1), 0.1)
    release.set()
    caller.join(15)
    assert narrow.run(without_database, 3) == "free"
    assert done == []


def test_a_restarted_server_is_met_without_an_error(database_url: str, narrow: Database) -> None:
    """Every backend ended at once, as in a failover: the pool's ping notices."""
    assert narrow.run(one, 10) == 1
    with psycopg2.connect(database_url) as other, other.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'media-ws-ai' AND datname = current_database()"
        )
        assert cursor.fetchone() == (1,)
    other.close()
    assert narrow.run(one, 10) == 1


def test_missing_tables_are_the_databases_fault_and_say_what_to_do(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    assert "db upgrade" in unavailable(database, lambda s: s.execute(text("SELECT 1 FROM calls")).all(), 2)[0]
    with pytest.raises(ProgrammingError):
        database.run(lambda s: s.execute(text("SELEC 1")).all(), 2)
    assert database.close()


def test_a_permission_that_is_missing_is_the_databases_fault(poor_url: str) -> None:
    database = Database(poor_url)
    reason, _ = unavailable(database, lambda s: s.execute(text("SELECT id FROM businesses")), 10)
    assert "permission" in reason
    assert database.ping(10)
    assert database.close()


def test_whatever_the_database_says_against_an_attempt_is_unavailability(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match="division by zero"):
        database.attempt(lambda s: s.execute(text("SELECT 1 / 0")), 10)
    with pytest.raises(ZeroDivisionError):
        database.attempt(lambda s: 1 / 0, 10)
    assert database.attempt(one, 10) == 1


def test_a_job_may_not_run_another(narrow: Database) -> None:
    with pytest.raises(ContractError):
        narrow.run(lambda s: narrow.run(one, 1), 2)


def test_a_thread_that_hangs_elsewhere_is_named_at_close(database_url: str) -> None:
    database = Database(database_url, threads=1)
    release = threading.Event()
    unavailable(database, lambda s: release.wait(10), 0.1)
    assert not database.close(0.2)
    release.set()
    assert database.close(2)


FORKING = """
import os, sys
from sqlalchemy import text
from media_ws_ai.store.database import Database

database = Database(sys.argv[1], threads=1)
pid = lambda session: session.execute(text("SELECT pg_backend_pid()")).scalar_one()
parent = database.run(pid, 5)
child = os.fork()
if child == 0:
    own = database.run(pid, 5)
    os._exit(0 if own != parent and database.connections() == 1 else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert database.run(pid, 5) == parent
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork_the_child_has_its_own_threads_and_connections(database_url: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORKING, database_url], cwd=ROOT, timeout=30, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_a_patched_process_without_psycogreen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if not monkey.is_module_patched("threading"):
        pytest.skip("plain threads need no patch")
    monkeypatch.setattr("psycopg2.extensions.get_wait_callback", lambda: None)
    with pytest.raises(ContractError, match="patch_psycopg"):
        Database(REFUSING).run(one, 1)
