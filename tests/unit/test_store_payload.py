"""Whatever a caller or a model says can be stored."""

import math
from datetime import UTC, datetime

import pytest

from media_ws_ai.store.payload import MAX_TEXT_CHARS, storable, storable_text

CASES = [
    ("שלום", "שלום"),
    ("a\x00b", "ab"),
    ("lone \ud800", "lone ?"),
    (math.nan, None),
    (-math.inf, None),
    (1.5, 1.5),
    (True, True),
    (None, None),
    ({1: {"x\x00": (1, 2)}}, {"1": {"x": [1, 2]}}),
    (b"\xff", "b'\\xff'"),
    (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
]


@pytest.mark.parametrize(("given", "expected"), CASES)
def test_storable(given: object, expected: object) -> None:
    assert storable(given) == expected


def test_long_text_is_cut() -> None:
    assert len(storable_text("x" * (MAX_TEXT_CHARS + 5))) == MAX_TEXT_CHARS


def test_depth_is_bounded() -> None:
    nested: list[object] = []
    nested.append(nested)
    assert isinstance(storable(nested), list)
