"""Calls whose answer is cut in the middle by the session's own command, followed on the one clock of the machine.

Every second call's answer is still being made when the cut comes (the model delivers 1.2 times as fast as it is
heard), the others were delivered whole long before.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from media_ws_ai.bench import machine, progress
from media_ws_ai.bench.orders import Orders
from media_ws_ai.bench.stack import Stack
from media_ws_ai.peers.carrier.process import CallReport, CarrierPeer

SECONDS: Final = 30.0
CUT_AFTER_S: Final = 14.0
STAGGER_MS: Final = 407
"""Not a multiple of 20 or 200: the cuts meet every phase of frames and marks."""
SLOW: Final = 1.2
LISTEN_MS: Final = 1500
"""How long the caller goes on listening for old audio after the `clear`."""
POLL_S: Final = 0.05
TOLERANCE_MS: Final = 1.0
"""Rounding of the carrier's clock and of whole ms in the truncation."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut. Times in ms."""

    call_sid: str
    clear_ms: float
    """From the order to the `clear` at the carrier."""
    old_audio_ms: float
    heard_ms: float
    """What the carrier had played of the answer when it got the `clear`."""
    told_ms: float | None
    """What the model was told of it; None: nothing. A deleted item was told 0."""
    was_running: bool
    was_cancelled: bool


@dataclass(frozen=True, slots=True)
class CutRun:
    """All cuts that brought exactly one `clear`, of those ordered."""

    cuts: list[Cut]
    ordered: int
    at_a_time: int
    worker_wait: machine.Waiting
    carrier_wait: machine.Waiting


def scenario(number: int, seconds: float) -> dict[str, Any]:
    """The answer of the n-th call: at once, or, for every second one, hardly faster than it is heard."""
    reply: dict[str, Any] = {"text": "One long answer.", "numbered": seconds}
    reply |= {"burst": True} if number % 2 == 0 else {"speed": SLOW}
    return {"greeting": [reply]}


def cut_run(
    stack: Stack, count: int, *, seconds: float = SECONDS, cut_after_s: float = CUT_AFTER_S, listen_ms: int = LISTEN_MS
) -> CutRun:
    """`count` calls at a time, each cut `cut_after_s` after its first sound. `stack` runs on cut_conf.py."""
    for number in range(count):
        stack.model.next(scenario(number, seconds))
    call = {
        "max_s": seconds + 30,
        "repeat": count,
        "steps": [{"hangup": True, "after": "clear", "ms": listen_ms, "within_ms": int(seconds * 1000)}],
    }
    expected_s = cut_after_s + count * STAGGER_MS / 1000 + listen_ms / 1000 + 2
    with stack.carrier() as carrier, Orders(stack.folder, stack.worker_pid) as orders:
        pids = (stack.worker_pid, carrier.pid)
        with machine.RunQueue(pids, all_threads=stack.mode == "gthread") as queue:
            began_s = time.monotonic()
            sids = carrier.start({"calls": [call], "stagger_ms": STAGGER_MS})
            ordered = _order_each(carrier, orders, sids, cut_after_s, expected_s)
            reports = progress.wait(carrier, sids, f"{count} cuts, listening on", listen_ms / 1000, seconds + 45)
            worker_wait, carrier_wait = queue.since(began_s)
    cuts = [_of(report, ordered[report["call_sid"]], stack) for report in reports if len(report["clears"]) == 1]
    return CutRun(cuts, len(sids), count, worker_wait, carrier_wait)


def _order_each(
    carrier: CarrierPeer, orders: Orders, sids: list[str], cut_after_s: float, expected_s: float
) -> Mapping[str, float]:
    """Order each cut when it is due; when each was ordered (monotonic)."""
    waiting, due, ordered = set(sids), dict[str, float](), dict[str, float]()
    shown = progress.Progress(f"{len(sids)} cuts", expected_s)
    deadline = time.monotonic() + expected_s + 30
    while len(ordered) < len(sids):
        now = time.monotonic()
        if now > deadline:
            raise TimeoutError(f"{len(waiting)} of {len(sids)} calls heard nothing in {expected_s + 30:.0f} s")
        if waiting:
            states = carrier.state()
            for sid in [sid for sid in waiting if states[sid]["first_sound"]]:
                due[sid] = now + cut_after_s - states[sid]["agent_ms"] / 1000
                waiting.discard(sid)
        for sid in [sid for sid in due if due[sid] <= now]:
            ordered[sid] = orders.give("cut", sid)["began_s"]
            del due[sid]
        shown.show(f"{len(ordered)} ordered")
        time.sleep(max(0.0, min([POLL_S, *(at - time.monotonic() for at in due.values())])))
    shown.done()
    return ordered


def _of(report: CallReport, ordered_s: float, stack: Stack) -> Cut:
    (clear,) = report["clears"]
    clear_s = report["start_monotonic_s"] + clear["at_ms"] / 1000
    (row,) = report["utterances"][:1]
    session = stack.model.session(row["key"][0])
    response = session["responses"][0]
    told = [event for event in session["client"] if event["type"] == "conversation.item.truncate"]
    deleted = any(event["type"] == "conversation.item.delete" for event in session["client"])
    return Cut(
        call_sid=report["call_sid"],
        clear_ms=(clear_s - ordered_s) * 1000,
        old_audio_ms=report["old_audio_ms"],
        heard_ms=row["audio_ms"] - clear["discarded_ms"] + TOLERANCE_MS,
        told_ms=_audio_end_ms(told[0]) if told else 0.0 if deleted else None,
        was_running=response["done_at_s"] is None or response["done_at_s"] > ordered_s,
        was_cancelled=response["status"] == "cancelled",
    )


def _audio_end_ms(entry: Mapping[str, Any]) -> float:
    event = entry.get("event", entry)
    return float(event["audio_end_ms"])
