"""The carrier's request signature: base64(HMAC-SHA1(token, URL + each key and value, keys sorted)).

Own code, so that a worker which validates with the carrier's library is checked by something else.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit


def sign(token: str, url: str, form: Mapping[str, str] | None = None) -> str:
    """The value of `X-Twilio-Signature` for a request to `url` (exactly as requested) with this form."""
    text = url + "".join(key + value for key, value in sorted((form or {}).items()))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def forged(signature: str) -> str:
    """A signature of the right form which is not the right one."""
    return ("B" if signature[0] == "A" else "A") + signature[1:]


def as_wss(url: str) -> str:
    """The `wss://` form of a stream's URL: what the handshake is signed for, whatever the local hop speaks."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="wss"))
