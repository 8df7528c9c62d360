"""The forms of the carrier's webhooks, field by field."""

import time
from datetime import UTC, datetime
from email.utils import format_datetime

from media_ws_ai.peers.carrier.line import Line


def call_form(line: Line, status: str) -> dict[str, str]:
    """What every voice webhook carries."""
    plan = line.plan
    return {
        "CallSid": line.call_sid,
        "AccountSid": line.account_sid,
        "From": plan.caller,
        "To": plan.called,
        "Caller": plan.caller,
        "Called": plan.called,
        "CallStatus": status,
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
    }


def completed_form(line: Line, sequence: int) -> dict[str, str]:
    """The status callback at the end of a call."""
    return call_form(line, "completed") | {
        "CallDuration": str(max(1, round(time.monotonic() - line.placed_at))),
        "Timestamp": format_datetime(datetime.now(UTC)),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(sequence),
        "SipResponseCode": "200",
    }


def stream_form(line: Line, event: str, stream_sid: str, name: str, error: str = "") -> dict[str, str]:
    """A stream status callback: `stream-started`, `stream-stopped` or `stream-error`."""
    form = {
        "AccountSid": line.account_sid,
        "CallSid": line.call_sid,
        "StreamSid": stream_sid,
        "StreamName": name or stream_sid,
        "StreamEvent": event,
        "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return form | ({"StreamError": error} if error else {})
