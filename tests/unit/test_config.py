"""Settings: read once, checked together, every fault in a sentence; secrets never shown."""

import pytest

from media_ws_ai.config import DEVELOPMENT_SECRET, load
from media_ws_ai.errors import SettingsError

WHOLE = {
    "PUBLIC_URL": "https://agent.example.com/",
    "DATABASE_URL": "postgres://u:p@db.example.com/calls",
    "TWILIO_AUTH_TOKEN": "token-secret",
    "SECRET_KEY": "key-secret",
    "OPENAI_API_KEY": "sk-secret",
}


def faults(**environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(environ)
    return str(refused.value)


def test_production_names_everything_that_is_missing_at_once() -> None:
    told = faults()
    for name in ("DATABASE_URL", "TWILIO_AUTH_TOKEN", "SECRET_KEY", "PUBLIC_URL", "OPENAI_API_KEY"):
        assert f"{name} is not set" in told
    assert len(told.splitlines()) == 5


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "http", "PORT is 'http', which is no number"),
        ("PORT", "70000", "between 1 and 65535"),
        ("MAX_CALLS", "0", "between 1 and 1000"),
        ("DRAIN_S", "nan", "DRAIN_S"),
        ("ENV", "staging", "ENV is 'staging'; it may be production or development"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("ROLE", "boss", "worker or console or all"),
        ("OPENAI_REALTIME_URL", "https://api", "wss:// or ws://"),
        ("DATABASE_URL", "mysql://x/y", "postgres://"),
        ("PUBLIC_URL", "http://agent.example.com", "must begin with https://"),
        ("CLOCK_OFFSET_S", "3600", "refused in production"),
    ],
)
def test_a_setting_that_cannot_work_says_so(name: str, value: str, says: str) -> None:
    assert says in faults(**{**WHOLE, name: value})


def test_defaults_are_those_of_the_contract() -> None:
    settings = load(WHOLE)
    assert (settings.env, settings.port, settings.role) == ("production", 5000, "all")
    assert settings.openai_realtime_url == "wss://api.openai.com/v1/realtime"
    assert (settings.openai_realtime_model, settings.openai_transcribe_model) == (
        "gpt-realtime-2.1",
        "gpt-realtime-whisper",
    )
    assert (settings.max_call_s, settings.drain_s) == (1800, 25)
    assert settings.public_url == "https://agent.example.com"


def test_development_needs_a_database_only() -> None:
    settings = load({"ENV": "development", "DATABASE_URL": "postgresql://localhost/x"})
    assert settings.is_development and settings.secret_key == DEVELOPMENT_SECRET


def test_what_is_shown_holds_no_secret() -> None:
    shown = str(load(WHOLE).shown())
    assert "secret" not in shown and ":p@" not in shown
