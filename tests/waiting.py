"""Wait for a condition under a deadline, never for time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.005


def eventually(condition: Callable[[], T], within_s: float = 15.0) -> T:
    """Ask until the answer is true and return it; the deadline is for a machine that is busy with others.

    Raises: AssertionError at the deadline, with the last answer.
    """
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within_s} s: {condition!r}, last answer {answer!r}")
        time.sleep(POLL_S)
    return answer
