"""gunicorn's hooks, for gevent workers and for threaded ones: patching, logs, warm-up, drain, the end.

Here and in the command line alone the environment is read.
"""

import gc
import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, Literal

from media_ws_ai import logs, markers
from media_ws_ai.config import Settings, load
from media_ws_ai.errors import ContractError, SettingsError
from media_ws_ai.logs import NO_CALL


def check_settings() -> Settings:
    """In the master, before anything is forked: all faults at once, and no restart loop."""
    try:
        return load(os.environ)
    except SettingsError as error:
        print(f"media-ws-ai cannot start:\n{error}", file=sys.stderr, flush=True)
        sys.exit(1)


def gunicorn_settings(settings: Settings) -> dict[str, Any]:
    """What every configuration of gunicorn has in common; the kind of worker is its own.

    gunicorn reads WEB_CONCURRENCY by itself when it is imported, before any configuration: a word in it ends plain
    gunicorn with a traceback. `media-ws-ai run` has checked it before.
    """
    return {
        "workers": settings.workers,
        "bind": settings.bind,
        "timeout": 30,  # silence of the worker's heartbeat, not the length of a request
        "graceful_timeout": int(settings.drain_s),
        "keepalive": 0,  # an idle kept-alive connection would hold the shutdown
        "max_requests": 0,  # a websocket is one request: a limit would end calls
        "preload_app": False,
        "control_socket_disable": True,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "post_fork": post_fork,
        "post_worker_init": post_worker_init,
        "worker_exit": worker_exit,
    }


def is_green() -> bool:
    """Threads are greenlets in this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def post_fork(server: Any, worker: Any) -> None:
    """Before the application is imported in the worker."""
    settings = load(os.environ)
    fmt: Literal["json", "text"] = "json" if settings.log_format == "json" else "text"
    logs.configure(settings.log_level, fmt, adopt=("gunicorn.error", "gunicorn.access"))
    logging.getLogger("twilio.http_client").setLevel(logging.WARNING)  # it logs every header of a request
    if is_green():
        from psycogreen.gevent import patch_psycopg  # only where gevent is in force

        patch_psycopg()


def post_worker_init(worker: Any) -> None:
    """The application is loaded: warm up, freeze what will live for ever, watch for SIGTERM."""
    check_wiring()
    parts = worker.wsgi.extensions["worker"]
    parts.warm_up()
    parts.drain.watch()
    _on_sigterm(parts.drain.ask)
    if is_green():
        _accept_one_by_one()
    gc.collect()
    gc.freeze()
    NO_CALL.write(markers.worker_started(pid=os.getpid(), settings=parts.settings.shown()))
    for note in parts.settings.notes():
        NO_CALL.write(markers.settings_note(note=note))


def _accept_one_by_one() -> None:
    """New callers wait for running calls: one connection per turn of the loop.

    gevent takes up to a hundred at once; the webhooks of fifty callers then ran in one turn and were heard in every
    running call as a gap of more than 100 ms.
    """
    from gevent.baseserver import BaseServer

    BaseServer.max_accept = 1


def check_wiring() -> None:
    """A worker patched by halves freezes at the first hang-up or the first slow query: better not to start."""
    if not is_green():
        return
    import psycopg2.extensions

    if psycopg2.extensions.get_wait_callback() is None:
        raise ContractError("gevent is in force and psycogreen is not: a slow query would stop every call")


def _on_sigterm(ask: Any) -> None:
    earlier = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        ask()
        if callable(earlier):
            earlier(number, frame)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handle)


def worker_exit(server: Any, worker: Any) -> None:
    """A drain is finished, then what is queued for database and log is written; each within its deadline.

    gunicorn 27's threaded worker counts a closed websocket twice and leaves its loop while calls still run. No
    heartbeat is possible here: a drain longer than gunicorn's `timeout` is for the gevent worker, which waits in its
    loop.
    """
    app = getattr(worker, "wsgi", None)
    if app is not None:
        parts = app.extensions["worker"]
        parts.drain.finish()
        parts.close()
    NO_CALL.write(markers.worker_stopped(pid=os.getpid()))
    logs.unconfigure()
