"""Stream tokens over a real PostgreSQL: one use whoever asks, one token whichever worker answers."""

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from media_ws_ai.bench.freezing import frozen
from media_ws_ai.store.database import Database
from media_ws_ai.store.tokens import Claim, Refused, StreamTokens

SID = "CA" + "b" * 32


class Worker:
    """One process's worth of it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.tokens = StreamTokens(self.database, "secret")

    def issue(self, key: str = "k", attempt: int = 1, deadline_s: float = 10.0) -> str:
        return self.tokens.issue(
            call_sid=SID,
            idempotency_key=key,
            attempt=attempt,
            business_id=3,
            to="+97248000000",
            caller="anonymous",
            deadline_s=deadline_s,
        )


@pytest.fixture
def workers(database_url: str) -> Iterator[list[Worker]]:
    workers = [Worker(database_url) for _ in range(3)]
    yield workers
    for worker in workers:
        assert worker.database.close()


def at_once(*works: object) -> None:
    threads = [threading.Thread(target=work) for work in works]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)


def test_of_20_at_once_one_gets_the_claim(workers: list[Worker]) -> None:
    token = workers[0].issue()
    verdicts: list[Claim | Refused] = []
    at_once(*[lambda w=workers[n % 3]: verdicts.append(w.tokens.consume(token, SID, deadline_s=10)) for n in range(20)])
    claims = [verdict for verdict in verdicts if isinstance(verdict, Claim)]
    assert claims == [Claim(SID, 3, 1, "+97248000000", "anonymous", "database")]
    assert [v for v in verdicts if isinstance(v, Refused)] == [Refused("used")] * 19


def test_workers_that_answer_the_same_webhook_give_the_same_token(workers: list[Worker]) -> None:
    told: list[str] = []
    at_once(*[lambda w=worker: told.append(w.issue()) for worker in workers])
    assert len(told) == 3
    assert len(set(told)) == 1
    assert workers[0].issue() == told[0]
    assert workers[1].issue(attempt=2) != told[0]


def test_an_expired_reservation_is_renewed(workers: list[Worker]) -> None:
    first, second = workers[:2]
    old = first.issue()
    second.tokens._wall_clock = lambda: time.time() + 120
    new = second.issue()
    assert new != old
    assert second.tokens.consume(old, SID) == Refused("expired")
    assert isinstance(second.tokens.consume(new, SID), Claim)
    # A clock that lags would take it for valid; the database knows better.
    assert first.tokens.consume(old, SID) == Refused("used")


def test_frozen_database_costs_the_deadline_and_no_call(workers: list[Worker], database_url: str) -> None:
    first, second = workers[:2]
    kept = first.issue("before")
    for worker in workers:
        assert worker.database.ping(10)
    with frozen(database_url):
        start = time.monotonic()
        token = first.issue("during", deadline_s=0.3)
        assert time.monotonic() - start < 3, "the deadline, not that of TCP"
        assert first.issue("during", deadline_s=0.3) == token
        assert first.issue("before", deadline_s=0.3) == kept
        verdict = first.tokens.consume(kept, SID, deadline_s=0.3)
        assert isinstance(verdict, Claim)
        assert verdict.checked == "memory"
        assert first.tokens.consume(kept, SID, deadline_s=0.3) == Refused("used")
    # Issued without the database, used with it: everywhere just once.
    verdict = second.tokens.consume(token, SID, deadline_s=10)
    assert isinstance(verdict, Claim)
    assert verdict.checked == "database"
    assert first.tokens.consume(token, SID, deadline_s=10) == Refused("used")
    assert workers[2].tokens.consume(token, SID, deadline_s=10) == Refused("used")


def test_a_database_that_refuses_costs_no_call(poor_url: str) -> None:
    worker = Worker(poor_url)
    verdict = worker.tokens.consume(worker.issue(), SID, deadline_s=10)
    assert isinstance(verdict, Claim)
    assert verdict.checked == "memory"
    assert worker.database.close()


def test_old_rows_are_pruned(workers: list[Worker]) -> None:
    worker = workers[0]
    worker.issue("kept")
    worker.database.run(
        lambda s: s.execute(
            text(
                "INSERT INTO stream_tokens (nonce, call_sid, idempotency_key, attempt, expires_at)"
                " SELECT 'n' || n, 'CA', 'k' || n, 1, now() - interval '2 days' FROM generate_series(1, 7) AS n"
            )
        ),
        2,
    )
    assert worker.tokens.prune() == 7
    assert worker.tokens.prune() == 0
