"""ToolRunner: runs a tool of the model and always answers it (D3). Started only where tools are offered."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

import orjson

from media_ws_ai.events import ToolDone
from media_ws_ai.runtime.core import CallCore

Tool = Callable[[str], Mapping[str, object]]
"""Takes the model's arguments (JSON text) and returns the answer; bounded in time by itself."""

_log: Final = logging.getLogger(__name__)


class ToolRunner:
    """One tool at a time, off the audio path."""

    def __init__(self, tools: Mapping[str, Tool], core: CallCore, stop: threading.Event) -> None:
        self._tools = tools
        self._core = core
        self._stop = stop

    def run(self) -> None:
        while not self._stop.is_set():
            for order in self._core.tools.take(timeout_s=0.5):
                answer = self._answer(order.name, order.arguments)
                self._core.handle(ToolDone(order.call_id, orjson.dumps(answer).decode()))

    def _answer(self, name: str, arguments: str) -> Mapping[str, object]:
        try:
            return self._tools[name](arguments)
        except Exception as error:  # whatever a tool does, the model and the caller get an answer
            _log.exception("tool %s", name)
            return {"ok": False, "reason": "exception", "detail": type(error).__name__}
