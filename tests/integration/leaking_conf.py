"""A worker that leaks on purpose, as LEAK says: the leak bench must find it and name it.

sender   the model's writer never ends        socket   the descriptor of a model connection is kept
"""

import os
from pathlib import Path

# First, as in the file itself: under gevent it patches before anything else is imported.
exec(compile(Path(os.environ["LEAK_CONF"]).read_text(), os.environ["LEAK_CONF"], "exec"))

import threading  # noqa: E402
from typing import Any  # noqa: E402

from media_ws_ai.runtime.model import ModelSide  # noqa: E402
from media_ws_ai.runtime.model_socket import ModelSocket  # noqa: E402

_kept: list[Any] = []
_never = threading.Event()
_write = ModelSide.write


def _write_for_ever(self: ModelSide) -> None:
    _write(self)
    _never.wait()


if os.environ["LEAK"] == "sender":
    ModelSide.write = _write_for_ever  # type: ignore[method-assign]
else:
    ModelSocket.release = lambda self: _kept.append(self._ws.sock)  # type: ignore[method-assign]
