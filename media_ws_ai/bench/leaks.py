"""`media-ws-ai bench leaks`: hundreds of calls over every kind of ending; afterwards nothing of them may be left.

    warm-up wave ─▶ at rest ─▶ one phase per ending ─▶ waves of mixed endings ─▶ worker restarted ─▶ all stopped
                               after each: both witnesses back at rest within 5 s of the last end being known

Judged beside it: how each call ended, its log (`call_log`), and memory per call. Endings are `endings`' job, what a
worker holds `witness`', the order of it all `leak_run`'s; here is the command, its table and its verdict.
"""

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from media_ws_ai.bench import certificate
from media_ws_ai.bench.leak_report import RSS_LIMIT_KB, Report, Row
from media_ws_ai.bench.leak_run import LeakRun
from media_ws_ai.bench.stack import Mode, Stack
from media_ws_ai.peers.carrier.process import CarrierPeer

MODES: Final[dict[str, tuple[Mode, ...]]] = {
    "gevent": ("gevent",),
    "threads": ("gthread",),
    "both": ("gevent", "gthread"),
}
DRAIN_S: Final = 10.0
TOKEN: Final = "bench"


def measure(mode: Mode, calls: int, at_once: int, waves: int, wave_calls: int, is_tls: bool = False) -> Report:
    """One mode on a stack of its own; the model by wss when `is_tls`. Raises: NoCertificate, StackError."""
    with (
        tempfile.TemporaryDirectory(prefix="media-ws-ai-leaks-") as folder,
        CarrierPeer(token=TOKEN) as carrier,
        Stack(
            mode=mode,
            twilio_api_url=carrier.rest_url,
            token=TOKEN,
            drain_s=DRAIN_S,
            certificate=certificate.make(Path(folder)) if is_tls else None,
            env={"LOG_FORMAT": "json"},
        ) as stack,
    ):
        carrier.aim(stack.url)
        run = LeakRun(stack, carrier, at_once, lambda row: click.echo(_line(row)))
        return run.everything(calls, waves, wave_calls)


def _line(row: Row) -> str:
    cells = f"{row.name:<22} {row.calls:>5} {row.streams:>7} {row.took_s:>6.1f} {row.settled_s:>9.2f} "
    cells += f"{row.cleanup_ms:>10.0f} {row.rss_kb:>9}  "
    return cells + ("ok" if not row.faults else "FAILED") + "".join(f"\n    {fault}" for fault in row.faults)


HEAD: Final = (
    f"{'phase':<22} {'calls':>5} {'streams':>7} {'took s':>6} "
    f"{'at rest s':>9} {'cleanup ms':>10} {'RSS kB':>9}  verdict"
)


def _summary(report: Report) -> Sequence[str]:
    slope = report.rss_kb_per_call
    verdict = "ok" if slope is None or slope <= RSS_LIMIT_KB else "FAILED"
    shown = "too few phases" if slope is None else f"{slope:.1f} kB per call (limit {RSS_LIMIT_KB:g})"
    return (
        f"memory: {shown}  {verdict}",
        f"{report.calls} calls, {report.streams} streams under {report.mode} in {report.took_s:.0f} s: "
        f"{'nothing is left' if report.is_well else 'FAILED'}",
    )


def _json(report: Report) -> str:
    """`settled_s` is null where rest was not reached: JSON has no infinity."""
    data = {**asdict(report), "is_well": report.is_well}
    for row in data["rows"]:
        row["settled_s"] = row["settled_s"] if math.isfinite(row["settled_s"]) else None
    return json.dumps(data, ensure_ascii=False)


@click.command()
@click.option("--mode", type=click.Choice(sorted(MODES)), default="both", show_default=True)
@click.option("--calls", default=300, show_default=True, help="Over all endings together.")
@click.option("--at-once", default=20, show_default=True)
@click.option("--waves", default=3, show_default=True, help="Of mixed endings, all at once.")
@click.option("--wave-calls", default=30, show_default=True)
@click.option("--tls", is_flag=True, help="The model by wss, with a certificate made for the run.")
@click.option("--json", "as_json", is_flag=True, help="The reports as one JSON line each, after the tables.")
def leaks(mode: str, calls: int, at_once: int, waves: int, wave_calls: int, tls: bool, as_json: bool) -> None:
    """Hundreds of calls, every kind of ending; nothing may be left."""
    reports = []
    for each in MODES[mode]:
        by = ", model by wss" if tls else ""
        click.echo(f"{each}: {calls} calls, {at_once} at once, and {waves} waves of {wave_calls}{by}\n{HEAD}")
        report = measure(each, calls, at_once, waves, wave_calls, tls)
        reports.append(report)
        for text in _summary(report):
            click.echo(text)
        click.echo("")
    if as_json:
        for report in reports:
            click.echo(_json(report))
    raise SystemExit(0 if all(report.is_well for report in reports) else 1)
