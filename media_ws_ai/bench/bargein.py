"""`media-ws-ai bench bargein`: the barge-in detector on the labelled set, beside the detectors others know.

The audio is not in the repository; this file says how it is built. Figures are bargein_score's; here are the goals.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from media_ws_ai.audio import vad
from media_ws_ai.bench import bargein_score, machine, verdicts
from media_ws_ai.bench.bargein_score import Figures
from media_ws_ai.bench.verdicts import Check, check
from media_ws_ai.errors import PeerError

HERE: Final = Path(__file__).parent
SET: Final = HERE / "bargein_set"
BASELINES: Final = HERE / "bargein_baselines.json"
AUDIO: Final = "var/bargein-audio"

HEAD: Final = (
    "", "miss %", "blind %", "p50 ms", "p95 ms", "late or missed %", "false/min", "with echo", "leak %", "kept %", "µs",
    "× rms",
)  # fmt: skip

NO_AUDIO: Final = """\
No audio in {folder}. It is built once, on Debian 12 with package lists, from 350 MB of public packages:
  python3.13 -m venv var/bargein-venv
  var/bargein-venv/bin/pip install -r media_ws_ai/bench/bargein_set/requirements.txt
  BARGEIN_AUDIO={folder} var/bargein-venv/bin/python media_ws_ai/bench/bargein_set/build.py all
What it is, and under which licences: media_ws_ai/bench/bargein_set/README.md"""


def judge(found: Figures) -> list[Check]:
    """The goals, one line each."""
    p95 = found.p95
    return [
        check("missed", f"{found.miss} %", "≤ 5 %", found.miss <= 5),
        check("blind", f"{found.blind} %", "≤ 6 %", found.blind <= 6),
        check("false without echo", f"{found.false_plain} a minute", "≤ 3", found.false_plain <= 3),
        check("false with echo", f"{found.false_echo} a minute", "≤ 3", found.false_echo <= 3),
        check("leak", f"{found.leak} %", "≤ 4 %", found.leak <= 4),
        check("kept", f"{found.kept} %", "≥ 95 %", found.kept >= 95),
        check("onset p95", f"{p95} ms", "≤ 400 ms", p95 is not None and p95 <= 400),
        check("cost", f"{found.x_rms} × ulaw2lin + rms", "≤ 20 ×", found.x_rms <= 20),
    ]


def baselines() -> dict[str, Any]:
    """Figures of known detectors as they were measured once; never measured here."""
    data: dict[str, Any] = json.loads(BASELINES.read_text(encoding="utf-8"))
    return data


def published_digest() -> str:
    """SHA-256 of the development set's audio."""
    return str(json.loads((SET / "audio.sha256").read_text(encoding="utf-8"))["dev"])


def _row(name: str, cells: dict[str, Any]) -> tuple[str, ...]:
    return (name, *("–" if value is None else str(value) for value in cells.values()))


def _show(found: Figures, parts: dict[str, Figures], is_dev: bool, is_detail: bool) -> None:
    known = baselines()
    rows = [_row("this detector", asdict(found))]
    rows += [_row(name, cells) for name, cells in known["detectors"].items()]
    for line in verdicts.table(HEAD, rows):
        click.echo(line)
    click.echo(f"\nThis detector: measured now ({machine.described()}). The others: {known['measured']}.")
    if not is_dev:
        click.echo("The audio is not the published development set: the others' figures are of another set.")
    if is_detail:
        click.echo("")
        for line in verdicts.table(HEAD[:-2], [_row(name, asdict(part))[:-2] for name, part in parts.items()]):
            click.echo(line)


@click.command()
@click.option("--audio", "folder", default=None, help=f"Where it was built. [default: $BARGEIN_AUDIO or {AUDIO}]")
@click.option("--detail", "is_detail", is_flag=True, help="The figures by background, too.")
@click.option("--json", "is_json", is_flag=True, help="Everything as one JSON document instead of tables.")
def bargein(folder: str | None, is_detail: bool, is_json: bool) -> None:
    """Does the caller begin to speak? The local detector against labelled audio and known detectors."""
    place = Path(folder or os.environ.get("BARGEIN_AUDIO") or AUDIO)
    audio = place / "dev.npz"
    if not audio.is_file():
        click.echo(NO_AUDIO.format(folder=place), err=True)
        sys.exit(1)
    labels = place / "labels-dev.jsonl"
    try:
        scenarios, digest = bargein_score.load(audio, labels if labels.is_file() else SET / labels.name)
    except PeerError as error:
        click.echo(f"{error}", err=True)
        sys.exit(1)
    found, parts = bargein_score.score(vad.make, scenarios)
    checks = judge(found)
    is_dev = digest == published_digest()
    if is_json:
        document = {
            "machine": machine.described(),
            "is_published_set": is_dev,
            "scenarios": len(scenarios),
            "detector": asdict(found),
            "parts": {name: asdict(part) for name, part in parts.items()},
            "checks": verdicts.as_json(checks),
            "baselines": baselines(),
        }
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        _show(found, parts, is_dev, is_detail)
        verdicts.show("The goals", checks)
    sys.exit(0 if verdicts.all_hold(checks) else 1)
