"""One-time tokens that bind a media stream to the call it was opened for.

The voice webhook issues one into a `<Parameter>`; the stream's `start` consumes it. The database makes the single use
true across workers; while it is down, the signature, the expiry and a set of used nonces in this process must do.
A refusal is a value with its reason.
"""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, TypeVar

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from media_ws_ai.store.database import Database, DatabaseUnavailable
from media_ws_ai.store.models import StreamTokenRow

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger(__name__)

SALT: Final = "media-ws-ai stream token 1"
MAX_TOKEN_CHARS: Final = 400
MAX_PARTY_BYTES: Final = 48
"""A phone number has 16; a longer SIP address is cut in the token (whole in the call's row)."""

REMEMBERED: Final = 10_000
"""Tokens remembered in this process: at 60 s each, 166 new calls a second."""

PRUNE_AFTER_S: Final = 86_400
PRUNE_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A token that was good: what the stream may do. checked: who made sure that it was the first use."""

    call_sid: str
    business_id: int
    attempt: int
    to: str
    caller: str
    checked: Literal["database", "memory"]


Reason: TypeAlias = Literal["malformed", "signature", "expired", "call_sid", "used"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A token that was not, and why."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class _Payload:
    """What is signed, in this order. has_row: 1 when the database knows the nonce."""

    call_sid: str
    nonce: str
    expires: int
    attempt: int
    business_id: int
    to: str
    caller: str
    has_row: int


class StreamTokens:
    """Issues and consumes; one per process."""

    def __init__(
        self, database: Database, secret_key: str, ttl_s: float = 60.0, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """wall_clock: Unix time [s]."""
        self._database = database
        self._serializer = URLSafeSerializer(secret_key, salt=SALT)
        self._ttl_s = ttl_s
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._issued: OrderedDict[tuple[str, str, int], tuple[str, int]] = OrderedDict()
        self._used: OrderedDict[str, int] = OrderedDict()

    def issue(
        self,
        *,
        call_sid: str,
        idempotency_key: str,
        attempt: int,
        business_id: int,
        to: str,
        caller: str,
        deadline_s: float = 0.3,
    ) -> str:
        """A token, shorter than 400 characters (with a call_sid of up to 64); a database that is down is no error.

        The same call, idempotency key and attempt get the same token for as long as it is valid: in every worker, or
        in this process only while the database is down.
        """
        now = int(self._wall_clock())
        key = (call_sid, idempotency_key, attempt)
        with self._lock:
            token, expires = self._issued.get(key, ("", 0))
        if expires > now:
            return token
        nonce, expires, has_row = secrets.token_urlsafe(12), now + int(self._ttl_s), 1
        try:
            nonce, expires = self._database.attempt(
                lambda session: _reserve(session, key, nonce, expires, now), deadline_s
            )
        except DatabaseUnavailable as reason:
            has_row = 0
            logger.warning("a stream token is issued without the database: %s", reason)
        token = self._signed(_Payload(call_sid, nonce, expires, attempt, business_id, _cut(to), _cut(caller), has_row))
        with self._lock:
            # Two webhooks at once while the database is down: the first one's token is everybody's.
            kept = self._issued.get(key, ("", 0))
            if kept[1] > now:
                return kept[0]
            _remember(self._issued, key, (token, expires))
        return token

    def consume(self, token: str, call_sid: str, now: float | None = None, deadline_s: float = 1.0) -> Claim | Refused:
        """Judge a token and use it up.

        Args:
            token: as the carrier brought it back; anything at all.
            call_sid: of the stream that brings it.
            now: Unix time [s]; the clock's when not given.
        """
        now = self._wall_clock() if now is None else now
        payload = self._read(token)
        if isinstance(payload, Refused):
            return payload
        if payload.expires <= now:
            return Refused("expired")
        if payload.call_sid != call_sid:
            return Refused("call_sid")
        with self._lock:
            # First of all, so that a second use in this process never reaches the database.
            if payload.nonce in self._used:
                return Refused("used")
            _remember(self._used, payload.nonce, payload.expires)
        checked: Literal["database", "memory"] = "database"
        try:
            is_first = self._database.attempt(lambda session: _use(session, payload, now), deadline_s)
        except DatabaseUnavailable as reason:
            logger.warning("a stream token is checked without the database: %s", reason)
            is_first, checked = True, "memory"
        if not is_first:
            return Refused("used")
        return Claim(call_sid, payload.business_id, payload.attempt, payload.to, payload.caller, checked)

    def prune(self, deadline_s: float = 1.0) -> int:
        """Delete a portion of the rows that expired a day ago; how many. Raises: DatabaseUnavailable."""
        before = _moment(self._wall_clock() - PRUNE_AFTER_S)
        return self._database.attempt(lambda session: _delete_expired(session, before), deadline_s)

    def _signed(self, payload: _Payload) -> str:
        token = self._serializer.dumps(
            [
                payload.call_sid,
                payload.nonce,
                payload.expires,
                payload.attempt,
                payload.business_id,
                payload.to,
                payload.caller,
                payload.has_row,
            ]
        )
        return token if isinstance(token, str) else token.decode("ascii")

    def _read(self, token: str) -> _Payload | Refused:
        if len(token) > MAX_TOKEN_CHARS or not token.isascii() or "." not in token:
            return Refused("malformed")
        try:
            fields = self._serializer.loads(token)
        except BadSignature:
            return Refused("signature")
        # Signed by us, so its shape is ours: of this version or, during a release, of another one.
        if not isinstance(fields, list) or [type(field) for field in fields] != [
            str,
            str,
            int,
            int,
            int,
            str,
            str,
            int,
        ]:
            return Refused("malformed")
        return _Payload(*fields)


def _reserve(session: Session, key: tuple[str, str, int], nonce: str, expires: int, now: int) -> tuple[str, int]:
    """The nonce and expiry that count for this key: ours, or those of the worker that was first."""
    call_sid, idempotency_key, attempt = key
    row = insert(StreamTokenRow).values(
        nonce=nonce, call_sid=call_sid, idempotency_key=idempotency_key, attempt=attempt, expires_at=_moment(expires)
    )
    columns = (StreamTokenRow.nonce, StreamTokenRow.expires_at)
    mine = session.execute(
        row.on_conflict_do_update(
            index_elements=["call_sid", "idempotency_key", "attempt"],
            set_={"nonce": row.excluded.nonce, "expires_at": row.excluded.expires_at, "used_at": None},
            # Only over one that can no longer be used.
            where=StreamTokenRow.expires_at <= _moment(now),
        ).returning(*columns)
    ).one_or_none()
    winner = (
        mine
        or session.execute(
            select(*columns).where(
                StreamTokenRow.call_sid == call_sid,
                StreamTokenRow.idempotency_key == idempotency_key,
                StreamTokenRow.attempt == attempt,
            )
        ).one()
    )
    return winner.nonce, int(winner.expires_at.timestamp())


def _use(session: Session, payload: _Payload, now: float) -> bool:
    """Mark as used; False when it was."""
    if payload.has_row:
        found = session.execute(
            update(StreamTokenRow)
            .where(StreamTokenRow.nonce == payload.nonce, StreamTokenRow.used_at.is_(None))
            .values(used_at=_moment(now))
            .returning(StreamTokenRow.call_sid)
        ).scalar_one_or_none()
        return found == payload.call_sid
    # Issued while the database was down: the row is made at its use, which makes that use the only one everywhere. A
    # row of this nonce may exist all the same, when only the answer to the insert was lost.
    row = insert(StreamTokenRow).values(
        nonce=payload.nonce,
        call_sid=payload.call_sid,
        idempotency_key=f"without-database:{payload.nonce}",
        attempt=payload.attempt,
        expires_at=_moment(payload.expires),
        used_at=_moment(now),
    )
    found = session.execute(
        row.on_conflict_do_update(
            index_elements=["nonce"], set_={"used_at": row.excluded.used_at}, where=StreamTokenRow.used_at.is_(None)
        ).returning(StreamTokenRow.call_sid)
    ).scalar_one_or_none()
    return found == payload.call_sid


def _delete_expired(session: Session, before: datetime) -> int:
    oldest = select(StreamTokenRow.nonce).where(StreamTokenRow.expires_at < before).limit(PRUNE_ROWS)
    gone = session.execute(
        delete(StreamTokenRow).where(StreamTokenRow.nonce.in_(oldest)).returning(StreamTokenRow.nonce)
    )
    return len(gone.all())


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    """Add as the newest; the oldest go when there are too many."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > REMEMBERED:
        kept.popitem(last=False)


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def _cut(party: str) -> str:
    return party.encode("utf-8", "replace")[:MAX_PARTY_BYTES].decode("utf-8", "ignore")
