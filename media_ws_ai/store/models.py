"""The tables of a call, on the one metadata. Queries live beside their subject: businesses, calls, tokens, recorder.

Every change here needs a migration in scheduling/migrations/versions; a test compares the two.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, Text, UniqueConstraint, false
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scheduling.base import Base

EMPTY_OBJECT = sql("'{}'::jsonb")
NOW = sql("now()")


class BusinessRow(Base):
    """A customer of ours: whose line it is, and how it is answered."""

    __tablename__ = "businesses"
    __table_args__ = (CheckConstraint("call_goal IN ('appointment', 'lead_only')", name="call_goal"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    phone: Mapped[str] = mapped_column(Text, unique=True)
    timezone: Mapped[str] = mapped_column(Text, server_default="Asia/Jerusalem")
    language: Mapped[str] = mapped_column(Text, server_default="he")
    voice: Mapped[str] = mapped_column(Text, server_default="marin")
    greeting: Mapped[str] = mapped_column(Text)
    prompt: Mapped[str] = mapped_column(Text)
    call_goal: Mapped[str] = mapped_column(Text, server_default="lead_only")
    enable_calendar_scheduling: Mapped[bool] = mapped_column(server_default=false())
    auto_end_on_goodbye: Mapped[bool] = mapped_column(server_default=false())
    response: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    opening_hours: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    forward_phone: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=NOW)


class CallRow(Base):
    """One call of the carrier, whatever number of streams it took.

    metrics and tokens are kept per attempt, `{"1": {…}, "2": {…}}`: writing one twice changes nothing.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_started_at", "started_at"),
        Index("ix_calls_business_id_started_at", "business_id", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    call_sid: Mapped[str] = mapped_column(Text, unique=True)
    stream_sid: Mapped[str | None] = mapped_column(Text)
    business_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("businesses.id", ondelete="SET NULL"))
    caller: Mapped[str | None] = mapped_column(Text)
    called: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    status: Mapped[str | None] = mapped_column(Text)
    status_sequence: Mapped[int | None] = mapped_column(BigInteger)
    end_reason: Mapped[str | None] = mapped_column(Text)
    end_intent: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(server_default="0")
    metrics: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    tokens: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)


class CallEventRow(Base):
    """What was said or happened. No foreign key: a call's lines are kept even when its row could not be written first.

    writer, seq: the recorder that wrote it and its running number; a batch that is repeated is recognised by them.
    """

    __tablename__ = "call_events"
    __table_args__ = (
        CheckConstraint("kind IN ('caller_line', 'agent_line', 'moment', 'levels')", name="kind"),
        Index("ix_call_events_call_sid_attempt_offset_ms", "call_sid", "attempt", "offset_ms"),
    )

    writer: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    call_sid: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int]
    offset_ms: Mapped[int]
    kind: Mapped[str] = mapped_column(Text)
    payload: Mapped[Any] = mapped_column(JSONB)


class StreamTokenRow(Base):
    """A one-time token by its nonce; `used_at` is the use."""

    __tablename__ = "stream_tokens"
    __table_args__ = (
        UniqueConstraint("call_sid", "idempotency_key", "attempt"),
        Index("ix_stream_tokens_expires_at", "expires_at"),
    )

    nonce: Mapped[str] = mapped_column(Text, primary_key=True)
    call_sid: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
