"""`media-ws-ai bench answer`: long answers by the caller's stopwatch, and cuts in their middle.

    one call per length   the model delivers N seconds of numbered audio at once; what the caller heard, against what
                          was sent and against what the worker's log says of itself
    the cuts              several calls at a time, each cut by the session's own command; on one clock: the order,
                          the `clear` at the carrier, what came after it, and what the model was told

Figures come from the carrier, the model stand-in and the log; this file only compares.
"""

import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from media_ws_ai.bench import machine, progress, verdicts
from media_ws_ai.bench.cuts import CutRun, cut_run
from media_ws_ai.bench.stack import Mode, Stack
from media_ws_ai.bench.verdicts import Check, check
from media_ws_ai.log_record import read_record
from media_ws_ai.peers.carrier.process import CallReport

CUT_CONF: Final = Path(__file__).with_name("cut_conf.py")
FPS: Final = (49.5, 50.5)
LOGGED_FPS: Final = (47.0, 52.0)
LOGGED_IN_A_ROW: Final = 3
MAX_GAP_MS: Final = 60.0
DELIVERED_S: Final = 0.5
CLEAR_MS: Final = 20.0
BUFFER_MS: Final = "60"
"""The carrier's play-out buffer that must never run dry."""
BUSY: Final = 0.10
"""A worker that waits for a processor this share of the time is on a machine that measures itself."""


@dataclass(frozen=True, slots=True)
class AnswerRun:
    """What one long answer was, by all three witnesses."""

    seconds: float
    report: CallReport
    session: dict[str, Any]
    log: list[str]
    worker_wait: machine.Waiting
    carrier_wait: machine.Waiting


def answer_run(stack: Stack, seconds: float) -> AnswerRun:
    """One call whose greeting is `seconds` of numbered audio, delivered at once."""
    stack.model.next({"greeting": [{"text": "One long answer.", "numbered": seconds, "burst": True}]})
    plan = {
        "calls": [
            {
                "max_s": seconds + 30,
                "steps": [{"hangup": True, "after": "agent_done", "within_ms": int(seconds * 1000) + 20_000}],
            }
        ]
    }
    with stack.carrier() as carrier:
        pids = (stack.worker_pid, carrier.pid)
        with machine.RunQueue(pids, all_threads=stack.mode == "gthread") as queue:
            began_s = time.monotonic()
            label = f"{seconds:g} s answer ({stack.mode})"
            (report,) = progress.hold(carrier, plan, label, seconds + 2, seconds + 45)
            worker_wait, carrier_wait = queue.since(began_s)
    stack.wait_metrics(lambda figures: figures['calls{state="live"}'] + figures['calls{state="closing"}'] == 0, 10)
    (row,) = report["numbered"]["utterances"] or [{"session": 0}]
    return AnswerRun(
        seconds, report, stack.model.session(row["session"] or None), stack.log_lines(), worker_wait, carrier_wait
    )


def judge_answer(run: AnswerRun) -> list[Check]:
    """One line per promise."""
    wanted_frames = round(run.seconds * 50)
    report, numbered = run.report, run.report["numbered"]
    heard = report["utterances"]
    if len(heard) != 1 or len(run.session["responses"]) != 1:
        return [check("one answer", f"{len(heard)} heard", "1", holds=False, note=str(report["end"]))]
    (row,), (response,) = heard, run.session["responses"]
    delivered_s = (response["last_audio_at_s"] or math.inf) - (response["first_audio_at_s"] or 0.0)
    highest = numbered["utterances"][0]["highest"] + 1
    dry = row["underruns"][BUFFER_MS]
    return [
        check(
            "delivered by the model within", f"{delivered_s:.2f} s", f"≤ {DELIVERED_S} s", delivered_s <= DELIVERED_S
        ),
        check("rate", f"{row['fps']:.3f} fps", "50.0 ± 0.5", FPS[0] <= row["fps"] <= FPS[1]),
        check("largest gap", f"{row['max_gap_ms']:.1f} ms", f"< {MAX_GAP_MS:g} ms", row["max_gap_ms"] < MAX_GAP_MS),
        check(
            "frames heard of those sent",
            f"{numbered['frames']} of {wanted_frames}, the last is number {highest}",
            "all",
            numbered["frames"] == highest == wanted_frames,
        ),
        check(
            "lost, doubled, reordered, shifted",
            f"{numbered['lost']}, {numbered['doubled']}, {numbered['reordered']}, {numbered['shifted']}",
            "0, 0, 0, 0",
            not any(numbered[name] for name in ("lost", "doubled", "reordered", "shifted")),
        ),
        check(
            f"play-out buffer of {BUFFER_MS} ms dry",
            f"{dry['count']} times, {dry['ms']:.0f} ms",
            "never",
            dry["count"] == 0,
            note=f"one of 20 ms: {row['underruns']['20']['count']} times",
        ),
        *_judge_log(run, row),
    ]


def _judge_log(run: AnswerRun, row: dict[str, Any]) -> list[Check]:
    """What the worker says of itself must be what the caller heard."""
    seconds, last = logged(run.log, run.report["call_sid"])
    in_a_row = longest_run(seconds)
    worst = max((second["max_gap_ms"] for second in seconds), default=math.inf)
    odd = [second for second in seconds if second["frames"] and not LOGGED_FPS[0] <= second["fps"] <= LOGGED_FPS[1]]
    off_ms = abs(worst - row["max_gap_ms"])
    return [
        check(
            "log: seconds within 47–52 fps",
            f"{in_a_row} in a row, {len(odd)} of {len(seconds)} outside",
            f"≥ {LOGGED_IN_A_ROW}, 0",
            in_a_row >= min(LOGGED_IN_A_ROW, int(run.seconds)) and not odd,
        ),
        check("log: largest gap", f"{worst:.1f} ms", f"≤ {MAX_GAP_MS:g} ms", worst <= MAX_GAP_MS),
        check("log and stopwatch differ by", f"{off_ms:.1f} ms", "< 20 ms", off_ms < 20),
        check(
            "log: frames sent, dropped, flushed",
            f"{last.get('frames_sent')}, {last.get('frames_dropped')}, {last.get('frames_flushed')}",
            f"{round(row['frames'])}, 0, 0",
            (last.get("frames_sent"), last.get("frames_dropped"), last.get("frames_flushed"))
            == (round(row["frames"]), 0, 0),
        ),
    ]


def logged(lines: Sequence[str], call_sid: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fields of a call's [TX_METRICS] lines in order, and of its [CALL_METRICS] line ({} without one)."""
    seconds: list[dict[str, Any]] = []
    last: dict[str, Any] = {}
    for line in lines:
        if "_METRICS]" not in line or call_sid not in line:
            continue
        record = read_record(line)
        parsed = record.parsed if record is not None and record.call_sid == call_sid else None
        if parsed is not None and parsed.marker == "tx_metrics":
            seconds.append(parsed.fields)
        elif parsed is not None and parsed.marker == "call_metrics":
            last = parsed.fields
    return seconds, last


def longest_run(seconds: Sequence[dict[str, Any]]) -> int:
    """Most consecutive readings within 47–52 fps."""
    best = now = 0
    for second in seconds:
        now = now + 1 if LOGGED_FPS[0] <= second["fps"] <= LOGGED_FPS[1] else 0
        best = max(best, now)
    return best


def judge_cuts(run: CutRun) -> list[Check]:
    """The cuts, together."""
    times = sorted(cut.clear_ms for cut in run.cuts)
    cut_count = len(times)
    p50, worst = (times[(cut_count - 1) // 2], times[-1]) if times else (math.inf, math.inf)
    old_ms = sum(cut.old_audio_ms for cut in run.cuts)
    over = [cut for cut in run.cuts if cut.told_ms is None or cut.told_ms > cut.heard_ms]
    running = [cut for cut in run.cuts if cut.was_running]
    uncancelled = [cut for cut in running if not cut.was_cancelled]
    gaps_ms = sorted(cut.heard_ms - cut.told_ms for cut in run.cuts if cut.told_ms is not None)
    return [
        check("cuts that brought one `clear`", f"{cut_count} of {run.ordered}", "all", cut_count == run.ordered),
        check(
            "order → `clear` at the carrier",
            f"p50 {p50:.1f} ms, max {worst:.1f} ms",
            f"≤ {CLEAR_MS:g} ms",
            worst <= CLEAR_MS,
            note=f"{run.at_a_time} calls at a time",
        ),
        check("old audio after `clear`", f"{old_ms:.0f} ms", "0 ms", old_ms == 0),
        check(
            "the model told no more than was heard",
            f"{cut_count - len(over)} of {cut_count}",
            "all",
            not over and cut_count > 0,
            note=f"told less by {gaps_ms[0]:.0f}–{gaps_ms[-1]:.0f} ms" if gaps_ms else "",
        ),
        check(
            "answers still being made, cancelled",
            f"{len(running) - len(uncancelled)} of {len(running)}",
            "all",
            not uncancelled,
        ),
    ]


def _machine_line(waits: Sequence[machine.Waiting]) -> str:
    worker, carrier = waits
    busy = "  ← a busy machine: figures above are worth little" if max(worker.share, carrier.share) > BUSY else ""
    return (
        f"  waited for a processor: worker {worker.share:.1%} (worst 100 ms: {worker.worst_ms:.0f} ms), "
        f"carrier {carrier.share:.1%} ({carrier.worst_ms:.0f} ms){busy}"
    )


@click.command()
@click.option("--seconds", type=click.FloatRange(1, 119), multiple=True, default=(30.0, 110.0), show_default=True,
              help="Length of an answer; may be given several times.")  # fmt: skip
@click.option("--cuts", type=click.IntRange(0, 40), default=12, show_default=True, help="How many cuts; 0 for none.")
@click.option("--mode", type=click.Choice(["gevent", "gthread"]), default="gevent", show_default=True,
              help="The worker's kind of thread.")  # fmt: skip
@click.option("--database-url", help="A PostgreSQL to use in place of an embedded one; it is migrated and seeded.")
@click.option("--json", "is_json", is_flag=True, help="All figures as JSON on stdout, no table.")
def answer(seconds: tuple[float, ...], cuts: int, mode: Mode, database_url: str | None, is_json: bool) -> None:
    """Long answers heard without a hole, and a cut in the middle that is heard at once."""
    lines: dict[str, list[Check]] = {}
    machines: dict[str, tuple[machine.Waiting, machine.Waiting]] = {}
    with Stack(mode=mode, conf=CUT_CONF, database_url=database_url) as stack:
        for length in seconds:
            run = answer_run(stack, length)
            title = f"an answer of {length:g} s"
            lines[title], machines[title] = judge_answer(run), (run.worker_wait, run.carrier_wait)
            if not is_json:
                verdicts.show(title, lines[title])
                click.echo(_machine_line(machines[title]))
        if cuts:
            found = cut_run(stack, cuts)
            title = f"{cuts} cuts in the middle of 30 s"
            lines[title], machines[title] = judge_cuts(found), (found.worker_wait, found.carrier_wait)
            if not is_json:
                verdicts.show(title, lines[title])
                click.echo(_machine_line(machines[title]))
    holds = all(verdicts.all_hold(checks) for checks in lines.values())
    if is_json:
        shown = {title: verdicts.as_json(checks) for title, checks in lines.items()}
        click.echo(json.dumps({"mode": mode, "machine": machine.described(), "holds": holds, "runs": shown}, indent=1,
                              ensure_ascii=False))  # fmt: skip
    else:
        click.echo(f"\n{mode}, {machine.described()}: {'all hold' if holds else 'NOT all hold'}")
    sys.exit(0 if holds else 1)
