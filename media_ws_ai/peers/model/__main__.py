"""`python -m media_ws_ai.peers.model`: serves the stand-in and prints where, as one line of JSON, when it accepts."""

import argparse
import asyncio
import gc
import os
import signal
import ssl
import sys
from typing import Final

import orjson
from aiohttp import web

from media_ws_ai.peers.model import library
from media_ws_ai.peers.model.control import Control
from media_ws_ai.peers.model.scenario import Scenario
from media_ws_ai.peers.model.schema import Schema
from media_ws_ai.peers.model.server import PATH, Handshake, Hub
from media_ws_ai.peers.model.strict import Malformed

PARENT_CHECK_S: Final = 0.5


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m media_ws_ai.peers.model", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--scenario", default="demo", help="a JSON file, or the name of a built-in one (default demo)")
    parser.add_argument("--cert", help="PEM certificate: serves wss and https")
    parser.add_argument("--key", help="PEM key of --cert")
    parser.add_argument(
        "--speed", type=float, help="audio seconds sent per second (default: the scenario's, usually 10)"
    )
    parser.add_argument("--schema", choices=("auto", "off"), default="auto", help="check events by the openai package")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes or the parent dies")
    return parser.parse_args()


def _first_scenario(arguments: argparse.Namespace) -> Scenario:
    name: str = arguments.scenario
    return library.from_json(name) if name in library.BUILT_IN else library.load(name)


async def _serve(arguments: argparse.Namespace, hub: Hub) -> None:
    app = web.Application()
    app.router.add_get(PATH, Handshake(hub))
    app.add_routes(Control(hub).routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    tls: ssl.SSLContext | None = None
    if arguments.cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.cert, arguments.key)
    site = web.TCPSite(runner, arguments.host, arguments.port, ssl_context=tls, backlog=512)
    await site.start()
    port = runner.addresses[0][1]
    secure, at = ("s" if tls else ""), f"{arguments.host}:{port}"
    ready = {"url": f"ws{secure}://{at}{PATH}", "control": f"http{secure}://{at}/control", "pid": os.getpid()}
    print(orjson.dumps(ready).decode(), flush=True)
    gc.freeze()
    await (_until_orphaned() if arguments.with_parent else asyncio.Event().wait())


async def _until_orphaned() -> None:
    """Returns when standard input is closed or the parent is another than at the start."""
    parent, closed = os.getppid(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            closed.set()

    loop.add_reader(sys.stdin.fileno(), readable)
    while not closed.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(closed.wait(), PARENT_CHECK_S)
        except TimeoutError:
            continue


def main() -> int:
    """Exit status 2 with one sentence when the scenario is malformed."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # At once, whatever the sessions are doing: a killed service says no goodbye.
        signal.signal(number, lambda *_: os._exit(0))
    arguments = _arguments()
    try:
        scenario = _first_scenario(arguments)
    except (Malformed, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(_serve(arguments, Hub(scenario, Schema(arguments.schema), arguments.speed)))
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
