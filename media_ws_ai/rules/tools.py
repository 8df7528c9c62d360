"""The model's tool calls: each gets exactly one answer, and all answers of a response come before one new response.

Which tools exist, and what may be asked of them, is decided where a call's parameters are made.
"""

from collections.abc import Mapping
from typing import Final

from media_ws_ai.commands import AnswerTool, Command, RunTool
from media_ws_ai.events import ToolCall, ToolDone
from media_ws_ai.rules.refs import Refs
from media_ws_ai.rules.requester import Requester, Wish

UNKNOWN: Final = '{"ok":false,"reason":"unknown_tool","say":"There is no such tool in this call."}'
BROKEN_OFF: Final = (
    '{"ok":false,"reason":"incomplete","say":"The request was broken off; ask again if it is still needed."}'
)


class ToolCalls:
    """Those that are running."""

    def __init__(self, offered: tuple[Mapping[str, object], ...], refs: Refs, requester: Requester) -> None:
        self._offered = {str(tool.get("name")) for tool in offered}
        self._refs = refs
        self._requester = requester
        self._running: set[str] = set()

    @property
    def is_running(self) -> bool:
        return bool(self._running)

    def called(self, calls: tuple[ToolCall, ...], is_whole: bool) -> list[Command]:
        """Calls of a response that ended; `is_whole`: it was completed, so their arguments are not cut short."""
        out: list[Command] = []
        for call in calls:
            if is_whole and call.name in self._offered:
                self._running.add(call.call_id)
                out.append(RunTool(call.call_id, call.name, call.arguments))
            else:
                refusal = UNKNOWN if call.name not in self._offered else BROKEN_OFF
                out.append(AnswerTool(self._refs("tool"), call.call_id, refusal))
        self._ask_when_all_answered()
        return out

    def done(self, event: ToolDone) -> list[Command]:
        """A tool's answer, for the model."""
        self._running.discard(event.call_id)
        self._ask_when_all_answered()
        return [AnswerTool(self._refs("tool"), event.call_id, event.output)]

    def _ask_when_all_answered(self) -> None:
        if not self._running:
            self._requester.wish(Wish("tool"))

    def reset(self) -> None:
        self._running.clear()
