"""`python -m media_ws_ai …`: the command line where the package is not installed, as on a dyno."""

from media_ws_ai.cli.main import main

main(prog_name="media-ws-ai")
