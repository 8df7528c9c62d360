"""The command group; knows the commands' names and where each lives, and nothing else."""

import importlib

import click

COMMANDS = {
    "run": ("media_ws_ai.cli.run:run", "Start everything; place a first call."),
    "call": ("media_ws_ai.cli.call:call", "Place a simulated call against any worker."),
    "bench": ("media_ws_ai.cli.bench:bench", "Measure: answer, leaks, stall."),
    "judge": ("media_ws_ai.cli.judge:judge", "Ask the judges: JSON lines in, verdict and reason out."),
    "db": ("media_ws_ai.cli.db:db", "The database: start, stop, url, upgrade, seed."),
    "clips": ("media_ws_ai.cli.clips:clips", "Render the spoken clips anew."),
}


class LazyGroup(click.Group):
    """Imports a command's module when that command is asked for: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option(package_name="media-ws-ai")
def main() -> None:
    """The phone agent and its tools."""
