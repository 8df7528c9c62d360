"""A synchronous client of the model stand-in: sends what a test says, remembers every event in order."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import websocket

from media_ws_ai.audio.frame import FRAME_BYTES
from media_ws_ai.peers import speech

MODEL = "gpt-realtime-2.1"
AUTHORIZED = ["Authorization: Bearer test"]
DEADLINE_S = 10.0

Event = dict[str, Any]


class Client:
    """One connection. `ended` is the close code once the server closed."""

    def __init__(self, url: str, **options: Any) -> None:
        options.setdefault("header", AUTHORIZED)
        self.ws = websocket.create_connection(f"{url}?model={MODEL}", timeout=DEADLINE_S, **options)
        self.events: list[Event] = []
        self.ended: tuple[int, str] | None = None
        self._seen = 0

    def close(self) -> None:
        """Close the socket without a closing handshake."""
        if self.ws.sock is not None:
            self.ws.sock.close()
            self.ws.sock, self.ws.connected = None, False

    def send(self, kind: str, **fields: Any) -> None:
        self.ws.send(json.dumps({"type": kind, **fields}, ensure_ascii=False))

    def receive(self, timeout_s: float = DEADLINE_S) -> Event | None:
        """The next event, None when the connection ended. Raises WebSocketTimeoutException."""
        self.ws.settimeout(timeout_s)
        try:
            opcode, data = self.ws.recv_data()
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            self.ended = self.ended or (1006, "")
            return None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self.ended = (int.from_bytes(data[:2], "big"), data[2:].decode())
            return None
        event: Event = json.loads(data)
        self.events.append(event)
        return event

    def until(self, kind: str, deadline_s: float = DEADLINE_S) -> Event:
        """Read on to the next event of this kind, from the last one waited for."""
        until = time.monotonic() + deadline_s
        while True:
            while self._seen < len(self.events):
                event = self.events[self._seen]
                self._seen += 1
                if event["type"] == kind:
                    return event
            if self.receive(max(0.01, until - time.monotonic())) is None:
                raise AssertionError(f"no {kind}; ended {self.ended}; got {self.kinds()}")

    def until_end(self) -> tuple[int, str]:
        while self.receive() is not None:
            pass
        assert self.ended is not None
        return self.ended

    def quiet_for(self, ms: float) -> list[Event]:
        """What comes within `ms`."""
        until, before = time.monotonic() + ms / 1000, len(self.events)
        while (left_s := until - time.monotonic()) > 0:
            try:
                self.receive(left_s)
            except websocket.WebSocketTimeoutException:
                break
        return self.events[before:]

    def kinds(self, *without: str) -> list[str]:
        """Types of all events so far, runs of the same one joined; rate limits and unknown ones left out."""
        skipped = {"rate_limits.updated", "session.telemetry.sampled", *without}
        kinds: list[str] = []
        for event in self.events:
            if event["type"] not in skipped and (not kinds or kinds[-1] != event["type"]):
                kinds.append(event["type"])
        return kinds

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def forget(self) -> None:
        """Begin the record anew."""
        self.events.clear()
        self._seen = 0

    # -- usual steps ----------------------------------------------------------------------------------

    def configure(self, turn_detection: Any = "asked", **session: Any) -> Event:
        """Session created and updated as our worker does it; `turn_detection` and other keys as wanted."""
        if turn_detection == "asked":
            turn_detection = {"type": "server_vad", "create_response": False, "interrupt_response": False}
        transcription = {"model": "gpt-realtime-whisper", "language": "he"}
        audio_in = {"format": {"type": "audio/pcmu"}, "transcription": transcription, "turn_detection": turn_detection}
        audio = {"input": audio_in, "output": {"format": {"type": "audio/pcmu"}}}
        if not any(event["type"] == "session.created" for event in self.events):
            self.until("session.created")
        update = {"type": "realtime", "instructions": "אתה נציג שירות", "audio": audio, **session}
        self.send("session.update", event_id="update", session=update)
        return self.until("session.updated")

    def respond(self, **response: Any) -> Event:
        """One response to its end."""
        self.send("response.create", response=response)
        return self.until("response.done")

    def append(self, audio: bytes) -> None:
        """Audio as the worker sends it: one frame per event."""
        for at in range(0, len(audio), FRAME_BYTES):
            self.send("input_audio_buffer.append", audio=base64.b64encode(audio[at : at + FRAME_BYTES]).decode())

    def say(self, clip: str, quiet_frames: int = 40) -> None:
        """A caller clip and the silence after it."""
        self.append(speech.load(clip) + speech.quiet_line(quiet_frames))

    def audio(self, response_id: str | None = None) -> bytes:
        """Decoded audio of all deltas so far, or of one response."""
        deltas = self.of("response.output_audio.delta")
        wanted = [event for event in deltas if response_id in (None, event["response_id"])]
        return b"".join(base64.b64decode(event["delta"]) for event in wanted)

    def error(self) -> Event:
        """The next error's body."""
        body: Event = self.until("error")["error"]
        return body


@contextmanager
def connected(url: str, **options: Any) -> Iterator[Client]:
    client = Client(url, **options)
    try:
        yield client
    finally:
        client.close()
