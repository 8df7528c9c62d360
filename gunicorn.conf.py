from gevent import monkey; monkey.patch_all()  # noqa: E702, I001  line 1: every lock made after it is a green one

from media_ws_ai.runtime import serving

globals().update(serving.gunicorn_settings(serving.check_settings()))

worker_class = "gevent"
worker_connections = 1000  # a loose outer bound: a full pool hangs callers, so the application refuses before
