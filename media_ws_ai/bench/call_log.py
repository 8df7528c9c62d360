"""What the worker's log says of every stream: one `[CALL_METRICS]`, the closing order kept, no F2 violation. Pure.

    threads_waiting ─▶ each thread completed ─▶ all complete ─▶ reset ─▶ reset done ─▶ websocket closed ─▶ metrics

It needs LOG_FORMAT=json, whose records name their stream: a call may have several.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from media_ws_ai.log_record import read_record

F3: Final = frozenset({"websocket_closed", "websocket_no_close", "websocket_already_closed"})
CLOSING: Final = frozenset(
    {"threads_waiting", "thread_completed", "threads_complete", "cleanup_reset", "cleanup_done", "call_ended"}
    | {"call_metrics"}
    | F3
)
EXPECTED: Final = ("hang-up by REST",)
"""What a refused request rightly causes."""


@dataclass(slots=True)
class StreamLog:
    """One stream, as far as its end is concerned."""

    call_sid: str
    stream_sid: str
    reasons: list[str] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    closing: list[str] = field(default_factory=list)
    threads: int = 0
    began_closing: float = 0.0
    closed: float = 0.0

    @property
    def cleanup_ms(self) -> float:
        """From the first word of the cleanup to the call's last line."""
        return (self.closed - self.began_closing) * 1000

    def faults(self) -> list[str]:
        """What is wrong with this end, in words."""
        who = f"call {self.call_sid[-6:]} stream {self.stream_sid[-6:]}"
        if len(self.metrics) != 1:
            return [f"{who}: {len(self.metrics)} lines of call_metrics, not 1"]
        steps = ["websocket" if name in F3 else name for name in self.closing]
        wanted = [
            "threads_waiting",
            *["thread_completed"] * self.threads,
            *("threads_complete", "cleanup_reset", "cleanup_done", "websocket", "call_ended", "call_metrics"),
        ]
        return [] if steps == wanted else [f"{who}: closed in the order {', '.join(steps)}"]


@dataclass(slots=True)
class CallLogs:
    """All streams of a log, and what in it is wrong whoever it belongs to."""

    streams: dict[str, StreamLog] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    drains: list[dict[str, Any]] = field(default_factory=list)

    def of_call(self, call_sid: str) -> list[StreamLog]:
        """Its streams, oldest first."""
        return [stream for stream in self.streams.values() if stream.call_sid == call_sid]


def read(lines: Iterable[str]) -> CallLogs:
    """Every stream that was admitted."""
    logs = CallLogs()
    for text in lines:
        record = read_record(text)
        if record is None:
            logs.faults.append(f"a line that is no record: {text[:160]}")
            continue
        parsed = record.parsed
        name = parsed.marker if parsed is not None else ""
        if "F2 VIOLATION" in record.msg:
            logs.faults.append(f"call {record.call_sid[-6:]}: {record.msg}")
        elif (record.level in ("ERROR", "CRITICAL") or "Traceback (" in record.msg) and not _is_expected(record.msg):
            logs.faults.append(f"{record.level} {record.msg[:300]}")
        if parsed is None:
            continue
        if name == "drain_done":
            logs.drains.append(parsed.fields)
        if name == "call_started":
            logs.streams[record.stream_sid] = StreamLog(record.call_sid, record.stream_sid)
        stream = logs.streams.get(record.stream_sid)
        if stream is not None and name in CLOSING:
            _note(stream, name, parsed.fields, record.ts.timestamp())
    return logs


def _is_expected(message: str) -> bool:
    return any(words in message for words in EXPECTED)


def _note(stream: StreamLog, name: str, fields: dict[str, Any], at: float) -> None:
    stream.closing.append(name)
    stream.closed = at
    if name == "threads_waiting":
        stream.threads, stream.began_closing = fields["threads"], at
    elif name == "call_ended":
        stream.reasons.append(fields["reason"])
    elif name == "call_metrics":
        stream.metrics.append({**fields, **fields.get("extra", {})})
