"""What the recorder writes: rows of call_events, and functions of a session; a whole batch in its order.

Rows carry (writer, seq), so that a batch repeated after a commit whose answer was lost changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from media_ws_ai.store.payload import storable, storable_text
from media_ws_ai.store.recorder_queue import LEVELS, LINE, MOMENT, WORK

Kind: TypeAlias = Literal["caller_line", "agent_line", "moment", "levels"]
Work: TypeAlias = Callable[[Session], object]
_RANKS: Final = {"levels": LEVELS, "moment": MOMENT, "caller_line": LINE, "agent_line": LINE}

INSERT: Final = text(
    "INSERT INTO call_events (writer, seq, call_sid, attempt, offset_ms, kind, payload)"
    " SELECT CAST(:writer AS uuid), seq, call_sid, attempt, offset_ms, kind, COALESCE(payload, 'null')"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb))"
    " AS row(seq bigint, call_sid text, attempt integer, offset_ms integer, kind text, payload jsonb)"
    " ON CONFLICT DO NOTHING"
)
"""One parameter for the whole batch: a tenth of the processor time of a parameter per column, beside running calls."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a call, as `Recorder.put` takes it."""

    call_sid: str
    attempt: int
    offset_ms: int
    kind: str
    payload: object

    def as_row(self, seq: int) -> dict[str, Any]:
        return {
            "seq": seq,
            "call_sid": storable_text(self.call_sid),
            "attempt": self.attempt,
            "offset_ms": self.offset_ms,
            "kind": self.kind,
            "payload": storable(self.payload),
        }


Item: TypeAlias = "Event | Work"


def rank(item: Item) -> int:
    """How much it matters when the queue is full (see recorder_queue)."""
    return _RANKS.get(item.kind, LEVELS) if isinstance(item, Event) else WORK


def write_items(writer: str, batch: tuple[tuple[int, Item], ...], session: Session) -> None:
    """A batch in its order, neighbouring events in one statement."""
    for is_event, group in groupby(batch, key=lambda numbered: isinstance(numbered[1], Event)):
        if is_event:
            rows = [item.as_row(seq) for seq, item in group if isinstance(item, Event)]
            session.execute(INSERT, {"writer": writer, "rows": orjson.dumps(rows).decode()})
            continue
        for _, item in group:
            assert not isinstance(item, Event)
            item(session)
