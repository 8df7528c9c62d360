"""Settings: read once from the environment, checked together, every fault reported at once in a sentence.

| name | default | |        the table is in design and in docs/operations.md; the fields below are its code form
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from media_ws_ai.errors import SettingsError

T = TypeVar("T")

DEFAULT_MAX_CALLS: Final = 40
"""Calls per worker process; docs/operations.md says how it was measured."""

REALTIME_URL: Final = "wss://api.openai.com/v1/realtime"
REALTIME_MODEL: Final = "gpt-realtime-2.1"
TRANSCRIBE_MODEL: Final = "gpt-realtime-whisper"
TRANSCRIBE_FALLBACK: Final = "gpt-4o-mini-transcribe"
DEVELOPMENT_SECRET: Final = "development-only"
CLIPS_FOLDER: Final = "var/clips"
PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]

_HOST: Final = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*", re.ASCII)
"""A name, an IPv4 address, or an IPv6 address without brackets (which has two colons at least)."""


def public_part(url: str) -> str:
    """Scheme, host and port of a URL: what may be shown of it. Empty where these cannot be told for certain.

    A password with a bare `/`, `?` or `#` puts the user where a parser expects the host, and an `@` behind it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host or "@" in parts.path + parts.query + parts.fragment:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's settings. Secrets never appear in `shown`."""

    env: str
    host: str
    port: int
    workers: int
    public_url: str
    """Origin without a trailing slash; empty in development: the request's own."""
    database_url: str
    openai_api_key: str
    openai_realtime_url: str
    openai_realtime_model: str
    openai_transcribe_model: str
    openai_transcribe_fallback: str
    twilio_account_sid: str
    twilio_auth_token: str
    twilio_api_url: str
    max_calls: int
    max_call_s: float
    drain_s: float
    role: str
    console_url: str
    secret_key: str
    log_level: str
    log_format: str
    clips_dir: Path
    """Absolute; a relative setting counts from the project's root, whatever the working directory."""

    @property
    def is_development(self) -> bool:
        return self.env == "development"

    @property
    def bind(self) -> str:
        """Address that the web server listens on."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def notes(self) -> list[str]:
        """What works, and yet a person should know of at start."""
        if self.openai_api_key or self.role == "console":
            return []
        return ["OPENAI_API_KEY is not set: the model will refuse each call, and callers hear an apology."]

    def shown(self) -> dict[str, object]:
        """For the log at start: what is set, secrets only as whether they are."""
        return {
            "env": self.env,
            "bind": self.bind,
            "workers": self.workers,
            "public_url": public_part(self.public_url) or "-",
            "database": public_part(self.database_url) or "-",
            "model": self.openai_realtime_model,
            "model_url": public_part(self.openai_realtime_url) or "-",
            "transcribe": self.openai_transcribe_model,
            "key": "set" if self.openai_api_key else "none",
            "twilio_token": "set" if self.twilio_auth_token else "none",
            "max_calls": self.max_calls,
            "max_call_s": self.max_call_s,
            "drain_s": self.drain_s,
            "role": self.role,
        }


class _Reader:
    """Collects faults instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._environ.get(name, "").strip() or default

    def one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.faults.append(f"{name} is {value!r}; it may be {' or '.join(allowed)}.")
            return default
        return value

    def number(self, name: str, default: T, read: Callable[[str], T], low: float, high: float) -> T:
        raw = self.text(name)
        if not raw:
            return default
        try:
            value = read(raw)
        except ValueError:
            self.faults.append(f"{name} is {raw!r}, which is no number.")
            return default
        if not low <= float(value) <= high:  # type: ignore[arg-type]  # int or float
            self.faults.append(f"{name} is {raw}; it must lie between {low:g} and {high:g}.")
            return default
        return value

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        """A fault shows no more of it than `public_part`: a URL holds passwords."""
        value = self.text(name, default)
        if not value:
            return value
        shown, beginnings = public_part(value), " or ".join(f"{scheme}://" for scheme in schemes)
        if value.partition("://")[0].lower() not in schemes:
            self.faults.append(f"{name} {f'is {shown!r}; it ' if shown else ''}must begin with {beginnings}.")
        elif not shown:
            self.faults.append(
                f"{name} cannot be read: after {beginnings} it names a host, and a number if it names a port; "
                "special characters of a user or password are written as %XX."
            )
        return value

    def host(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not _HOST.fullmatch(value):
            self.faults.append(f"{name} is {value!r}; it must be an address or a host name, without a port.")
            return default
        return value


def load(environ: Mapping[str, str]) -> Settings:
    """Read and check all settings. Raises SettingsError with every fault."""
    r = _Reader(environ)
    env = r.one_of("ENV", "production", ("production", "development"))
    is_production = env == "production"
    public_url = r.url("PUBLIC_URL", "", ("https", "http")).rstrip("/")
    settings = Settings(
        env=env,
        host=r.host("HOST", "0.0.0.0"),  # noqa: S104  a platform's router comes from outside
        port=r.number("PORT", 5000, int, 1, 65535),
        workers=r.number("WEB_CONCURRENCY", 1, int, 1, 64),
        public_url=public_url,
        database_url=r.url("DATABASE_URL", "", ("postgres", "postgresql", "postgresql+psycopg2")),
        openai_api_key=r.text("OPENAI_API_KEY"),
        openai_realtime_url=r.url("OPENAI_REALTIME_URL", REALTIME_URL, ("wss", "ws")),
        openai_realtime_model=r.text("OPENAI_REALTIME_MODEL", REALTIME_MODEL),
        openai_transcribe_model=r.text("OPENAI_TRANSCRIBE_MODEL", TRANSCRIBE_MODEL),
        openai_transcribe_fallback=r.text("OPENAI_TRANSCRIBE_FALLBACK", TRANSCRIBE_FALLBACK),
        twilio_account_sid=r.text("TWILIO_ACCOUNT_SID"),
        twilio_auth_token=r.text("TWILIO_AUTH_TOKEN"),
        twilio_api_url=r.url("TWILIO_API_URL", "", ("https", "http")).rstrip("/"),
        max_calls=r.number("MAX_CALLS", DEFAULT_MAX_CALLS, int, 1, 1000),
        max_call_s=r.number("MAX_CALL_S", 1800.0, float, 10, 86_400),
        drain_s=r.number("DRAIN_S", 25.0, float, 1, 3600),
        role=r.one_of("ROLE", "all", ("worker", "console", "all")),
        console_url=r.url("CONSOLE_URL", "", ("https", "http")).rstrip("/"),
        secret_key=r.text("SECRET_KEY", "" if is_production else DEVELOPMENT_SECRET),
        log_level=r.one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        log_format=r.one_of("LOG_FORMAT", "text", ("text", "json")),
        clips_dir=PROJECT_ROOT / r.text("CLIPS_DIR", CLIPS_FOLDER),
    )
    if not settings.database_url:
        r.faults.append(
            "DATABASE_URL is not set. `media-ws-ai run` brings its own PostgreSQL; plain gunicorn needs the URL of one "
            "(`media-ws-ai db start` starts one and `media-ws-ai db url` prints it)."
        )
    if is_production:
        r.faults += _production_faults(settings, environ)
    if r.faults:
        raise SettingsError("\n".join(r.faults))
    return settings


def _production_faults(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    faults = []
    if not settings.twilio_auth_token:
        faults.append("TWILIO_AUTH_TOKEN is not set: in production every request of the carrier is checked with it.")
    if not settings.secret_key:
        faults.append("SECRET_KEY is not set: it signs the token of each media stream. Any long random text will do.")
    if not settings.public_url:
        faults.append("PUBLIC_URL is not set: the https origin that the carrier calls, e.g. https://agent.example.com.")
    elif not settings.public_url.startswith("https://"):
        faults.append("PUBLIC_URL must begin with https:// in production.")
    if environ.get("CLOCK_OFFSET_S", "").strip() not in ("", "0"):
        faults.append("CLOCK_OFFSET_S is for tests and is refused in production.")
    return faults
