"""Which routes a process serves by its ROLE, and what its page tells."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient

from app import create_app
from media_ws_ai.config import load

CALL = {"CallSid": "CA" + "3" * 32, "CallStatus": "ringing"}
CARRIERS = (
    ("POST", "voice"),
    ("POST", "stream-ended"),
    ("POST", "status"),
    ("GET", "clip/he/hold.wav"),
    ("GET", "media"),
)
PRODUCTION = {
    "ENV": "production",
    "PUBLIC_URL": "https://agent.example.com",
    "TWILIO_AUTH_TOKEN": "token",
    "SECRET_KEY": "key",
}


@contextmanager
def serving(url: str, **settings: str) -> Iterator[FlaskClient]:
    application = create_app(load({"ENV": "development", "DATABASE_URL": url, **settings}))
    try:
        yield application.test_client()
    finally:
        application.extensions["worker"].close()


@pytest.mark.parametrize("more", [{}, PRODUCTION], ids=["development", "production"])
def test_a_console_serves_no_route_of_the_carrier(database_url: str, more: dict[str, str]) -> None:
    with serving(database_url, ROLE="console", **more) as client:
        for method, path in CARRIERS:
            answer = client.open(f"/twilio/{path}", method=method, data=CALL if method == "POST" else None)
            assert answer.status_code == 404, path
        page = client.get("/")
        assert page.status_code == 200 and "console comes later" in page.get_data(as_text=True)
        for path in ("healthz", "readyz", "metrics"):
            assert client.get(f"/{path}").status_code == 200


@pytest.mark.parametrize("role", ["worker", "all"])
def test_a_worker_serves_them(database_url: str, role: str) -> None:
    with serving(database_url, ROLE=role) as client:
        assert "<Response>" in client.post("/twilio/voice", data=CALL).get_data(as_text=True)
        assert client.get("/twilio/clip/he/hold.wav").status_code == 200
        assert client.get("/twilio/media").status_code not in (404, 500), "not a handshake, and there all the same"
        assert "What runs" in client.get("/").get_data(as_text=True)


def test_a_worker_sends_visitors_to_its_console(database_url: str) -> None:
    with serving(database_url, ROLE="worker", CONSOLE_URL="https://console.example.com") as client:
        answer = client.get("/")
        assert (answer.status_code, answer.location) == (302, "https://console.example.com")


@pytest.mark.parametrize("more", [{}, PRODUCTION], ids=["development", "production"])
def test_the_page_shows_no_secret_of_a_url_nor_of_the_database(more: dict[str, str]) -> None:
    settings = {
        **more,
        "OPENAI_REALTIME_URL": "wss://hidden:hidden@model.example.com:8443/v1?api-key=hidden",
        "PUBLIC_URL": "https://hidden:hidden@agent.example.com/hidden?x=hidden",
    }
    with serving("postgresql://hidden:hidden@127.0.0.1:1/hidden", **settings) as client:
        page = client.get("/").get_data(as_text=True)
    assert "hidden" not in page
    assert "wss://model.example.com:8443" in page and "https://agent.example.com" in page
    assert "The database does not answer" in page


def test_no_answer_is_guessed_to_be_of_another_kind(database_url: str) -> None:
    with serving(database_url) as client:
        for path in ("/", "/healthz", "/twilio/clip/he/hold.wav", "/nothing"):
            assert client.get(path).headers["X-Content-Type-Options"] == "nosniff"
