"""The cache of businesses: fresh for a minute, stale while the database is down."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest
from sqlalchemy.orm import Session

from media_ws_ai.clock import ManualClock
from media_ws_ai.store.businesses import Business, Businesses, _Snapshot
from media_ws_ai.store.database import Database, DatabaseUnavailable

T = TypeVar("T")
PHONE = "+97231111111"


def business(number: int = 1, greeting: str = "Hello.", phone: str = PHONE) -> Business:
    return Business(id=number, name="A", phone=phone, greeting=greeting, prompt="p")


class Scripted(Database):
    """Answers every query with `rows`; None is down."""

    def __init__(self) -> None:
        super().__init__("postgresql://127.0.0.1:1/none")
        self.rows: list[Business] | None = [business()]
        self.asked = 0

    def run(self, work: Callable[[Session], T], deadline_s: float) -> T:
        self.asked += 1
        if self.rows is None:
            raise DatabaseUnavailable("down")
        return cast(Any, list(self.rows))  # type: ignore[no-any-return]


@pytest.fixture
def database() -> Scripted:
    return Scripted()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def businesses(database: Scripted, clock: ManualClock) -> Businesses:
    return Businesses(database, monotonic_clock=clock.now)


def test_one_query_a_minute(businesses: Businesses, database: Scripted, clock: ManualClock) -> None:
    assert businesses.warm() == 1
    for _ in range(5):
        clock.advance(12)
        assert businesses.by_phone(PHONE) == business()
        assert businesses.by_id(1) == business()
    assert database.asked == 1
    database.rows = [business(greeting="New.")]
    clock.advance(1)
    found = businesses.by_phone(PHONE)
    assert found is not None
    assert found.greeting == "New."
    assert database.asked == 2


def test_a_new_business_is_seen_soon_and_an_unknown_number_asks_seldom(
    businesses: Businesses, database: Scripted, clock: ManualClock
) -> None:
    businesses.warm()
    for _ in range(50):
        assert businesses.by_phone("+97232222222") is None
    assert database.asked == 1
    database.rows = [business(), business(2, phone="+97232222222")]
    clock.advance(2.1)
    assert businesses.by_phone("+97232222222") == database.rows[1]
    assert database.asked == 2


def test_stale_is_served_while_down_and_asked_again_after_a_pause(
    businesses: Businesses, database: Scripted, clock: ManualClock
) -> None:
    businesses.warm()
    database.rows = None
    clock.advance(3600)
    for _ in range(10):
        assert businesses.by_phone(PHONE) == business()
        assert businesses.by_phone("+97232222222") is None
    assert database.asked == 2
    database.rows = [business(greeting="Back.")]
    clock.advance(5.1)
    found = businesses.by_phone(PHONE)
    assert found is not None
    assert found.greeting == "Back."


def test_nothing_known_is_said(businesses: Businesses, database: Scripted) -> None:
    database.rows = None
    with pytest.raises(DatabaseUnavailable):
        businesses.by_phone(PHONE)
    with pytest.raises(DatabaseUnavailable):
        businesses.warm()
    assert businesses.known() == 0


def test_the_demo_is_packaged_until_it_is_seeded(
    businesses: Businesses, database: Scripted, clock: ManualClock
) -> None:
    database.rows = None
    packaged = businesses.demo()
    assert packaged.id == 0
    assert packaged.language == "he"
    assert businesses.by_id(0) == packaged
    database.rows = [business(5, phone=packaged.phone)]
    clock.advance(10)
    assert businesses.demo().id == 5


def test_one_refreshes_and_the_others_do_not_wait(
    businesses: Businesses, database: Scripted, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    businesses.warm()
    clock.advance(61)
    asked, answer = threading.Event(), threading.Event()

    def slow(work: Callable[[Session], T], deadline_s: float) -> T:
        asked.set()
        assert answer.wait(5)
        return cast(Any, [business(greeting="New.")])  # type: ignore[no-any-return]

    monkeypatch.setattr(database, "run", slow)
    first = threading.Thread(target=businesses.by_phone, args=(PHONE,))
    first.start()
    assert asked.wait(5)
    assert businesses.by_phone(PHONE) == business()
    answer.set()
    first.join(15)
    found = businesses.by_phone(PHONE)
    assert found is not None
    assert found.greeting == "New."


class Slow(Scripted):
    """Takes all the time it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given_s: list[float] = []

    def run(self, work: Callable[[Session], T], deadline_s: float) -> T:
        self.given_s.append(deadline_s)
        threading.Event().wait(deadline_s)
        raise DatabaseUnavailable("no answer")


def test_one_deadline_over_both_looks_for_a_number(clock: ManualClock) -> None:
    database = Slow()
    businesses = Businesses(database, monotonic_clock=clock.now)
    businesses._snapshot = _Snapshot({}, {}, clock.now() - 3600)
    businesses._failed_at = float("-inf")
    clock_of_tries = iter(range(10_000, 20_000, 100))
    businesses._clock = lambda: float(next(clock_of_tries))  # each look comes after the pause of the last
    assert businesses.by_phone(PHONE, 0.2) is None
    assert businesses.by_id(7, 0.2) is None
    assert len(database.given_s) == 4
    assert sum(database.given_s) < 2 * 0.2 + 0.05
