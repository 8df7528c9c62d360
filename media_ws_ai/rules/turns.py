"""The caller's turns: which of their items waits for an answer. One answer each, in the order they were spoken.

A completed transcript with words in it is a turn. What it means, and whether it may be believed, is the business of
the guards, which stand before this room.
"""

from collections import deque
from typing import Final

from media_ws_ai import markers
from media_ws_ai.commands import Command, Log, Record
from media_ws_ai.events import SpeechStarted, Transcript, TranscriptFailed
from media_ws_ai.rules.history import History
from media_ws_ai.rules.requester import Requester, Wish

MAX_ITEMS: Final = 200


class Turns:
    """Keyed by item, because transcripts come late and out of order."""

    def __init__(self, requester: Requester, history: History) -> None:
        self._requester = requester
        self._history = history
        self._started_ms: dict[str, int] = {}
        self._seen: deque[str] = deque(maxlen=MAX_ITEMS)
        self.count = 0
        self.empty = 0
        self.failed = 0
        self.doubled = 0

    def speech_started(self, event: SpeechStarted, offset_ms: int) -> None:
        if len(self._started_ms) >= MAX_ITEMS:
            self._started_ms.pop(next(iter(self._started_ms)))
        self._started_ms[event.item_id] = offset_ms

    def transcribed(self, event: Transcript, offset_ms: int) -> list[Command]:
        started_ms = self._started_ms.pop(event.item_id, offset_ms)
        text = event.text.strip()
        if not text:
            self.empty += 1
            return []
        if event.item_id in self._seen:
            self.doubled += 1
            return []
        self._seen.append(event.item_id)
        self.count += 1
        self._history.add("user", text, started_ms)
        self._requester.wish(Wish("answer", items=(event.item_id,)))
        payload = {"text": text, "item_id": event.item_id, "transcript_at_ms": offset_ms}
        return [Log(markers.caller_said(text=text)), Record("caller_line", started_ms, payload)]

    def reset(self) -> None:
        self._started_ms.clear()
        self._seen.clear()

    def failed_to_transcribe(self, event: TranscriptFailed, offset_ms: int) -> list[Command]:
        self.failed += 1
        started_ms = self._started_ms.pop(event.item_id, offset_ms)
        payload = {"what": "transcript_failed", "code": event.code, "item_id": event.item_id}
        return [Log(markers.caller_unheard(reason=event.code)), Record("moment", started_ms, payload)]
