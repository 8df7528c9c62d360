"""Writes down what happens in calls, off their audio path: one thread, one ordered queue, batches.

    any thread ── put, submit ──▶ [RecorderQueue; full: the least goes, counted] ──▶ Recorder ──▶ Database.run

A batch waits at most a second for company. While the database is down the batch is repeated, with growing pauses, and
the queue fills; nobody who puts waits. Rows carry (writer, seq), so that a batch repeated after a commit whose answer
was lost changes nothing. That the database went, came back, and what was lost meanwhile is told once each. What the
rows mean is the business of calls.
"""

import logging
import os
import random
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from media_ws_ai import markers
from media_ws_ai.logs import NO_CALL
from media_ws_ai.store import calls
from media_ws_ai.store.database import Database, DatabaseUnavailable, first_line
from media_ws_ai.store.recorder_queue import RecorderQueue
from media_ws_ai.store.recorder_rows import Event, Item, Kind, Work, rank, write_items

logger = logging.getLogger(__name__)

QUEUED_ROWS: Final = 20_000
BATCH_ROWS: Final = 200
BATCH_WAIT_S: Final = 1.0
WRITE_DEADLINE_S: Final = 5.0
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 10.0
FLUSH_SHARE: Final = 0.75
"""Of the time for the end; the rest is the thread's, which may be in the middle of a try."""


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
        self._add(Event(call_sid, attempt, offset_ms, kind, payload))

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
            return RecorderCounts(self._written, self._dropped, self._failed_batches, self._unwritten())

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
        with self._changed:
            lost = self._lost + self._unwritten() - self._lost_told
            self._lost_told += lost
        if lost:
            NO_CALL.write(markers.db_events_lost(lost=lost))
        if thread is not None and thread.is_alive() and self._pid == os.getpid():
            logger.warning("the recorder's thread did not end within %g s", deadline_s)
            return False
        return is_flushed

    def _reset(self) -> None:
        """A fresh state; also after a fork, where the items are the parent's to write."""
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._items: RecorderQueue[Item] = RecorderQueue(self._queued_rows)
        self._thread: threading.Thread | None = None
        self._writer = str(uuid.uuid4())
        self._is_closed = False
        self._in_hand: list[tuple[int, Item]] = []
        self._added = 0
        self._written = 0
        self._dropped = 0
        self._failed_batches = 0
        self._flush_to = 0
        self._lost: int = 0
        self._lost_told: int = 0
        self._down_since: float | None = None

    def _unwritten(self) -> int:
        return len(self._items) + len(self._in_hand)

    def _oldest(self) -> int:
        """Number of the oldest item that is neither written nor lost."""
        if self._in_hand:
            return self._in_hand[0][0]
        waiting = self._items.oldest()
        return self._added + 1 if waiting is None else waiting

    def _add(self, item: Item) -> None:
        if self._pid != os.getpid():
            self._reset()
        with self._changed:
            self._added += 1
            if self._is_closed:
                self._dropped += 1
                return
            if self._items.add(self._added, rank(item), item):
                self._dropped += 1
                self._lost += 1
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
            self._in_hand = self._items.take(BATCH_ROWS)
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

    def _write(self, batch: list[tuple[int, Item]]) -> bool:
        """Write the oldest of those in hand; False when the database is down. What it refuses goes one by one."""
        began = time.monotonic()
        try:
            self._database.run(partial(write_items, self._writer, tuple(batch)), WRITE_DEADLINE_S)
        except DatabaseUnavailable as reason:
            self._settle(failed_batches=1)
            logger.info("%d items of the recorder wait: %s", len(batch), reason)
            self._went(began, reason)
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
        self._answered()
        return True

    def _went(self, began: float, reason: DatabaseUnavailable) -> None:
        """Told at the first of the tries that fail; on the recorder's thread alone, as `_answered`."""
        if self._down_since is None:
            self._down_since = began
            took_ms = round((time.monotonic() - began) * 1000)
            NO_CALL.write(markers.db_unavailable(operation="record", took_ms=took_ms, reason=str(reason)))

    def _answered(self) -> None:
        """Told after the tries that failed; what was lost, as soon as there is room again."""
        if self._down_since is not None:
            NO_CALL.write(markers.db_back(down_s=time.monotonic() - self._down_since))
            self._down_since = None
        with self._changed:
            lost = self._lost - self._lost_told if len(self._items) <= self._queued_rows // 2 else 0
            self._lost_told += lost
        if lost:
            NO_CALL.write(markers.db_events_lost(lost=lost))

    def _settle(self, written: int = 0, dropped: int = 0, failed_batches: int = 0) -> None:
        with self._changed:
            self._written += written
            self._dropped += dropped
            self._failed_batches += failed_batches
            del self._in_hand[: written + dropped]
            self._changed.notify_all()
