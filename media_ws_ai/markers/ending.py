"""Markers of items F and End: goodbye, hang-up, cleanup."""

from media_ws_ai.markers.fields import Bool, Int, Text, Word
from media_ws_ai.markers.line import WARNING, marker


@marker("F1", "🧹 [CLEANUP] Resetting all state flags...")
def cleanup_reset() -> None:
    """Per-call state is about to be reset."""


@marker("F1", "✅ [CLEANUP] All state flags reset successfully")
def cleanup_done() -> None:
    """Per-call state is reset."""


@marker("F2", "🧹 Waiting for {threads} background threads...")
def threads_waiting(*, threads: Int) -> None:
    """As many as were really started."""


@marker("F2", "✅ Background thread {index} completed")
def thread_completed(*, index: Int) -> None:
    """One thread was joined."""


@marker("F2", "✅ All background threads cleanup complete")
def threads_complete() -> None:
    """No thread of the call is left."""


@marker("F2", "⚠️ [F2 VIOLATION] Background thread {index} ({role}) still running after {timeout_s}s timeout", flag=True)
def thread_stuck(*, index: Int, role: Word, timeout_s: Int = 5) -> None:
    """A thread missed the deadline."""


@marker("F2", "⚠️ [F2 VIOLATION] {alive}/{threads} threads still alive after cleanup", flag=True)
def threads_alive(*, alive: Int, threads: Int) -> None:
    """Threads leak from this call."""


@marker("F3", "✅ [F3] WebSocket closed successfully")
def websocket_closed() -> None:
    """Closed by us."""


@marker("F3", "[F3] WebSocket wrapper doesn't support close() - connection already terminated")
def websocket_no_close() -> None:
    """Nothing to close."""


@marker("F3", "[F3] Websocket already closed (expected): {reason}")
def websocket_already_closed(*, reason: Text) -> None:
    """The other side was first."""


@marker("End", "[GOODBYE] User said goodbye")
def goodbye_heard() -> None:
    """The caller took leave."""


@marker("End", "[GOODBYE] will_hangup={will_hangup} - goal={call_goal}, {reason}")
def goodbye_verdict(*, will_hangup: Bool, call_goal: Word, reason: Text) -> None:
    """What follows from it, and why."""


@marker("End", "[GOODBYE] taken back: text='{text}'")
def goodbye_taken_back(*, text: Text) -> None:
    """The caller goes on talking."""


@marker("End", "[HANGUP] Closing words first: {reason}")
def hangup_words(*, reason: Word) -> None:
    """The end begins: no new answer; what is being heard is heard, then the closing words."""


@marker("End", "[HANGUP] Triggering hangup: {reason}")
def hangup(*, reason: Word) -> None:
    """The worker ends the call."""


@marker("End", "[HANGUP] {how} result={result} in {took_ms}ms")
def hangup_result(*, how: Word, result: Word, took_ms: Int) -> None:
    """What the carrier answered (`REST`) or that the stream was closed instead (`stream`)."""


@marker("End", "[HANGUP BLOCKED] {reason}", older=("[HANGUP BLOCKED]…",), flag=True, level=WARNING)
def hangup_blocked(*, reason: Text) -> None:
    """A hang-up that should have happened did not."""
