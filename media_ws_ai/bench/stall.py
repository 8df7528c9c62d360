"""`media-ws-ai bench stall`: what happens in a worker must not be heard in its running calls.

Per row: ten calls, each hearing a long numbered answer that the model delivered at once; a disturbance; the largest
gap that any of the ten heard. A gap that the machine explains (the worker or the listener waited for a processor) is
no verdict on the worker: the row is repeated, at most twice, and else marked INCONCLUSIVE.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click

from media_ws_ai.bench import disturbances, machine, progress, verdicts
from media_ws_ai.bench.certificate import NoCertificate, make
from media_ws_ai.bench.disturbances import Disturb, Evidence
from media_ws_ai.bench.orders import OrderFailed, Orders
from media_ws_ai.bench.stack import Mode, Stack
from media_ws_ai.bench.verdicts import FAIL, INCONCLUSIVE, OK, SKIPPED
from media_ws_ai.peers.carrier.process import CallReport, CarrierPeer

CONF: Final = Path(__file__).with_name("stall_conf.py")
MAX_GAP_MS: Final = 60.0
CALLS: Final = 10
SECONDS: Final = 12.0
STAGGER_MS: Final = 70
HEARD_S: Final = 15.0
REPEATS: Final = 2
SCENARIO: Final = {"greeting": [{"text": "One long answer.", "numbered": SECONDS, "burst": True}]}


@dataclass(frozen=True, slots=True)
class Row:
    """One disturbance. `line`: the kind of stack it needs: plain, names (the model behind a name), pipe, tls."""

    name: str
    what: str
    line: str
    disturb: Disturb


ROWS: Final = (
    Row("none", "nothing", "plain", disturbances.nothing),
    Row("sql", "12 × pg_sleep(2) in the worker, 8 pages meanwhile", "plain", disturbances.slow_queries),
    Row("frozen", "PostgreSQL frozen for 4 s, 4 new calls", "plain", disturbances.frozen_database),
    Row("calls", "50 new calls at once", "plain", disturbances.many_calls),
    Row("names", "25 look-ups of 5 s, 4 new calls", "names", disturbances.slow_names),
    Row("log", "20,000 log lines into a stalled pipe", "pipe", disturbances.stalled_log),
    Row("tls", "50 new calls at once, each a TLS handshake", "tls", disturbances.many_calls),
)


@dataclass(frozen=True, slots=True)
class Result:
    """A row's figures. Gaps in ms; `waits`: worker, listener."""

    row: Row
    verdict: str
    note: str
    gaps_ms: tuple[float, ...] = ()
    fps: tuple[float, ...] = ()
    faults: int = 0
    waits: tuple[machine.Waiting, ...] = ()
    tries: int = 1

    @property
    def max_gap_ms(self) -> float:
        return max(self.gaps_ms, default=0.0)


def run_row(stack: Stack, row: Row) -> Result:
    """Once. Raises: what the carrier or the worker's door raise when the calls do not come about."""
    with stack.carrier() as carrier, Orders(stack.folder, stack.worker_pid) as orders:
        pids = (stack.worker_pid, carrier.pid)
        with machine.RunQueue(pids, all_threads=stack.mode == "gthread") as queue:
            call = {"repeat": CALLS, "max_s": 60, "steps": [{"hangup": True, "after": "agent_done"}]}
            sids = carrier.start({"calls": [call], "stagger_ms": STAGGER_MS})
            _wait_heard(carrier, sids)
            began_s = time.monotonic()
            evidence = row.disturb(stack, orders)
            reports = progress.wait(carrier, sids, row.what, SECONDS, 60)
            waits = queue.since(began_s)
    stack.wait_metrics(lambda figures: figures['calls{state="live"}'] + figures['calls{state="closing"}'] == 0, 15)
    return _judged(row, reports, evidence, waits)


def _wait_heard(carrier: CarrierPeer, sids: Sequence[str]) -> None:
    deadline = time.monotonic() + HEARD_S
    while not all(carrier.state()[sid]["first_sound"] for sid in sids):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of {len(sids)} calls heard the agent within {HEARD_S:g} s")
        time.sleep(progress.LOOK_S / 5)


def _judged(row: Row, reports: Sequence[CallReport], evidence: Evidence, waits: tuple[machine.Waiting, ...]) -> Result:
    heard = [report["utterances"][0] for report in reports if report["utterances"]]
    gaps = tuple(run["max_gap_ms"] for run in heard)
    fps = tuple(run["fps"] for run in heard)
    numbered = [report["numbered"] for report in reports]
    whole = sum(each["frames"] == SECONDS * 50 for each in numbered)
    faults = sum(each["lost"] + each["doubled"] + each["reordered"] for each in numbered) + (len(reports) - whole)
    worst = max(gaps, default=float("inf"))
    is_good = worst < MAX_GAP_MS and not faults and len(heard) == len(reports)
    # The listener's own waiting is added to every gap that it reports.
    waited_ms = sum(wait.worst_ms for wait in waits)
    is_machine = not faults and worst - waited_ms < MAX_GAP_MS
    verdict = OK if is_good else INCONCLUSIVE if is_machine else FAIL
    if not evidence.is_real:
        verdict = FAIL
    return Result(row, verdict, evidence.told, gaps, fps, faults, waits)


@contextmanager
def stack_for(line: str, mode: Mode, database_url: str | None) -> Iterator[Stack]:
    """The stack a row needs. Raises: NoCertificate."""
    with ExitStack() as closing:
        common: dict[str, Any] = {
            "mode": mode, "scenario": SCENARIO, "conf": CONF, "database_url": database_url, "max_calls": 120,
        }  # fmt: skip
        if line == "pipe":
            stalled, written = os.pipe()
            closing.callback(os.close, stalled)
            closing.callback(os.close, written)
            common |= {"stderr": written, "log_level": "DEBUG"}
        if line == "tls":
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="media-ws-ai-tls-")))
            common["certificate"] = make(folder)
        if line == "names":
            common["model_host"] = "model.bench"
        yield closing.enter_context(Stack(**common))


def measure(rows: Sequence[Row], mode: Mode, database_url: str | None) -> Iterator[Result]:
    """Row after row, stacks shared by neighbours; a row that cannot be measured is a result too."""
    for line in dict.fromkeys(row.line for row in rows):
        chosen = [row for row in rows if row.line == line]
        try:
            with stack_for(line, mode, database_url) as stack:
                for row in chosen:
                    yield _repeated(stack, row, is_ours=database_url is None)
        except NoCertificate as missing:
            yield from (Result(row, SKIPPED, str(missing)) for row in chosen)


def _repeated(stack: Stack, row: Row, is_ours: bool) -> Result:
    if row.name == "frozen" and not is_ours:
        return Result(row, SKIPPED, "a database that is not ours is not frozen")
    for attempt in range(1, REPEATS + 2):
        try:
            result = run_row(stack, row)
        except (OrderFailed, TimeoutError) as failed:
            return Result(row, FAIL, str(failed), tries=attempt)
        if result.verdict != INCONCLUSIVE:
            break
    return Result(**{**{name: getattr(result, name) for name in Result.__slots__}, "tries": attempt})


def _shown(result: Result) -> tuple[str, ...]:
    if not result.gaps_ms:
        return result.row.what, "–", "–", "–", "–", result.verdict, result.note
    gaps = sorted(result.gaps_ms)
    over = sum(gap >= MAX_GAP_MS for gap in gaps)
    worker, listener = result.waits
    again = f" [{result.tries} tries]" if result.tries > 1 else ""
    faulty = f"; {result.faults} frames wrong" if result.faults else ""
    return (
        result.row.what,
        f"{gaps[-1]:.1f} ms",
        f"{over}/{len(gaps)}",
        f"{min(result.fps):.2f}",
        f"{worker.share:.0%} {worker.worst_ms:.0f} ms / {listener.share:.0%} {listener.worst_ms:.0f} ms",
        result.verdict,
        f"{result.note}{faulty}{again}",
    )


HEAD: Final = ("disturbance", "max gap", "≥ 60 ms", "min fps", "waited: worker / listener", "verdict", "")


@click.command()
@click.option("--row", "names", multiple=True, type=click.Choice([row.name for row in ROWS]), help="Only these rows.")
@click.option("--mode", type=click.Choice(["gevent", "gthread"]), default="gevent", show_default=True,
              help="The worker's kind of thread.")  # fmt: skip
@click.option("--database-url", help="A PostgreSQL to use in place of an embedded one; it is migrated and seeded.")
@click.option("--json", "is_json", is_flag=True, help="All figures as JSON on stdout, no table.")
def stall(names: tuple[str, ...], mode: Mode, database_url: str | None, is_json: bool) -> None:
    """Ten running calls, and what must not be heard in them: below 60 ms all the way."""
    rows = [row for row in ROWS if not names or row.name in names]
    results = []
    for result in measure(rows, mode, database_url):
        results.append(result)
        gap = f"{result.max_gap_ms:.1f} ms" if result.gaps_ms else result.note
        click.echo(f"{result.row.what}: {gap}, {result.verdict}", err=True)
    holds = all(result.verdict == OK for result in results)
    if is_json:
        shown = [{**asdict(result), "row": result.row.name, "what": result.row.what} for result in results]
        click.echo(json.dumps({"mode": mode, "machine": machine.described(), "holds": holds, "rows": shown}, indent=1,
                              ensure_ascii=False, default=str))  # fmt: skip
    else:
        click.echo(f"\n{CALLS} running calls, {mode}, {machine.described()}")
        click.echo("waited for a processor: share of the time, most within 100 ms")
        for line in verdicts.table(HEAD, [_shown(result) for result in results]):
            click.echo(verdicts.coloured(line))
        click.echo("all hold" if holds else "NOT all hold")
    sys.exit(0 if holds else 1)
