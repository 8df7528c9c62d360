from gevent import monkey; monkey.patch_all()  # noqa: E702, I001  line 1: every lock made after it is a green one

import os

from media_ws_ai.runtime import serving

serving.check_settings()

worker_class = "gevent"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_connections = 1000  # a loose outer bound: a full pool hangs callers, so the application refuses before
bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '5000')}"  # noqa: S104
timeout = 30  # silence of the worker's heartbeat, not the length of a request
graceful_timeout = int(serving.drain_s())
keepalive = 0  # an idle kept-alive connection would hold the shutdown
max_requests = 0  # a websocket is one request: a limit would end calls
preload_app = False
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"

post_fork = serving.post_fork
post_worker_init = serving.post_worker_init
worker_exit = serving.worker_exit
