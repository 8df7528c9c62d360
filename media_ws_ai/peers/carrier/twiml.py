"""TwiML read with the standard library's parser into the verbs a call follows; nothing is done here."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from typing import Final

MAX_BYTES: Final = 64 * 1024


class BadTwiml(ValueError):
    """The document is not TwiML: the carrier's error code and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Say:
    """Text spoken by the carrier."""

    text: str
    language: str = ""
    voice: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """A sound file played by the carrier, `loop` times."""

    url: str
    loop: int = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence."""

    length_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Hangup:
    """The call ends."""


@dataclass(frozen=True, slots=True)
class Reject:
    """The call is not answered."""

    reason: str = "rejected"


@dataclass(frozen=True, slots=True)
class Redirect:
    """Another document takes this one's place."""

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Dial:
    """The caller is put through to these numbers."""

    numbers: tuple[str, ...]
    action: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Stream:
    """`<Connect><Stream>`: the media websocket, and what is requested when it has ended."""

    url: str
    action: str | None
    method: str = "POST"
    parameters: dict[str, str] = field(default_factory=dict)
    name: str = ""
    track: str = "inbound_track"
    status_callback: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A verb this stand-in does not follow; noted."""

    tag: str


Verb = Say | Play | Pause | Hangup | Reject | Redirect | Dial | Stream | Unknown


def parse(body: bytes) -> list[Verb]:
    """The verbs in order. Raises: BadTwiml (11750 too long, 12100 not well-formed, 12200 not valid)."""
    if len(body) > MAX_BYTES:
        raise BadTwiml("11750", f"the document has {len(body)} bytes, more than 64 kB")
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise BadTwiml("12100", f"the document is not well-formed: {error}") from error
    if root.tag != "Response":
        raise BadTwiml("12200", f"the document begins with <{root.tag}>, not <Response>")
    return [_verb(element) for element in root]


def _verb(element: ElementTree.Element) -> Verb:
    text = (element.text or "").strip()
    get = element.get
    match element.tag:
        case "Say":
            return Say(" ".join("".join(element.itertext()).split()), get("language", ""), get("voice", ""))
        case "Play":
            return Play(text, int(_number(element, "loop", 1)))
        case "Pause":
            return Pause(_number(element, "length", 1))
        case "Hangup":
            return Hangup()
        case "Reject":
            return Reject(get("reason", "rejected"))
        case "Redirect":
            return Redirect(text, get("method", "POST"))
        case "Dial":
            inner = [(child.text or "").strip() for child in element]
            return Dial(tuple(n for n in [text, *inner] if n), get("action", ""), get("method", "POST"))
        case "Connect":
            stream = element.find("Stream")
            return _stream(element, stream) if stream is not None else Unknown("Connect without Stream")
    return Unknown(element.tag)


def _stream(connect: ElementTree.Element, stream: ElementTree.Element) -> Stream:
    track = stream.get("track", "inbound_track")
    if track != "inbound_track":
        raise BadTwiml("31941", f"<Connect><Stream track={track!r}>: only inbound_track is legal")
    url = stream.get("url", "")
    if not url:
        raise BadTwiml("12200", "<Stream> has no url")
    return Stream(
        url=url,
        action=connect.get("action"),
        method=connect.get("method", "POST"),
        parameters={child.get("name", ""): child.get("value", "") for child in stream.findall("Parameter")},
        name=stream.get("name", ""),
        track=track,
        status_callback=stream.get("statusCallback", ""),
    )


def _number(element: ElementTree.Element, name: str, default: float) -> float:
    value = element.get(name)
    try:
        return default if value is None else max(0.0, float(value))
    except ValueError as error:
        raise BadTwiml("12200", f"<{element.tag} {name}={value!r}>: a number is expected") from error
