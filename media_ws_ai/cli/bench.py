"""`media-ws-ai bench …`: measurements on the real stack, each a file of media_ws_ai/bench, imported when called.

Each starts a stack of its own, shows a table with a verdict per line, and exits with 0 when all of them hold, else 1.
"""

import importlib
from typing import Final

import click

BENCHES: Final = {
    "answer": ("media_ws_ai.bench.answer:answer", "One long answer, and a cut in its middle, by the stopwatch."),
    "bargein": ("media_ws_ai.bench.bargein:bargein", "Does the caller begin to speak? On labelled audio."),
    "leaks": ("media_ws_ai.bench.leaks:leaks", "Hundreds of calls, every kind of ending; nothing may be left."),
    "stall": ("media_ws_ai.bench.stall:stall", "What must not disturb running calls."),
}


class BenchGroup(click.Group):
    """Imports a bench's module when that bench is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(BENCHES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in BENCHES:
            return None
        module, _, name = BENCHES[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in BENCHES.items()])


@click.group(cls=BenchGroup)
def bench() -> None:
    """Measure: answer, bargein, leaks, stall."""
