"""A PostgreSQL of our own for `media-ws-ai run` and the tests, so that neither needs anything installed.

It starts, finds and stops one server per data directory. It knows no tables (store, scheduling) and is never
used in production, where DATABASE_URL names a real server. Why it is built so: docs/decisions/0001.
"""

from media_ws_ai.embedded.errors import EmbeddedError
from media_ws_ai.embedded.server import Server, default_data_dir

__all__ = ["EmbeddedError", "Server", "default_data_dir"]
