"""Which CallStatus counts: ordered by SequenceNumber, never out of a final state."""

import pytest

from media_ws_ai.store.status import FINAL_STATUSES, takes_over

CASES = [
    # current, its number, reported, its number, takes over
    (None, None, "ringing", None, True),
    (None, None, "ringing", 0, True),
    (None, None, "completed", 3, True),
    ("ringing", 0, "in-progress", 1, True),
    ("in-progress", 1, "ringing", 0, False),
    ("in-progress", 1, "in-progress", 1, False),
    ("ringing", None, "in-progress", 1, True),
    ("ringing", None, "ringing", None, False),
    ("in-progress", 1, "ringing", None, False),
    ("in-progress", 1, "completed", 2, True),
    ("in-progress", 5, "completed", 2, True),
    ("in-progress", 5, "completed", None, True),
    ("completed", 2, "in-progress", 9, False),
    ("completed", 2, "completed", 9, False),
    ("completed", None, "failed", 9, False),
    ("busy", 1, "completed", 2, False),
]


@pytest.mark.parametrize(("current", "current_number", "reported", "number", "expected"), CASES)
def test_takes_over(
    current: str | None, current_number: int | None, reported: str, number: int | None, expected: bool
) -> None:
    assert takes_over(current, current_number, reported, number) is expected


def test_final_statuses_are_the_carriers() -> None:
    assert {"completed", "busy", "failed", "no-answer", "canceled"} == FINAL_STATUSES
