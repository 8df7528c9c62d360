"""What happened in one session, for `GET /control/log`: bounded, audio as counts, times of the monotonic clock.

Times are seconds of CLOCK_MONOTONIC, which all processes of one machine share, so that the carrier's stopwatch
and this log can be laid side by side.
"""

import time
from collections import deque
from typing import Any, Final

MAX_ENTRIES: Final = 5000
MAX_TEXT: Final = 20_000
"""Longer strings of a client event are cut in the log."""

now = time.monotonic


class Track:
    """Events of one direction, in order. Events of the same audio kind in a row are one entry with a count."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=MAX_ENTRIES)
        self.count = 0

    def add(self, entry: dict[str, Any]) -> None:
        self.count += 1
        self._entries.append({"at_s": now(), **entry})

    def add_audio(self, kind: str, size: int, item_id: str | None = None) -> None:
        """One audio event of `size` decoded bytes."""
        at = now()
        last = self._entries[-1] if self._entries else None
        if last is not None and last["type"] == kind and last.get("item_id") == item_id:
            last["max_gap_ms"] = max(last["max_gap_ms"], round((at - last["until_s"]) * 1000, 1))
            last["until_s"] = at
            last["count"] += 1
            last["bytes"] += size
            return
        entry = {"type": kind, "until_s": at, "count": 1, "bytes": size, "max_gap_ms": 0.0}
        self.add({**entry, "item_id": item_id} if item_id else entry)

    def report(self) -> list[dict[str, Any]]:
        return list(self._entries)


class Journal:
    """One session's record."""

    def __init__(self, number: int, model: str, headers: dict[str, str]) -> None:
        self.number = number
        self.model = model
        self.headers = headers
        self.opened_at_s = now()
        self.closed_at_s: float | None = None
        self.ended: dict[str, Any] | None = None
        self.client = Track()
        self.server = Track()
        self.appends = 0
        self.append_bytes = 0
        self.utterances: deque[Any] = deque(maxlen=MAX_ENTRIES)
        self.responses: deque[dict[str, Any]] = deque(maxlen=MAX_ENTRIES)
        self.errors: deque[dict[str, Any]] = deque(maxlen=MAX_ENTRIES)
        self.schema_errors: deque[str] = deque(maxlen=MAX_ENTRIES)

    @staticmethod
    def now() -> float:
        """The log's clock [s]."""
        return now()

    def end(self, by: str, code: int | None, reason: str = "") -> None:
        """The first end counts. `by`: client, server, drop."""
        if self.ended is None:
            self.ended = {"by": by, "code": code, "reason": reason}
            self.closed_at_s = now()

    def report(self, session: dict[str, Any], items: list[Any], unanswered: list[str]) -> dict[str, Any]:
        """The session as JSON; see README.md."""
        return {
            "session": self.number,
            "model": self.model,
            "headers": self.headers,
            "opened_at_s": self.opened_at_s,
            "closed_at_s": self.closed_at_s,
            "ended": self.ended,
            "audio": {"appends": self.appends, "bytes": self.append_bytes},
            "config": session,
            "client": self.client.report(),
            "server": self.server.report(),
            "not_logged": max(0, self.client.count - MAX_ENTRIES) + max(0, self.server.count - MAX_ENTRIES),
            "utterances": [entry() for entry in self.utterances],
            "responses": list(self.responses),
            "errors": list(self.errors),
            "schema_errors": list(self.schema_errors),
            "items": items,
            "unanswered_calls": unanswered,
        }


def elided(value: Any) -> Any:
    """A client event without audio and with long strings cut."""
    if isinstance(value, dict):
        return {key: f"<{len(item)} characters>" if key == "audio" and isinstance(item, str) else elided(item)
                for key, item in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [elided(item) for item in value]
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[:MAX_TEXT]}… ({len(value)} characters)"
    return value
