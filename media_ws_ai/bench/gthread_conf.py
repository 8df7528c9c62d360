"""gunicorn's settings for a worker of operating system threads: the product's hooks, nothing patched.

The product runs under gevent (gunicorn.conf.py). This one serves the benches and the tests, which hold the same code
under both kinds of thread.
"""

import os

from media_ws_ai.runtime import serving

_settings = serving.check_settings()

worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = _settings.max_calls + 60  # a call holds a thread; webhooks and health need some beside
bind = f"{os.environ.get('HOST', '127.0.0.1')}:{_settings.port}"
timeout = 30
graceful_timeout = int(serving.drain_s())
keepalive = 0
max_requests = 0
preload_app = False
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"

post_fork = serving.post_fork
post_worker_init = serving.post_worker_init
worker_exit = serving.worker_exit
