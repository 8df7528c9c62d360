"""Asking the carrier to end a call, by REST, within 3 s whatever the network does.

The request runs in a thread of the process (not of the call), so that a name server or a socket that hangs costs the
call its 3 s and no more; at most 20 such threads exist.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import urlsplit

from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from media_ws_ai.clock import Deadline

REST_S: Final = 3.0
POLL_S: Final = 0.2
MAX_REQUESTS: Final = 20
OVER_CODES: Final = frozenset({20404, 21220})
"""Not found, or not in a state to be ended: the call is over already, which is what was wanted."""

_log: Final = logging.getLogger(__name__)


class Hangup(Protocol):
    def __call__(self, call_sid: str, meanwhile: Callable[[], None] = ...) -> str:
        """`ended`, `over` (it was already), `failed` or `none` (there is no REST here). Never raises.

        `meanwhile` is called a few times a second while the answer is waited for.
        """


def _nothing() -> None:
    """Nobody has anything to do meanwhile."""


class RestHangup:
    """Twilio's REST API, or a stand-in at another URL."""

    def __init__(self, account_sid: str, auth_token: str, api_url: str) -> None:
        self._client: Client | None = None
        if account_sid and auth_token:
            self._client = Client(account_sid, auth_token, http_client=TwilioHttpClient(timeout=REST_S))
            if api_url:
                parts = urlsplit(api_url)
                self._client.api.base_url = f"{parts.scheme}://{parts.netloc}"
        self._places = threading.BoundedSemaphore(MAX_REQUESTS)

    def __call__(self, call_sid: str, meanwhile: Callable[[], None] = _nothing) -> str:
        if self._client is None:
            return "none"
        if not self._places.acquire(blocking=False):
            _log.warning("hang-up by REST: %d requests are under way, none more", MAX_REQUESTS)
            return "failed"
        done = threading.Event()
        answer: list[str] = []
        thread = threading.Thread(target=self._ask, args=(call_sid, answer, done), name="Rest", daemon=True)
        thread.start()
        deadline = Deadline(REST_S)
        while not done.wait(min(POLL_S, deadline.left())) and not deadline.is_over():
            meanwhile()
        return answer[0] if answer else "failed"

    def _ask(self, call_sid: str, answer: list[str], done: threading.Event) -> None:
        try:
            assert self._client is not None
            self._client.calls(call_sid).update(status="completed")
            answer.append("ended")
        except TwilioRestException as error:
            is_over = error.code in OVER_CODES or error.status == 404
            if not is_over:
                _log.warning("hang-up by REST: %s %s", error.status, error.msg)
            answer.append("over" if is_over else "failed")
        except Exception as error:  # requests, urllib3 and twilio each have their own; all mean the same here
            _log.warning("hang-up by REST: %s: %s", type(error).__name__, error)
            answer.append("failed")
        finally:
            self._places.release()
            done.set()
