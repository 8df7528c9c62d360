"""What is kept of a call: functions of a session, for `Database.run` and the recorder.

Each may be run twice, and in any order: whichever comes first makes the row, and none undoes another. So a call whose
webhook met a dead database still gets its row from the first thing that is written about it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from media_ws_ai.store.models import BusinessRow, CallEventRow, CallRow
from media_ws_ai.store.payload import storable, storable_text
from media_ws_ai.store.status import FINAL_STATUSES, takes_over

LINE_KINDS: Final = ("caller_line", "agent_line")
RESUME_LINES: Final = 200
"""Newest lines handed to a resumed call: about 20 minutes of talk."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as heard. speaker: `caller` or `agent`."""

    speaker: str
    text: str
    attempt: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What another worker needs to go on with a call."""

    business_id: int | None
    attempts: int
    intent: str | None
    status: str | None
    end_reason: str | None
    caller: str | None
    called: str | None
    lines: tuple[Line, ...]
    started_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """The carrier has reported a final state."""
        return self.status in FINAL_STATUSES


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One call in a list. tokens: summed over its attempts, by kind."""

    call_sid: str
    business: str | None
    caller: str | None
    started_at: datetime
    ended_at: datetime | None
    status: str | None
    end_reason: str | None
    attempts: int
    tokens: Mapping[str, int]


def upsert(
    session: Session,
    *,
    call_sid: str,
    at: datetime,
    business_id: int | None = None,
    caller: str | None = None,
    called: str | None = None,
) -> None:
    """The webhook of a call, or whatever else was first heard of it. Fills gaps, overwrites nothing.

    Args:
        at: wall-clock time, aware; the start of the call when the row is new.
        business_id: 0 is the packaged demo business, which has no row: stored as none.
    """
    row = insert(CallRow).values(
        call_sid=call_sid,
        started_at=at,
        business_id=business_id or None,
        caller=None if caller is None else storable_text(caller),
        called=None if called is None else storable_text(called),
    )
    session.execute(
        row.on_conflict_do_update(
            index_elements=[CallRow.call_sid],
            set_={
                "started_at": func.least(CallRow.started_at, row.excluded.started_at),
                "business_id": func.coalesce(CallRow.business_id, row.excluded.business_id),
                "caller": func.coalesce(CallRow.caller, row.excluded.caller),
                "called": func.coalesce(CallRow.called, row.excluded.called),
            },
        )
    )


def stream_started(
    session: Session,
    *,
    call_sid: str,
    stream_sid: str,
    attempt: int,
    at: datetime,
    business_id: int | None = None,
    caller: str | None = None,
    called: str | None = None,
) -> None:
    """A stream was accepted; `attempts` is the highest seen, and the stream that of the highest."""
    upsert(session, call_sid=call_sid, at=at, business_id=business_id, caller=caller, called=called)
    session.execute(
        update(CallRow)
        .where(CallRow.call_sid == call_sid, CallRow.attempts <= attempt)
        .values(attempts=attempt, stream_sid=storable_text(stream_sid))
    )


def finish(
    session: Session,
    *,
    call_sid: str,
    attempt: int,
    end_reason: str,
    metrics: Mapping[str, object],
    tokens: Mapping[str, int],
    at: datetime,
) -> None:
    """A stream ended, and why.

    Args:
        metrics, tokens: of this attempt alone; kept under its number.
    """
    upsert(session, call_sid=call_sid, at=at)
    key = str(attempt)
    session.execute(
        update(CallRow)
        .where(CallRow.call_sid == call_sid)
        .values(
            attempts=func.greatest(CallRow.attempts, attempt),
            metrics=CallRow.metrics.op("||")(cast({key: storable(metrics)}, JSONB)),
            tokens=CallRow.tokens.op("||")(cast({key: storable(tokens)}, JSONB)),
        )
    )
    session.execute(
        update(CallRow)
        # A late report about an earlier stream does not end the later one.
        .where(CallRow.call_sid == call_sid, CallRow.attempts == attempt)
        .values(end_reason=storable_text(end_reason), ended_at=at)
    )


def record_intent(session: Session, *, call_sid: str, intent: str | None, at: datetime) -> None:
    """What the worker means to do next with the line: `hangup`, `transfer:+972…`; None takes it back."""
    upsert(session, call_sid=call_sid, at=at)
    session.execute(
        update(CallRow)
        .where(CallRow.call_sid == call_sid)
        .values(end_intent=None if intent is None else storable_text(intent))
    )


def apply_status(
    session: Session,
    *,
    call_sid: str,
    status: str,
    sequence_number: int | None,
    at: datetime,
    caller: str | None = None,
    called: str | None = None,
) -> bool:
    """The carrier's CallStatus; True when it took over (see status.takes_over). A final one also ends the call."""
    upsert(session, call_sid=call_sid, at=at, caller=caller, called=called)
    row = session.execute(
        select(CallRow.status, CallRow.status_sequence).where(CallRow.call_sid == call_sid).with_for_update()
    ).one()
    if not takes_over(row.status, row.status_sequence, status, sequence_number):
        return False
    values: dict[str, Any] = {"status": storable_text(status)}
    if sequence_number is not None:
        values["status_sequence"] = sequence_number
    if status in FINAL_STATUSES:
        values["ended_at"] = func.coalesce(CallRow.ended_at, at)
    session.execute(update(CallRow).where(CallRow.call_sid == call_sid).values(**values))
    return True


def resume_state(session: Session, call_sid: str) -> ResumeState | None:
    """What is known of a call, with its newest lines, oldest first; None when nothing is."""
    row = session.execute(select(CallRow).where(CallRow.call_sid == call_sid)).scalar_one_or_none()
    newest = list(_newest_lines(session, call_sid))
    if row is None and not newest:
        return None
    lines = tuple(reversed(newest))
    if row is None:
        return ResumeState(None, max(line.attempt for line in lines), None, None, None, None, None, lines)
    return ResumeState(
        business_id=row.business_id,
        attempts=row.attempts,
        intent=row.end_intent,
        status=row.status,
        end_reason=row.end_reason,
        caller=row.caller,
        called=row.called,
        lines=lines,
        started_at=row.started_at,
    )


def _newest_lines(session: Session, call_sid: str) -> Iterable[Line]:
    rows = session.execute(
        select(CallEventRow.kind, CallEventRow.payload, CallEventRow.attempt, CallEventRow.offset_ms)
        .where(CallEventRow.call_sid == call_sid, CallEventRow.kind.in_(LINE_KINDS))
        .order_by(CallEventRow.attempt.desc(), CallEventRow.offset_ms.desc(), CallEventRow.seq.desc())
        .limit(RESUME_LINES)
    )
    for kind, payload, attempt, offset_ms in rows:
        text = payload.get("text", "") if isinstance(payload, dict) else payload
        yield Line(kind.removesuffix("_line"), str(text), attempt, offset_ms)


def last_calls(session: Session, count: int = 20) -> list[CallSummary]:
    """The newest calls, newest first."""
    rows = session.execute(
        select(CallRow, BusinessRow.name)
        .outerjoin(BusinessRow, BusinessRow.id == CallRow.business_id)
        .order_by(CallRow.started_at.desc(), CallRow.id.desc())
        .limit(count)
    )
    return [
        CallSummary(
            call_sid=row.call_sid,
            business=business,
            caller=row.caller,
            started_at=row.started_at,
            ended_at=row.ended_at,
            status=row.status,
            end_reason=row.end_reason,
            attempts=row.attempts,
            tokens=_summed(row.tokens.values()),
        )
        for row, business in rows
    ]


def _summed(attempts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for tokens in attempts:
        for kind, count in tokens.items():
            total[kind] = total.get(kind, 0) + count
    return total
