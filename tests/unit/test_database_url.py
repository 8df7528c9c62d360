"""Which database URLs are accepted, and that a refusal never shows a password."""

import traceback

import pytest

from scheduling.db import _resolved, make_engine, normalise_url

ACCEPTED = [
    ("postgres://u:p@h:5432/d", "postgresql+psycopg2://u:p@h:5432/d"),
    ("postgresql://u:p@h/d?sslmode=require", "postgresql+psycopg2://u:p@h/d?sslmode=require"),
    ("postgresql+psycopg2://u@h/d", "postgresql+psycopg2://u@h/d"),
    ("postgres://u:a%40b%2Fc@h/d", "postgresql+psycopg2://u:a%40b%2Fc@h/d"),
]
REFUSED = ["", "h/d", "mysql://u:sesame@h/d", "sqlite:///x", "postgres://u:sesame@h", "postgres://u:sesame@h:port/d"]


@pytest.mark.parametrize(("given", "expected"), ACCEPTED)
def test_accepted(given: str, expected: str) -> None:
    assert normalise_url(given) == expected
    assert normalise_url(expected) == expected


@pytest.mark.parametrize("given", REFUSED)
def test_refused_without_the_password(given: str) -> None:
    with pytest.raises(ValueError, match="database URL") as refusal:
        normalise_url(given)
    assert "sesame" not in "".join(traceback.format_exception(refusal.value))


def test_an_engine_connects_only_when_used() -> None:
    engine = make_engine("postgres://u:p@192.0.2.1/d", 3)
    assert engine.pool.status().startswith("Pool size: 3")
    engine.dispose()


def test_a_name_becomes_its_addresses_and_stays_the_name_that_certificates_are_checked_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [(10, 1, 6, "", ("::1", 0, 0, 0)), (2, 1, 6, "", ("127.0.0.1", 0)), (2, 1, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_keywords: found)
    assert _resolved({"host": "db", "port": 5432}) == {
        "host": "db,db",
        "hostaddr": "::1,127.0.0.1",
        "port": 5432,
    }
    for left_alone in [{}, {"host": "/run/postgresql"}, {"host": "a,b"}, {"host": "a", "hostaddr": "10.0.0.1"}]:
        assert _resolved(left_alone) is left_alone
