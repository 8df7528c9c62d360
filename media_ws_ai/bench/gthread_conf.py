"""gunicorn's settings for a worker of operating system threads: the product's, nothing patched.

The product runs under gevent (gunicorn.conf.py). This one serves the benches and the tests, which hold the same code
under both kinds of thread.
"""

from media_ws_ai.runtime import serving

_settings = serving.check_settings()
globals().update(serving.gunicorn_settings(_settings))

worker_class = "gthread"
threads = _settings.max_calls + 60  # a call holds a thread; webhooks and health need some beside
