"""Markers of the worker process: start, drain, database, log, threads."""

from types import MappingProxyType
from typing import Final

from media_ws_ai.markers.fields import Decimal1, Int, Pairs, Text, Word
from media_ws_ai.markers.line import ERROR, WARNING, marker

_NOTHING: Final = MappingProxyType[str, object]({})


@marker("-", "[WORKER] started pid={pid}{settings}")
def worker_started(*, pid: Int, settings: Pairs = _NOTHING) -> None:
    """A worker process accepts calls; its settings without secrets."""


@marker("-", "[WORKER] stopped pid={pid}{counts}")
def worker_stopped(*, pid: Int, counts: Pairs = _NOTHING) -> None:
    """A worker process is about to end."""


@marker("-", "[SETTINGS] note: {note}", level=WARNING)
def settings_note(*, note: Text) -> None:
    """Something a person should know about the settings."""


@marker("-", "[READY] {state} reason={reason}")
def ready(*, state: Word, reason: Word = "-") -> None:
    """Readiness changed: `ready` or `not_ready` (draining, full, no_database, model_unreachable)."""


@marker("-", "[DRAIN] started calls={calls} limit_s={limit_s}")
def drain_started(*, calls: Int, limit_s: Decimal1) -> None:
    """SIGTERM: no new calls."""


@marker("-", "[DRAIN] handing over calls={calls}", level=WARNING)
def drain_handover(*, calls: Int) -> None:
    """Calls still running are closed with 1001; the carrier brings them to another worker."""


@marker("-", "[DRAIN] done ended={ended} left={left} in {took_ms}ms")
def drain_done(*, ended: Int, left: Int, took_ms: Int) -> None:
    """The drain is over."""


@marker("-", "[DB] unavailable: {operation} after {took_ms}ms: {reason}", level=WARNING)
def db_unavailable(*, operation: Word, took_ms: Int, reason: Text) -> None:
    """A database call missed its deadline or failed."""


@marker("-", "[DB] available again after {down_s}s")
def db_back(*, down_s: Decimal1) -> None:
    """The database answers again."""


@marker("-", "[DB] events lost {lost}", level=WARNING)
def db_events_lost(*, lost: Int) -> None:
    """Call events that did not fit into their bounded queue."""


@marker("-", "[LOG] lines lost {lost}", level=WARNING)
def log_lines_lost(*, lost: Int) -> None:
    """Log lines dropped while the log's reader was stalled."""


@marker("-", "[THREAD] {role} failed: {error}", level=ERROR)
def thread_failed(*, role: Word, error: Text) -> None:
    """A thread of a call ended by an exception; the traceback is beside it."""


@marker("-", "[WARN SLOW] {what} took {took_ms}ms", level=WARNING)
def slow(*, what: Word, took_ms: Decimal1) -> None:
    """Something on the audio path took longer than it may."""
