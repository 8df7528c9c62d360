"""Records a text in one of the model's voices: a connection per take, a take per text, up to three takes.

    connect ─▶ session.update (pcmu, voice) ─▶ response.create (out of band) ─▶ audio, transcript ─▶ compare

A take counts only when its transcript is the text, word for word: a model may comment, greet or rephrase. This is a
tool for the desk: it speaks Realtime by itself and shares nothing with a call. It writes no file.
"""

import base64
import binascii
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import tenacity
import websocket

from media_ws_ai.audio.frame import FRAME_BYTES, SILENCE_BYTE
from media_ws_ai.clips import MAX_CLIP_BYTES
from media_ws_ai.clock import Deadline
from media_ws_ai.errors import PeerError

TAKES: Final = 3
TAKE_S: Final = 30.0
"""One take, from the connection to the last byte."""
CLOSE_S: Final = 1
UPDATE_ID: Final = "clips-update"
CREATE_ID: Final = "clips-create"
HOPELESS_STATUS: Final = frozenset({400, 401, 403, 404})
"""Answers to the handshake that the next take would get as well: key, access, address."""

LANGUAGE_NAMES: Final = {"he": "Hebrew", "en": "English"}


class TakeFailed(PeerError):
    """This take is of no use; another one may be."""


class StudioRefused(PeerError):
    """No take can succeed: the key, the address or the voice was refused."""


@dataclass(frozen=True)
class Studio:
    """Where and with which voice to record; `key` is never shown."""

    url: str
    model: str
    voice: str
    key: str = field(repr=False)
    take_s: float = TAKE_S


def record(studio: Studio, lang: str, text: str, on_retry: Callable[[str], None] = lambda reason: None) -> bytes:
    """The text as sound: μ-law 8 kHz, whole frames.

    Args:
        on_retry: told why a take failed, before the next one.

    Raises: TakeFailed after the last take, StudioRefused at once.
    """

    def tell(state: tenacity.RetryCallState) -> None:
        if state.outcome is not None:
            on_retry(str(state.outcome.exception()))

    takes = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(TAKES),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=3),
        retry=tenacity.retry_if_exception_type(TakeFailed),
        before_sleep=tell,
        reraise=True,
    )
    return takes(_take, studio, lang, text)


def spoken_form(text: str) -> str:
    """A text without what cannot be heard: points, punctuation, case, bidi controls, runs of spaces.

    Two texts that sound alike compare equal: "Goodbye, then." and "goodbye then".
    """
    letters = []
    for char in unicodedata.normalize("NFKD", text.casefold()):
        kind = unicodedata.category(char)
        if kind[0] in "LN":
            letters.append(char)
        elif char in "'’׳\"”״" or kind in ("Mn", "Cf"):
            continue
        else:
            letters.append(" ")
    return " ".join("".join(letters).split())


def _take(studio: Studio, lang: str, text: str) -> bytes:
    deadline = Deadline(studio.take_s)
    try:
        link = websocket.create_connection(
            _address(studio.url, studio.model),
            timeout=deadline.left(),
            header=[f"Authorization: Bearer {studio.key}"],
            suppress_origin=True,
        )
    except websocket.WebSocketBadStatusException as error:
        refused = StudioRefused if error.status_code in HOPELESS_STATUS else TakeFailed
        raise refused(f"the model refused the connection with HTTP {error.status_code}") from error
    except ValueError as error:
        raise StudioRefused(f"{studio.url} is not a websocket address: {error}") from error
    except (OSError, websocket.WebSocketException) as error:
        raise TakeFailed(f"no connection to the model: {error}") from error
    try:
        return _say(link, deadline, studio, lang, text)
    except websocket.WebSocketTimeoutException as error:
        raise TakeFailed(f"the model took longer than {studio.take_s:g} s") from error
    except (OSError, websocket.WebSocketException) as error:
        raise TakeFailed(f"the connection was lost: {error}") from error
    finally:
        link.close(timeout=CLOSE_S)


def _say(link: websocket.WebSocket, deadline: Deadline, studio: Studio, lang: str, text: str) -> bytes:
    _wait_for(link, deadline, "session.created")
    link.send(json.dumps(_update(studio)))
    session = _wait_for(link, deadline, "session.updated").get("session", {})
    output = session.get("audio", {}).get("output", {})
    if output.get("format", {}).get("type") != "audio/pcmu":
        raise StudioRefused("the model did not accept μ-law as the output format")
    link.send(json.dumps(_create(lang, text), ensure_ascii=False))
    audio = bytearray()
    heard = ""
    while True:
        event = _receive(link, deadline)
        match event["type"]:
            case "response.output_audio.delta":
                audio += _decoded(event)
                if len(audio) > MAX_CLIP_BYTES:
                    raise TakeFailed("the model spoke for longer than 30 s")
            case "response.output_audio_transcript.done":
                heard += f"{event.get('transcript', '')} "
            case "response.done":
                status = event.get("response", {}).get("status")
                if status != "completed":
                    raise TakeFailed(f"the response ended as {status}")
                return _checked(bytes(audio), heard, text)


def _checked(audio: bytes, heard: str, text: str) -> bytes:
    if spoken_form(heard) != spoken_form(text):
        raise TakeFailed(f"the model said “{heard.strip()[:80]}”")
    if not audio:
        raise TakeFailed("the model sent no sound")
    return audio + bytes([SILENCE_BYTE]) * (-len(audio) % FRAME_BYTES)


def _wait_for(link: websocket.WebSocket, deadline: Deadline, wanted: str) -> dict[str, Any]:
    while (event := _receive(link, deadline))["type"] != wanted:
        continue
    return event


def _receive(link: websocket.WebSocket, deadline: Deadline) -> dict[str, Any]:
    """The next event; an `error` is raised, a close is an error of the connection."""
    if deadline.is_over():
        raise websocket.WebSocketTimeoutException("the take's time is over")
    link.settimeout(deadline.left())
    opcode, payload = link.recv_data()
    if opcode == websocket.ABNF.OPCODE_CLOSE:
        raise TakeFailed(f"the model closed the connection ({int.from_bytes(payload[:2])})")
    try:
        event = json.loads(payload)
    except ValueError as error:
        raise TakeFailed("the model sent something that is not JSON") from error
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise TakeFailed("the model sent an event without a type")
    if event["type"] == "error":
        fault = event.get("error") or {}
        refused = StudioRefused if fault.get("event_id") == UPDATE_ID else TakeFailed
        raise refused(f"the model answered: {str(fault.get('message') or fault.get('code'))[:200]}")
    return event


def _decoded(event: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(event.get("delta", ""), validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise TakeFailed("the model sent sound that is not base64") from error


def _address(url: str, model: str) -> str:
    parts = urlsplit(url)
    if "model=" in parts.query:
        return url
    query = "&".join(filter(None, (parts.query, urlencode({"model": model}))))
    return urlunsplit(parts._replace(query=query))


def _update(studio: Studio) -> dict[str, Any]:
    voice = {"id": studio.voice} if studio.voice.startswith("voice_") else studio.voice
    pcmu = {"type": "audio/pcmu"}
    return {
        "type": "session.update",
        "event_id": UPDATE_ID,
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "You read short announcements aloud, exactly as they are written.",
            "audio": {
                "input": {"format": pcmu, "turn_detection": None},
                "output": {"format": pcmu, "voice": voice},
            },
        },
    }


def _create(lang: str, text: str) -> dict[str, Any]:
    language = LANGUAGE_NAMES.get(lang, lang)
    return {
        "type": "response.create",
        "event_id": CREATE_ID,
        "response": {
            "conversation": "none",
            "input": [],
            "output_modalities": ["audio"],
            "instructions": (
                f"Say exactly this {language} text, word for word, once, calmly and friendly, and nothing before"
                f" or after it:\n{text}"
            ),
        },
    }
