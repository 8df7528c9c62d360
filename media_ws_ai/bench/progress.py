"""Calls under way, shown: a line on stderr, rewritten each second on a terminal, said once elsewhere."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from media_ws_ai.peers.carrier.process import CallReport, CarrierPeer

LOOK_S: Final = 0.5
BAR: Final = 30


class Progress:
    """One line of it; `done` ends it."""

    def __init__(self, label: str, expected_s: float) -> None:
        self._label = label
        self._expected_s = expected_s
        self._began = time.monotonic()
        self._is_live = sys.stderr.isatty()
        if not self._is_live:
            click.echo(f"… {label} (about {expected_s:.0f} s)", err=True)

    def show(self, detail: str = "") -> None:
        """How far it is, by the clock."""
        if not self._is_live:
            return
        spent_s = time.monotonic() - self._began
        full = min(BAR, int(BAR * spent_s / self._expected_s))
        bar = "█" * full + "░" * (BAR - full)
        click.echo(f"\r\x1b[2K{self._label}  {bar} {spent_s:4.0f} s  {detail}", err=True, nl=False)

    def done(self) -> None:
        if self._is_live:
            click.echo("\r\x1b[2K", err=True, nl=False)


def hold(
    carrier: CarrierPeer,
    plan: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    label: str,
    expected_s: float,
    timeout_s: float,
) -> list[CallReport]:
    """Run a plan to its end, showing how far it is. Raises: CarrierError when it is not over in time."""
    sids = carrier.start(plan)
    return wait(carrier, sids, label, expected_s, timeout_s)


def wait(
    carrier: CarrierPeer, sids: Sequence[str], label: str, expected_s: float, timeout_s: float
) -> list[CallReport]:
    """Wait for the calls of the plan started last."""
    progress = Progress(label, expected_s)
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            states = carrier.state()
            over = sum(states[sid]["stage"] == "over" for sid in sids)
            if over == len(sids):
                break
            heard_s = sum(states[sid]["agent_ms"] for sid in sids) / 1000
            progress.show(f"{over}/{len(sids)} calls over, {heard_s:.0f} s of agent heard")
            time.sleep(LOOK_S)
        return carrier.wait(timeout_s=max(1.0, deadline - time.monotonic()))
    finally:
        progress.done()
