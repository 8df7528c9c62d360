"""Which of two reports about a call's state counts. Pure; the SQL that asks is in calls."""

from typing import Final

FINAL_STATUSES: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


def takes_over(current: str | None, current_sequence: int | None, reported: str, reported_sequence: int | None) -> bool:
    """Whether a reported CallStatus replaces the current one.

    Callbacks overtake each other on their way: the higher SequenceNumber is the later one. A final state is never
    left, and is believed whatever its number: a call that is over does not begin again. Without a number (the voice
    webhook has none) a state only fills a gap.
    """
    if current in FINAL_STATUSES:
        return False
    if reported in FINAL_STATUSES or current is None:
        return True
    if reported_sequence is None:
        return False
    return current_sequence is None or reported_sequence > current_sequence
