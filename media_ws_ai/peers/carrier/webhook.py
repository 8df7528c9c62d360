"""The carrier's HTTP requests: webhooks as signed forms, and fetching what `<Play>` names.

The public URL is what is signed and what the `Host` header says. Where the worker listens on this machine only
(`url` is a loopback address), every URL of its TwiML is reached there, as through a router in front of it.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

import aiohttp

from media_ws_ai.peers.carrier import signature
from media_ws_ai.peers.carrier.sound import NotAudio, Riff

CONNECT_S: Final = 5.0
TOTAL_S: Final = 15.0
MAX_CLIP_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """The worker to call: where it listens, the public URL it is known by, and the account's SID and token."""

    url: str
    public_url: str = ""
    auth_token: str = ""
    account_sid: str = "AC" + "0" * 32

    @property
    def public(self) -> str:
        """The origin that is signed."""
        return (self.public_url or self.url).rstrip("/")

    @property
    def is_plain_local(self) -> bool:
        """A worker on this machine known by no other name: development, where a stream may be `ws`."""
        origin = urlsplit(self.public)
        return origin.scheme == "http" and _is_loopback(origin.hostname or "")

    def reach(self, url: str) -> str:
        """Where a URL of the worker's TwiML is reached from here (http, https, ws or wss)."""
        parts, here = urlsplit(url), urlsplit(self.url)
        if not _is_loopback(here.hostname or ""):
            return url
        secure = here.scheme == "https"
        web = parts.scheme in ("http", "https", "")
        scheme = ("https" if secure else "http") if web else ("wss" if secure else "ws")
        return urlunsplit((scheme, here.netloc, parts.path, parts.query, ""))

    def headers(self, url: str) -> dict[str, str]:
        """What a router in front of the worker adds to a request for the public `url`."""
        parts, here = urlsplit(url), urlsplit(self.url)
        if parts.netloc == here.netloc:
            return {}
        secure = parts.scheme in ("https", "wss")
        return {"Host": parts.netloc, "X-Forwarded-Proto": "https" if secure else "http"}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _why(error: OSError) -> str:
    """The system's words for a failed connection; of several addresses, the last one's."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


class WebhookError(Exception):
    """A webhook that did not answer as it must: the carrier's error code, the HTTP status (0: none), a sentence."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass(frozen=True, slots=True)
class Answer:
    """A webhook's answer."""

    status: int
    content_type: str
    body: bytes
    ms: float


class Webhooks:
    """Posts forms to the worker, signed."""

    def __init__(self, session: aiohttp.ClientSession, target: Target) -> None:
        self._session = session
        self._target = target

    async def post(
        self, url: str, form: Mapping[str, str], *, sign: str = "right", idempotency: str = "", method: str = "POST"
    ) -> Answer:
        """Request the public `url` with the form.

        Args:
            sign: `right`, `wrong` or `none`; without a token nothing is signed.
        Raises: WebhookError when nobody answers; any HTTP status is an answer.
        """
        target = self._target
        get = method.upper() == "GET"
        headers = target.headers(url)
        if target.auth_token and sign != "none":
            made = signature.sign(target.auth_token, url, {} if get else form)
            headers["X-Twilio-Signature"] = made if sign == "right" else signature.forged(made)
        if idempotency:
            headers["I-Twilio-Idempotency-Token"] = idempotency
        where = target.reach(url)
        began = time.monotonic()
        limits = aiohttp.ClientTimeout(total=TOTAL_S, connect=CONNECT_S)
        try:
            async with self._session.request(
                "GET" if get else "POST", where, data=None if get else form, params=form if get else None,
                headers=headers, timeout=limits, allow_redirects=False,
            ) as response:  # fmt: skip
                body = await response.read()
                ms = (time.monotonic() - began) * 1000
                return Answer(response.status, response.content_type, body, ms)
        except TimeoutError as error:
            raise WebhookError("11205", 0, f"{where} did not answer within {TOTAL_S:.0f} s") from error
        except aiohttp.InvalidURL as error:
            raise WebhookError("11100", 0, f"{where!r} is not a URL") from error
        except aiohttp.ClientConnectorError as error:
            raise WebhookError("11205", 0, f"nothing answers at {where}: {_why(error.os_error)}") from error
        except aiohttp.ClientError as error:
            raise WebhookError("11205", 0, f"{where}: {error or type(error).__name__}") from error

    async def document(self, url: str, form: Mapping[str, str], **how: str) -> Answer:
        """As `post`, for an answer that must be TwiML. Raises: WebhookError (11200 status, 12300 content type)."""
        answer = await self.post(url, form, **how)
        if not 200 <= answer.status < 300:
            raise WebhookError("11200", answer.status, f"{url} answered HTTP {answer.status}")
        if answer.content_type not in ("text/xml", "application/xml", "application/xhtml+xml"):
            raise WebhookError("12300", answer.status, f"{url} answered {answer.content_type}, not text/xml")
        return answer

    async def clip(self, base: str, url: str) -> tuple[str, float]:
        """Fetch what `<Play>` names: (absolute URL, length [ms]). Raises: WebhookError (12300…), NotAudio."""
        public = urljoin(base, url)
        answer = await self.post(public, {}, method="GET")
        if answer.status != 200:
            raise WebhookError("11200", answer.status, f"{public} answered HTTP {answer.status}")
        if not answer.content_type.startswith("audio/"):
            raise WebhookError("12300", answer.status, f"{public} is {answer.content_type}, not audio")
        if len(answer.body) > MAX_CLIP_BYTES:
            raise NotAudio(f"{public} has {len(answer.body)} bytes")
        return public, Riff.of(answer.body).ms
