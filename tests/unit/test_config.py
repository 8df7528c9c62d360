"""Settings: read once, checked together, every fault in a sentence; secrets never shown."""

from pathlib import Path

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
    for name in ("DATABASE_URL", "TWILIO_AUTH_TOKEN", "SECRET_KEY", "PUBLIC_URL"):
        assert f"{name} is not set" in told
    assert len(told.splitlines()) == 4


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "http", "PORT is 'http', which is no number"),
        ("PORT", "70000", "between 1 and 65535"),
        ("WEB_CONCURRENCY", "two", "WEB_CONCURRENCY is 'two', which is no number"),
        ("WEB_CONCURRENCY", "0", "between 1 and 64"),
        ("HOST", "0.0.0.0:80", "HOST is '0.0.0.0:80'; it must be an address"),
        ("HOST", "a b", "HOST is 'a b'"),
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
    settings = load({**WHOLE, "OPENAI_REALTIME_URL": "wss://hidden:hidden@model.example.com:8443/v1?api-key=hidden"})
    shown = str(settings.shown())
    assert "secret" not in shown and ":p@" not in shown and "hidden" not in shown
    assert settings.shown()["model_url"] == "wss://model.example.com:8443"
    assert settings.shown()["database"] == "postgres://db.example.com"


@pytest.mark.parametrize("name", ["DATABASE_URL", "OPENAI_REALTIME_URL", "PUBLIC_URL", "TWILIO_API_URL", "CONSOLE_URL"])
@pytest.mark.parametrize(
    "value",
    [
        "ftp://hidden:hidden@h.example.com:21/hidden?password=hidden#hidden",
        "hidden:hidden@h.example.com/hidden",
        "hidden",
        "{scheme}://hidden:hid/den@h.example.com/x",
        "{scheme}://hidden:12/hidden@h.example.com/x",
        "{scheme}://hidden:12#hidden@h.example.com/x",
        "{scheme}://hidden:hidden@h.example.com:port/x",
        "{scheme}://hidden:hidden@[::1/x",
        "{scheme}://hidden:hidden@/x",
        "{scheme}://",
    ],
)
def test_a_fault_of_a_url_shows_scheme_host_and_port_alone(name: str, value: str) -> None:
    scheme = {"DATABASE_URL": "postgres", "OPENAI_REALTIME_URL": "wss"}.get(name, "https")
    told = faults(**{**WHOLE, name: value.format(scheme=scheme)})
    assert name in told and "hidden" not in told and "hid" not in told
    if value.startswith("ftp"):
        assert f"{name} is 'ftp://h.example.com:21'" in told


def test_without_a_key_of_the_model_there_is_a_note_and_no_refusal() -> None:
    without = {name: value for name, value in WHOLE.items() if name != "OPENAI_API_KEY"}
    assert load(WHOLE).notes() == []
    assert "OPENAI_API_KEY is not set" in load(without).notes()[0]
    assert load({**without, "ROLE": "console"}).notes() == []


def test_clips_lie_at_the_projects_root_wherever_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).resolve().parents[2]
    assert load(WHOLE).clips_dir == root / "var/clips"
    assert load({**WHOLE, "CLIPS_DIR": "other"}).clips_dir == root / "other"
    assert load({**WHOLE, "CLIPS_DIR": "/srv/clips"}).clips_dir == Path("/srv/clips")


@pytest.mark.parametrize(
    ("host", "bind"),
    [("", "0.0.0.0:5000"), ("127.0.0.1", "127.0.0.1:5000"), ("::", "[::]:5000"), ("worker-1.lan", "worker-1.lan:5000")],
)
def test_where_it_listens(host: str, bind: str) -> None:
    assert load({**WHOLE, "HOST": host}).bind == bind
