"""`python -m media_ws_ai.peers.carrier`: a plan carried out and reported, or a carrier that waits for orders."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from media_ws_ai.peers.carrier.control import ControlledCarrier
from media_ws_ai.peers.carrier.plan import Plan
from media_ws_ai.peers.carrier.webhook import Target


@click.command()
@click.option("--url", required=True, help="Where the worker listens, such as http://127.0.0.1:5000.")
@click.option("--public-url", default="", help="The public URL it is known by, when that is another.")
@click.option("--token", default="", envvar="TWILIO_AUTH_TOKEN", help="Sign with this token.")
@click.option("--account-sid", default="AC" + "0" * 32, show_default=True)
@click.option("--plan", "plan_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--report", "report_file", type=click.Path(dir_okay=False, path_type=Path), help="Default: stdout.")
@click.option("--rest-port", default=0, help="Port of the REST stand-in; 0: any free one.")
@click.option("--serve", is_flag=True, help="Wait for orders until standard input ends.")
def main(
    url: str, public_url: str, token: str, account_sid: str, plan_file: Path | None, report_file: Path | None,
    rest_port: int, serve: bool,
) -> None:  # fmt: skip
    """Play the carrier for simulated calls. With --plan: run it, report, end. With --serve: take orders."""
    target = Target(url.rstrip("/"), public_url.rstrip("/"), token, account_sid)
    if (plan_file is None) == (not serve):
        raise click.UsageError("exactly one of --plan and --serve is needed")
    try:
        if plan_file is None:
            asyncio.run(_serve(target, rest_port))
            return
        result = asyncio.run(_run(target, rest_port, Plan.load(plan_file)))
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    text = json.dumps(result, ensure_ascii=False, indent=1)
    if report_file is None:
        click.echo(text)
    else:
        report_file.write_text(text + "\n", encoding="utf-8")


async def _run(target: Target, rest_port: int, plan: Plan) -> dict[str, Any]:
    async with ControlledCarrier(target, rest_port=rest_port) as carrier:
        _ready(carrier, sys.stderr)
        calls = await carrier.run(plan)
        return {"calls": calls, "clock": carrier.ticker.figures()}


async def _serve(target: Target, rest_port: int) -> None:
    """Until standard input ends, which it does when the parent dies, however it dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's; its end is ours
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = sys.stdin.fileno()
    os.set_blocking(descriptor, False)

    def readable() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            ended.set()

    async with ControlledCarrier(target, rest_port=rest_port) as carrier:
        loop.add_reader(descriptor, readable)
        _ready(carrier, sys.stdout)
        await ended.wait()


def _ready(carrier: ControlledCarrier, to: Any) -> None:
    print(
        json.dumps({"rest": carrier.rest_url, "control": carrier.rest_url + "/carrier", "pid": os.getpid()}),
        file=to,
        flush=True,
    )


if __name__ == "__main__":
    main()
