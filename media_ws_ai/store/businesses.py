"""Who answers on which number: all businesses, kept in the process for a minute, and longer while the database is down.

Reads only; seed writes. Greeting, language and a polite decline must be known when nothing else works.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from media_ws_ai.clock import Deadline
from media_ws_ai.store.database import Database, DatabaseUnavailable
from media_ws_ai.store.models import BusinessRow
from media_ws_ai.store.seed_file import demo_businesses

logger = logging.getLogger(__name__)

TTL_S: Final = 60.0
MISS_TTL_S: Final = 2.0
"""An unknown number asks the database at most this often: a business just added is reachable after it."""

RETRY_S: Final = 5.0
"""After a failed refresh, what is stale is served this long without asking again."""

MAX_BUSINESSES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Business:
    """One business as a call needs it.

    id: 0 for the packaged demo, which has no row. language: two letters. response: settings of the model's answers,
    such as max_output_tokens and speed. opening_hours: `sun` … `sat` to lists of ("HH:MM", "HH:MM"), local time.
    """

    id: int
    name: str
    phone: str
    greeting: str
    prompt: str
    timezone: str = "Asia/Jerusalem"
    language: str = "he"
    voice: str = "marin"
    call_goal: str = "lead_only"
    enable_calendar_scheduling: bool = False
    auto_end_on_goodbye: bool = False
    response: Mapping[str, Any] = field(default_factory=dict)
    opening_hours: Mapping[str, Any] = field(default_factory=dict)
    forward_phone: str | None = None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    by_phone: Mapping[str, Business]
    by_id: Mapping[int, Business]
    loaded_at: float


class Businesses:
    """The cache of one worker."""

    def __init__(
        self, database: Database, ttl_s: float = TTL_S, monotonic_clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._ttl_s = ttl_s
        self._clock = monotonic_clock
        self._refreshing = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._failed_at = float("-inf")
        self._demo: Business | None = None

    def warm(self, deadline_s: float = 2.0) -> int:
        """Load all; how many there are. Raises: DatabaseUnavailable."""
        return len(self._load(deadline_s).by_phone)

    def by_phone(self, e164: str, deadline_s: float = 0.5) -> Business | None:
        """The business that is called by this number; None when there is none.

        Raises: DatabaseUnavailable when nothing was ever loaded. A refresh that fails is logged, and what is stale
        served.
        """
        deadline = Deadline(deadline_s)
        snapshot = self._fresh(deadline.left(), self._ttl_s)
        if e164 not in snapshot.by_phone:
            snapshot = self._fresh(deadline.left(), MISS_TTL_S)
        return snapshot.by_phone.get(e164)

    def by_id(self, business_id: int, deadline_s: float = 0.5) -> Business | None:
        """As `by_phone`, by our own number; 0 is the packaged demo."""
        if business_id == 0:
            return self._packaged_demo()
        deadline = Deadline(deadline_s)
        snapshot = self._fresh(deadline.left(), self._ttl_s)
        if business_id not in snapshot.by_id:
            snapshot = self._fresh(deadline.left(), MISS_TTL_S)
        return snapshot.by_id.get(business_id)

    def demo(self, deadline_s: float = 0.5) -> Business:
        """The demo business: its row when it was seeded, otherwise as packaged. Never fails."""
        packaged = self._packaged_demo()
        try:
            return self.by_phone(packaged.phone, deadline_s) or packaged
        except DatabaseUnavailable:
            return packaged

    def known(self) -> int:
        """Businesses in memory."""
        return 0 if self._snapshot is None else len(self._snapshot.by_phone)

    def _packaged_demo(self) -> Business:
        if self._demo is None:
            self._demo = Business(id=0, **demo_businesses()[0])
        return self._demo

    def _fresh(self, deadline_s: float, max_age_s: float) -> _Snapshot:
        """A snapshot no older than asked for, or the best there is."""
        snapshot = self._snapshot
        if snapshot is None:
            return self._first(deadline_s)
        now = self._clock()
        if now - snapshot.loaded_at <= max_age_s or now - self._failed_at <= RETRY_S:
            return snapshot
        # One refreshes; the others need not wait for it.
        if not self._refreshing.acquire(blocking=False):
            return snapshot
        try:
            return self._load(deadline_s)
        except DatabaseUnavailable as reason:
            self._failed_at = self._clock()
            logger.warning("businesses %.0f s old are served: %s", now - snapshot.loaded_at, reason)
            return snapshot
        finally:
            self._refreshing.release()

    def _first(self, deadline_s: float) -> _Snapshot:
        deadline = Deadline(deadline_s)
        if not self._refreshing.acquire(timeout=deadline_s):
            raise DatabaseUnavailable(f"the businesses were not loaded within {deadline_s:g} s")
        try:
            return self._snapshot or self._load(deadline.left())
        finally:
            self._refreshing.release()

    def _load(self, deadline_s: float) -> _Snapshot:
        businesses = self._database.attempt(_select_all, deadline_s)
        if len(businesses) == MAX_BUSINESSES:
            logger.warning("only the first %d businesses are known to this worker", MAX_BUSINESSES)
        snapshot = _Snapshot(
            by_phone={business.phone: business for business in businesses},
            by_id={business.id: business for business in businesses},
            loaded_at=self._clock(),
        )
        self._snapshot = snapshot
        return snapshot


def _select_all(session: Session) -> list[Business]:
    rows = session.execute(select(BusinessRow).order_by(BusinessRow.id).limit(MAX_BUSINESSES)).scalars()
    return [
        Business(
            id=row.id,
            name=row.name,
            phone=row.phone,
            greeting=row.greeting,
            prompt=row.prompt,
            timezone=row.timezone,
            language=row.language,
            voice=row.voice,
            call_goal=row.call_goal,
            enable_calendar_scheduling=row.enable_calendar_scheduling,
            auto_end_on_goodbye=row.auto_end_on_goodbye,
            response=row.response,
            opening_hours=row.opening_hours,
            forward_phone=row.forward_phone,
        )
        for row in rows
    ]
