"""The carrier's signatures, against the validator of its own library."""

from importlib import import_module
from typing import Any

import pytest

from media_ws_ai.peers.carrier.signature import as_wss, forged, sign

RequestValidator: Any = import_module("twilio.request_validator").RequestValidator  # twilio ships no types
TOKEN = "0123456789abcdef0123456789abcdef"

CASES: list[tuple[str, dict[str, str]]] = [
    ("https://agent.example.com/twilio/voice", {"CallSid": "CA1", "From": "+972541234567", "To": "+97231234567"}),
    ("https://agent.example.com/twilio/voice?x=1&y=a%20b", {"CallSid": "CA1"}),
    ("https://agent.example.com/twilio/status", {"Empty": "", "CallerName": "דנה לוי", "Zeta": "&=+", "alpha": "1"}),
    ("wss://agent.example.com/twilio/media", {}),
    ("http://127.0.0.1:5000/twilio/voice", {"CallSid": "CA1"}),
]


@pytest.mark.parametrize(("url", "form"), CASES)
def test_the_library_accepts_what_we_sign_and_nothing_else(url: str, form: dict[str, str]) -> None:
    validator = RequestValidator(TOKEN)
    made = sign(TOKEN, url, form)
    assert validator.validate(url, form, made)
    assert not validator.validate(url, form, forged(made))
    assert not validator.validate(url, form | {"Added": "1"}, made)
    assert not RequestValidator("another").validate(url, form, made)


def test_the_handshake_is_signed_for_wss() -> None:
    assert as_wss("ws://127.0.0.1:5000/twilio/media") == "wss://127.0.0.1:5000/twilio/media"
    assert as_wss("wss://a.example/twilio/media") == "wss://a.example/twilio/media"
