"""Writes down what happens in calls, off their audio path: one thread, one ordered queue, batches.

    any thread ── put, submit ──▶ [deque, bounded; full: the oldest goes, counted] ──▶ Recorder ──▶ Database.run

A batch waits at most a second for company. While the database is down the batch is repeated, with growing pauses, and
the queue fills; nobody who puts waits. Rows carry (writer, seq), so that a batch repeated after a commit whose answer
was lost changes nothing. What the rows mean is the business of calls.
"""

import logging
import os
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

import orjson
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from media_ws_ai.store import calls
from media_ws_ai.store.database import Database, DatabaseUnavailable, first_line
from media_ws_ai.store.payload import storable, storable_text

logger = logging.getLogger(__name__)

QUEUED_ROWS: Final = 20_000
BATCH_ROWS: Final = 200
BATCH_WAIT_S: Final = 1.0
WRITE_DEADLINE_S: Final = 5.0
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 10.0
FLUSH_SHARE: Final = 0.75
"""Of the time for the end; the rest is the thread's, which may be in the middle of a try."""

Kind: TypeAlias = Literal["caller_line", "agent_line", "moment", "levels"]
Work: TypeAlias = Callable[[Session], object]

INSERT: Final = text(
    "INSERT INTO call_events (writer, seq, call_sid, attempt, offset_ms, kind, payload)"
    " SELECT CAST(:writer AS uuid), seq, call_sid, attempt, offset_ms, kind, COALESCE(payload, 'null')"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb))"
    " AS row(seq bigint, call_sid text, attempt integer, offset_ms integer, kind text, payload jsonb)"
    " ON CONFLICT DO NOTHING"
)
"""One parameter for the whole batch: a tenth of the processor time of a parameter per column, beside running calls."""


@dataclass(frozen=True, slots=True)
class _Event:
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


_Item: TypeAlias = "_Event | Work"


@dataclass(frozen=True, slots=True)
class RecorderCounts:
    """written: items in the database. dropped: lost to a full queue, or refused by the database one by one.

    failed_batches: attempts that failed. queued: waiting, the batch in hand included.
    """

    written: int
    dropped: int
    failed_batches: int
    queued: int


class Recorder:
    """One per process. Its thread, named `Recorder`, starts with the first item."""

    def __init__(self, database: Database, queued_rows: int = QUEUED_ROWS) -> None:
        self._database = database
        self._queued_rows = queued_rows
        self._reset()

    def put(self, call_sid: str, attempt: int, offset_ms: int, kind: Kind, payload: object) -> None:
        """Note an event of a call. Never waits, never raises; the payload must not be changed afterwards.

        Args:
            offset_ms: since the stream of this attempt started.
            payload: anything; a line is its text or {"text": …, …}.
        """
        self._add(_Event(call_sid, attempt, offset_ms, kind, payload))

    def submit(self, work: Work) -> None:
        """Queue a function of a session behind the events before it. It must bear being run again."""
        self._add(work)

    def finish(
        self,
        *,
        call_sid: str,
        attempt: int,
        end_reason: str,
        metrics: Mapping[str, object],
        tokens: Mapping[str, int],
        at: datetime,
    ) -> None:
        """Queue the end of a stream, behind its events (see calls.finish)."""
        self.submit(
            partial(
                calls.finish,
                call_sid=call_sid,
                attempt=attempt,
                end_reason=end_reason,
                metrics=metrics,
                tokens=tokens,
                at=at,
            )
        )

    def counts(self) -> RecorderCounts:
        with self._changed:
            return RecorderCounts(
                self._written, self._dropped, self._failed_batches, len(self._items) + len(self._in_hand)
            )

    def flush(self, deadline_s: float) -> bool:
        """Wait until what is queued now is written, or lost; False when it is neither by the deadline."""
        end = time.monotonic() + deadline_s
        with self._changed:
            target = self._flush_to = self._added
            self._changed.notify_all()
            while self._oldest() <= target and self._pid == os.getpid():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def close(self, deadline_s: float) -> bool:
        """Flush, then end the thread; False when something stayed unwritten or the thread lives on."""
        end = time.monotonic() + deadline_s
        is_flushed = self.flush(deadline_s * FLUSH_SHARE)
        if not is_flushed:
            logger.warning("%d items of the recorder stay unwritten", self.counts().queued)
        with self._changed:
            self._is_closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and self._pid == os.getpid():
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                logger.warning("the recorder's thread did not end within %g s", deadline_s)
                return False
        return is_flushed

    def _reset(self) -> None:
        """A fresh state; also after a fork, where the items are the parent's to write."""
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._items: deque[tuple[int, _Item]] = deque()
        self._thread: threading.Thread | None = None
        self._writer = str(uuid.uuid4())
        self._is_closed = False
        self._in_hand: list[tuple[int, _Item]] = []
        self._added = 0
        self._written = 0
        self._dropped = 0
        self._failed_batches = 0
        self._flush_to = 0

    def _oldest(self) -> int:
        """Number of the oldest item that is neither written nor lost."""
        if self._in_hand:
            return self._in_hand[0][0]
        return self._items[0][0] if self._items else self._added + 1

    def _add(self, item: _Item) -> None:
        if self._pid != os.getpid():
            self._reset()
        with self._changed:
            self._added += 1
            if self._is_closed:
                self._dropped += 1
                return
            if len(self._items) >= self._queued_rows:
                self._items.popleft()
                self._dropped += 1
            self._items.append((self._added, item))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="Recorder", daemon=True)
                self._thread.start()
            if len(self._items) in (1, BATCH_ROWS):
                self._changed.notify_all()

    def _run(self) -> None:
        pause_s = 0.0
        while self._has_batch():
            while not self._write(self._in_hand):
                pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, pause_s * 2))
                if not self._paused(pause_s * random.uniform(0.75, 1.25)):
                    return
            pause_s = 0.0

    def _has_batch(self) -> bool:
        """Wait for items, then for company, and take them in hand; False when the recorder is closed and empty."""
        with self._changed:
            while not self._items and not self._is_closed:
                self._changed.wait()
            end = time.monotonic() + BATCH_WAIT_S
            while len(self._items) < BATCH_ROWS and not self._is_urgent():
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            self._in_hand = [self._items.popleft() for _ in range(min(BATCH_ROWS, len(self._items)))]
            return bool(self._in_hand)

    def _is_urgent(self) -> bool:
        return self._is_closed or self._oldest() <= self._flush_to

    def _paused(self, pause_s: float) -> bool:
        """Wait before the next try, briefly while somebody flushes; False when the recorder was closed meanwhile."""
        start = time.monotonic()
        with self._changed:
            while not self._is_closed:
                left = start + (FIRST_PAUSE_S if self._is_urgent() else pause_s) - time.monotonic()
                if left <= 0:
                    return True
                self._changed.wait(left)
            return False

    def _write(self, batch: list[tuple[int, _Item]]) -> bool:
        """Write the oldest of those in hand; False when the database is down. What it refuses goes one by one."""
        try:
            self._database.run(partial(_write_items, self._writer, tuple(batch)), WRITE_DEADLINE_S)
        except DatabaseUnavailable as reason:
            self._settle(failed_batches=1)
            logger.warning("%d items of the recorder wait: %s", len(batch), reason)
            return False
        except Exception as error:
            # Anything else is about what is in the batch: one item must not cost the others. PostgreSQL's complaints
            # quote the row, and with it what somebody said: only their first line is logged.
            is_sql = isinstance(error, SQLAlchemyError)
            self._settle(failed_batches=1)
            if len(batch) == 1:
                logger.error("an item of the recorder is dropped: %s", first_line(error), exc_info=not is_sql)
                self._settle(dropped=1)
                return True
            logger.warning("%d items are refused together, tried one by one: %s", len(batch), first_line(error))
            while self._in_hand:
                if not self._write(self._in_hand[:1]):
                    return False
            return True
        self._settle(written=len(batch))
        return True

    def _settle(self, written: int = 0, dropped: int = 0, failed_batches: int = 0) -> None:
        with self._changed:
            self._written += written
            self._dropped += dropped
            self._failed_batches += failed_batches
            del self._in_hand[: written + dropped]
            self._changed.notify_all()


def _write_items(writer: str, batch: tuple[tuple[int, _Item], ...], session: Session) -> None:
    """A batch in its order, neighbouring events in one statement."""
    for is_event, group in groupby(batch, key=lambda numbered: isinstance(numbered[1], _Event)):
        if is_event:
            rows = [item.as_row(seq) for seq, item in group if isinstance(item, _Event)]
            session.execute(INSERT, {"writer": writer, "rows": orjson.dumps(rows).decode()})
            continue
        for _, item in group:
            assert not isinstance(item, _Event)
            item(session)
