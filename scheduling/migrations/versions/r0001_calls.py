"""Businesses, calls, what happened in them, and the tokens of their streams."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EMPTY_OBJECT = sa.text("'{}'::jsonb")
NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "businesses",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("phone", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False, server_default="Asia/Jerusalem"),
        sa.Column("language", sa.Text, nullable=False, server_default="he"),
        sa.Column("voice", sa.Text, nullable=False, server_default="marin"),
        sa.Column("greeting", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("call_goal", sa.Text, nullable=False, server_default="lead_only"),
        sa.Column("enable_calendar_scheduling", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("auto_end_on_goodbye", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("response", JSONB, nullable=False, server_default=EMPTY_OBJECT),
        sa.Column("opening_hours", JSONB, nullable=False, server_default=EMPTY_OBJECT),
        sa.Column("forward_phone", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.PrimaryKeyConstraint("id", name="pk_businesses"),
        sa.UniqueConstraint("phone", name="uq_businesses_phone"),
        sa.CheckConstraint("call_goal IN ('appointment', 'lead_only')", name=op.f("ck_businesses_call_goal")),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("call_sid", sa.Text, nullable=False),
        sa.Column("stream_sid", sa.Text),
        sa.Column("business_id", sa.BigInteger),
        sa.Column("caller", sa.Text),
        sa.Column("called", sa.Text),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("status", sa.Text),
        sa.Column("status_sequence", sa.BigInteger),
        sa.Column("end_reason", sa.Text),
        sa.Column("end_intent", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("metrics", JSONB, nullable=False, server_default=EMPTY_OBJECT),
        sa.Column("tokens", JSONB, nullable=False, server_default=EMPTY_OBJECT),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.UniqueConstraint("call_sid", name="uq_calls_call_sid"),
        sa.ForeignKeyConstraint(
            ["business_id"], ["businesses.id"], name="fk_calls_business_id_businesses", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_calls_started_at", "calls", ["started_at"])
    op.create_index("ix_calls_business_id_started_at", "calls", ["business_id", "started_at"])
    op.create_table(
        "call_events",
        sa.Column("writer", UUID(as_uuid=True), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("call_sid", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("offset_ms", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq", name="pk_call_events"),
        sa.CheckConstraint(
            "kind IN ('caller_line', 'agent_line', 'moment', 'levels')", name=op.f("ck_call_events_kind")
        ),
    )
    op.create_index("ix_call_events_call_sid_attempt_offset_ms", "call_events", ["call_sid", "attempt", "offset_ms"])
    op.create_table(
        "stream_tokens",
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("call_sid", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("nonce", name="pk_stream_tokens"),
        sa.UniqueConstraint(
            "call_sid", "idempotency_key", "attempt", name="uq_stream_tokens_call_sid_idempotency_key_attempt"
        ),
    )
    op.create_index("ix_stream_tokens_expires_at", "stream_tokens", ["expires_at"])


def downgrade() -> None:
    for table in ("stream_tokens", "call_events", "calls", "businesses"):
        op.drop_table(table)
