"""Stream tokens while the database is down: signature, expiry, one use in this process."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy.orm import Session

from media_ws_ai.store import tokens as rooms
from media_ws_ai.store.database import Database, DatabaseUnavailable
from media_ws_ai.store.tokens import Claim, Refused, StreamTokens

T = TypeVar("T")
CALL_SID = "CA" + "0" * 32


class Down(Database):
    """A database that is never there."""

    def __init__(self) -> None:
        super().__init__("postgresql://127.0.0.1:1/none")

    def run(self, work: Callable[[Session], T], deadline_s: float) -> T:
        raise DatabaseUnavailable("down")


class WallClock:
    def __init__(self) -> None:
        self.at = 1_800_000_000.25

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def tokens(clock: WallClock) -> StreamTokens:
    return StreamTokens(Down(), "secret", wall_clock=clock)


def issue(
    tokens: StreamTokens,
    key: str = "key",
    attempt: int = 1,
    to: str = "+97248000000",
    caller: str = "+972501234567",
) -> str:
    return tokens.issue(call_sid=CALL_SID, idempotency_key=key, attempt=attempt, business_id=7, to=to, caller=caller)


def test_a_token_carries_the_call_and_is_good_once(tokens: StreamTokens) -> None:
    token = issue(tokens, attempt=2)
    assert tokens.consume(token, CALL_SID) == Claim(CALL_SID, 7, 2, "+97248000000", "+972501234567", "memory")
    assert tokens.consume(token, CALL_SID) == Refused("used")


def test_a_repeated_webhook_gets_the_same_token_until_it_expires(tokens: StreamTokens, clock: WallClock) -> None:
    token = issue(tokens)
    assert issue(tokens) == token
    assert issue(tokens, key="other") != token
    assert issue(tokens, attempt=2) != token
    clock.at += 61
    fresh = issue(tokens)
    assert fresh != token
    assert isinstance(tokens.consume(fresh, CALL_SID), Claim)


def test_refusals(tokens: StreamTokens, clock: WallClock) -> None:
    token = issue(tokens)
    body, _, signature = token.rpartition(".")
    foreign = issue(StreamTokens(Down(), "another secret", wall_clock=clock))
    for bad, reason in [
        ("", "malformed"),
        ("x" * 500, "malformed"),
        ("\u05d0.x", "malformed"),
        ("no point", "malformed"),
        (f"{body}.{signature[:-2]}", "signature"),
        (f"{body[:-2]}.{signature}", "signature"),
        (foreign, "signature"),
    ]:
        assert tokens.consume(bad, CALL_SID) == Refused(reason)  # type: ignore[arg-type]
    assert tokens.consume(token, "CA" + "1" * 32) == Refused("call_sid")
    clock.at += 60
    assert tokens.consume(token, CALL_SID) == Refused("expired")
    clock.at -= 1
    assert isinstance(tokens.consume(token, CALL_SID), Claim)


def test_what_we_signed_in_another_shape_is_refused(tokens: StreamTokens) -> None:
    signed = tokens._serializer.dumps({"call_sid": CALL_SID})
    assert tokens.consume(str(signed), CALL_SID) == Refused("malformed")


def test_the_longest_token_fits_a_parameter(tokens: StreamTokens) -> None:
    token = issue(tokens, to="sip:" + "ש" * 300, caller="sip:" + "x" * 300)
    assert len(token) < 400
    assert isinstance(tokens.consume(token, CALL_SID), Claim)


def test_memory_is_bounded(tokens: StreamTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "REMEMBERED", 3)
    for number in range(10):
        tokens.consume(issue(tokens, key=str(number)), CALL_SID)
    assert len(tokens._issued) == len(tokens._used) == 3
