"""Is it really the carrier? Checked before any handler runs, and before the websocket's upgrade: a 403 is an HTTP one.

The address that was signed is built from PUBLIC_URL and gunicorn's untouched path, never from a header that a client
can set. For the handshake the carrier signs the `wss://` form, without parameters; a slash or `:443` at its end has
been seen.
"""

from urllib.parse import urlsplit

from flask import Request
from twilio.request_validator import RequestValidator

from media_ws_ai.config import Settings


def origin(settings: Settings, request: Request) -> str:
    """Our public origin, without a trailing slash; the request's own where none is set (development)."""
    return settings.public_url or request.host_url.rstrip("/")


def stream_origin(settings: Settings, request: Request) -> str:
    """The same for websockets: `wss://`, or `ws://` in development over plain http."""
    scheme, _, rest = origin(settings, request).partition("://")
    return ("wss://" if scheme == "https" or not settings.is_development else "ws://") + rest


def raw_path(request: Request) -> str:
    """Path and query as they came, percent-encoding untouched."""
    raw = request.environ.get("RAW_URI") or request.full_path.rstrip("?")
    parts = urlsplit(raw)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def is_signed_webhook(settings: Settings, request: Request) -> bool:
    """A form of the carrier's, signed with our token."""
    signature = request.headers.get("X-Twilio-Signature", "")
    url = origin(settings, request) + raw_path(request)
    return bool(signature) and RequestValidator(settings.twilio_auth_token).validate(url, request.form, signature)


def is_signed_handshake(settings: Settings, request: Request) -> bool:
    """The upgrade request of a media stream."""
    signature = request.headers.get("X-Twilio-Signature", "")
    if not signature:
        return False
    validator = RequestValidator(settings.twilio_auth_token)
    rest = origin(settings, request).partition("://")[2]
    host, path = urlsplit(f"//{rest}").netloc, raw_path(request)
    forms = {f"wss://{host}{path}", f"wss://{host}{path}/"}
    if ":" not in host:
        forms |= {f"wss://{host}:443{path}", f"wss://{host}:443{path}/"}
    return any(validator.validate(form, {}, signature) for form in sorted(forms))
