"""gunicorn's settings of the worker measured, and one order more: `cut`, the session's own command to stop speaking."""

import os
from pathlib import Path
from typing import Any

# First, as in the file itself: under gevent it patches before anything else is imported.
exec(compile(Path(os.environ["BENCH_BASE_CONF"]).read_text(), os.environ["BENCH_BASE_CONF"], "exec"))

from media_ws_ai.bench import orders  # noqa: E402
from media_ws_ai.events import CutOrdered  # noqa: E402
from media_ws_ai.runtime import serving  # noqa: E402


def post_worker_init(worker: Any) -> None:
    """The product's hook, then the door for orders."""
    serving.post_worker_init(worker)
    registry = worker.wsgi.extensions["worker"].registry

    def cut(call_sid: str) -> bool:
        call = registry.get(call_sid)
        if call is not None:
            call.order(CutOrdered("bench"))
        return call is not None

    orders.serve({"cut": cut})
