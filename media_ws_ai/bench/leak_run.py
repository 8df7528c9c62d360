"""The order of a leak run: phases, waves, restart, stop; after each, what is left is compared with what was at rest.

Built on a running stack and a carrier aimed at it; prints nothing (`told` is called with every finished row).
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from media_ws_ai.bench import call_log, endings, leak_verdicts, witness
from media_ws_ai.bench.endings import Ending
from media_ws_ai.bench.leak_report import Report, Row
from media_ws_ai.bench.stack import Stack, StackError
from media_ws_ai.bench.witness import Look, Places
from media_ws_ai.embedded.process import Process
from media_ws_ai.peers.carrier.process import CarrierPeer
from media_ws_ai.store.database import THREADS

SETTLE_S: Final = 5.0
"""The product's promise, from the end being known."""

PATIENCE_S: Final = 15.0
"""What is not at rest by then is called a leak; between the two it is late."""

REST_LOOKS: Final = 5
POLL_S: Final = 0.1
STAGGER_MS: Final = 25
CALLS_S: Final = 90.0
STOP_CALLS: Final = 5
NEVER_AT_REST: Final = (
    "call_threads (/metrics)",
    "sockets to callers (/proc)",
    "sockets to the model (/proc)",
    "sessions (model)",
)
REST_CALLS: Final = 12
"""More than the ten connections that the HTTP client keeps."""


class LeakRun:
    """One worker under observation."""

    def __init__(
        self,
        stack: Stack,
        carrier: CarrierPeer,
        at_once: int,
        told: Callable[[Row], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._stack = stack
        self._carrier = carrier
        self._at_once = at_once
        self._told = told
        self._patience_s = patience_s
        self._rest: dict[str, float] = {}
        self._seen = 0
        self._done = 0
        self._report = Report(stack.mode)
        self._places = Places(
            stack.port,
            _port(stack.model.url),
            _port(stack.database_url),
            _port(carrier.rest_url),
        )

    # --- the whole ------------------------------------------------------------------------------------------------

    def everything(self, calls: int, waves: int, wave_calls: int) -> Report:
        """Warm up, phases, waves, restart, stop."""
        began = time.monotonic()
        count = len(endings.ENDINGS) + 1
        self.warm_up(wave_calls)
        points: list[tuple[float, float]] = []
        for place, ending in enumerate(endings.ENDINGS):
            share = max(5, calls // count + (place < calls % count))
            points.append(self._point(self.phase(ending, share)))
        for number in range(1, waves + 1):
            points.append(self._point(self.wave(f"wave {number}", wave_calls)))
        self._report.rss_kb_per_call = witness.slope(points)
        self.restart(max(5, calls // count))
        self.stop(STOP_CALLS)
        self._report.took_s = time.monotonic() - began
        return self._report

    def _point(self, row: Row) -> tuple[float, float]:
        self._done += row.streams
        return float(self._done), float(row.rss_kb)

    def warm_up(self, calls: int) -> None:
        """Fill pools and caches, then take the measure of rest.

        Args:
            calls: of a wave before it, and of a full house of long answers, which takes the most memory; 0: none.
        """
        if calls:
            self._wave_calls(calls)
            self._stack.model.scenario(dict(endings.LONG))
            plans = [endings.LISTENS.plan() for _ in range(self._at_once)]
            self._carrier.run({"calls": plans, "stagger_ms": STAGGER_MS}, CALLS_S)
        self._fill_rest_pool()
        self._stack.wait_metrics(lambda m: m['calls{state="live"}'] + m['calls{state="closing"}'] == 0, PATIENCE_S)
        self.take_rest()

    def take_rest(self) -> None:
        """What the worker holds now is what rest looks like; of calls there is nothing in any case."""
        deadline = time.monotonic() + SETTLE_S
        while self._look().figures["call_threads (/metrics)"] and time.monotonic() < deadline:
            time.sleep(POLL_S)
        looks = []
        for _ in range(REST_LOOKS):
            looks.append(self._look())
            time.sleep(POLL_S)
        self._rest = witness.highest(looks)
        for name in NEVER_AT_REST:
            self._rest[name] = 0
        spare = THREADS - self._rest["database_connections (/metrics)"]
        for name in ("database_connections (/metrics)", "sockets to the database (/proc)", "descriptors (/metrics)"):
            self._rest[name] += spare  # the pool opens them as it needs them, up to its size
        self._seen = len(self._stack.log_lines())

    def _fill_rest_pool(self) -> None:
        """Hang-ups at once: the HTTP client keeps so many connections as its pool holds, whoever needed them."""
        self._stack.model.scenario(dict(endings.REFUSED))
        plan = {"max_s": 40, "skip_verbs": True, "steps": [{"await_end": 20_000}], "repeat": REST_CALLS}
        self._carrier.run({"calls": [plan]}, CALLS_S)

    @property
    def report(self) -> Report:
        """As far as it has come."""
        return self._report

    # --- parts ----------------------------------------------------------------------------------------------------

    def phase(self, ending: Ending, calls: int) -> Row:
        """`calls` of one ending, `at_once` at a time."""
        return self._phase(ending.name, ending.scenario, [ending] * calls)

    def together(self, name: str, chosen: Sequence[Ending]) -> Row:
        """One call of each, all at once, the model well and talkative: for endings that are the caller's doing."""
        return self._phase(name, endings.LONG, chosen)

    def _phase(self, name: str, scenario: Mapping[str, Any], chosen: Sequence[Ending]) -> Row:
        row, began = Row(name, len(chosen)), time.monotonic()
        self._stack.model.scenario(dict(scenario))
        reports: list[dict[str, Any]] = []
        for first in range(0, len(chosen), self._at_once):
            plans = [ending.plan() for ending in chosen[first : first + self._at_once]]
            reports += self._carrier.run({"calls": plans, "stagger_ms": STAGGER_MS}, CALLS_S)
        self._settle(row, reports)
        by_name = {ending.name: ending for ending in chosen}
        self._judge(row, reports, lambda report, logs: leak_verdicts.met(by_name[report["name"]], report, logs))
        return self._finish(row, began)

    def wave(self, name: str, calls: int) -> Row:
        """Mixed endings all at once, while the model is ill-treated by order."""
        row, began = Row(name, calls), time.monotonic()
        reports = self._wave_calls(calls)
        self._settle(row, reports)
        logs = self._judge(row, reports, lambda report, logs: [])
        reasons = {reason for stream in logs.streams.values() for reason in stream.reasons}
        missing = endings.WAVE_REASONS - reasons
        if missing and calls >= len(endings.WAVE_ENDINGS) + 2:
            row.faults.append(f"no call of the wave ended by {', '.join(sorted(missing))}")
        return self._finish(row, began)

    def restart(self, calls: int) -> Row:
        """SIGTERM to the worker: calls are closed with 1001 and go on at the next one, which is left clean too."""
        row, began = Row("worker restarted", calls), time.monotonic()
        self._start_talking(calls)
        old, asked = Process.find(self._stack.worker_pid), time.monotonic()
        self._stack.restart_worker()
        gone_s = time.monotonic() - asked
        if old is None or old.is_alive() or gone_s > self._stack.drain_s + 4.0:
            row.faults.append(
                f"the worker took {gone_s:.1f} s to be followed by another, DRAIN_S {self._stack.drain_s:g}"
            )
        try:
            self._stack.wait_metrics(lambda m: m['calls{state="live"}'] == calls, PATIENCE_S)
        except StackError as error:
            row.faults.append(f"not all calls were resumed: {error}")
        self._carrier.act({"hangup": True})
        reports = self._carrier.wait(CALLS_S)
        self._settle(row, reports)
        logs = self._judge(row, reports, leak_verdicts.handed_over)
        row.faults += leak_verdicts.drained(logs)
        return self._finish(row, began)

    def stop(self, calls: int) -> Row:
        """SIGTERM to gunicorn with calls: all closed with 1001, and every process ends by itself in time."""
        row, began = Row("all stopped", calls), time.monotonic()
        self._start_talking(calls)
        worker = Process.find(self._stack.worker_pid)
        master = Process.find(_parent(self._stack.worker_pid))
        if worker is None or master is None:
            row.faults.append("gunicorn was gone before it was stopped")
            return self._finish(row, began)
        os.kill(master.pid, signal.SIGTERM)
        asked = time.monotonic()
        if not worker.wait_gone(self._stack.drain_s - 0.5):
            row.faults.append(f"the worker did not end by itself within DRAIN_S = {self._stack.drain_s:g} s")
        row.settled_s = time.monotonic() - asked
        if not master.wait_gone(SETTLE_S):
            row.faults.append("gunicorn did not end after its worker")
        reports = self._carrier.wait(CALLS_S)
        logs = self._judge(row, reports, leak_verdicts.closed_1001)
        row.faults += leak_verdicts.drained(logs)
        return self._finish(row, began)

    # --- calls ----------------------------------------------------------------------------------------------------

    def _start_talking(self, calls: int) -> None:
        self._stack.model.scenario(dict(endings.LONG))
        plan = {"name": "talking", "max_s": 60, "skip_verbs": True, "repeat": calls}
        self._carrier.start({"calls": [plan], "stagger_ms": STAGGER_MS})
        self._stack.wait_metrics(lambda m: m['calls{state="live"}'] == calls, PATIENCE_S)

    def _wave_calls(self, calls: int) -> list[dict[str, Any]]:
        model = self._stack.model
        refused = max(1, calls // 10)
        model.scenario(dict(endings.LONG))
        for _ in range(refused):
            model.next(dict(endings.REFUSED))
        before = model.count()["total"]
        self._carrier.start({"calls": endings.wave_plan(calls), "stagger_ms": STAGGER_MS})
        deadline = time.monotonic() + PATIENCE_S
        while model.count()["total"] < before + calls - refused and time.monotonic() < deadline:
            time.sleep(POLL_S)
        first = before + 1
        for act in endings.WAVE_ACTS:
            for number in range(first, first + refused):
                model.act(number, act)
            first += refused
        return self._carrier.wait(CALLS_S)

    # --- judging --------------------------------------------------------------------------------------------------

    def _look(self) -> Look:
        return witness.look(
            self._stack.worker_pid, self._stack.metrics(), self._places, self._stack.model.count()["open"]
        )

    def _settle(self, row: Row, reports: Sequence[dict[str, Any]]) -> None:
        """Wait until nothing is above its value at rest; name what is."""
        known = max(report["end"]["monotonic_s"] for report in reports)
        deadline = max(time.monotonic(), known + self._patience_s)
        while True:
            now = self._look()
            risen = witness.risen(now.figures, self._rest)
            row.settled_s = time.monotonic() - known
            if not risen or time.monotonic() >= deadline:
                break
            time.sleep(POLL_S)
        row.rss_kb = now.rss_kb
        row.faults += [f"{name}: {value:g}, at rest {rest:g}" for name, (value, rest) in sorted(risen.items())]
        if risen:
            row.settled_s = float("inf")
        elif row.settled_s > SETTLE_S:
            row.faults.append(f"at rest {row.settled_s:.1f} s after the last end, not within {SETTLE_S:g} s")

    def _judge(
        self,
        row: Row,
        reports: Sequence[dict[str, Any]],
        met: Callable[[dict[str, Any], list[call_log.StreamLog]], list[str]],
    ) -> call_log.CallLogs:
        lines = self._stack.log_lines()
        logs = call_log.read(lines[self._seen :])
        self._seen = len(lines)
        row.streams = len(logs.streams)
        row.cleanup_ms = max((stream.cleanup_ms for stream in logs.streams.values()), default=0.0)
        row.faults += logs.faults
        for stream in logs.streams.values():
            row.faults += stream.faults()
        for report in reports:
            row.faults += met(report, logs.of_call(report["call_sid"]))
        return logs

    def _finish(self, row: Row, began: float) -> Row:
        row.took_s = time.monotonic() - began
        self._report.rows.append(row)
        self._told(row)
        return row


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _port(url: str) -> int:
    return urlsplit(url).port or 0
