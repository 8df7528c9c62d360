"""A file of businesses: read, checked whole, every fault a sentence. Touches no database."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
import phonenumbers

DEMO: Final = Path(__file__).with_name("demo.json")

VOICES: Final = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")
CALL_GOALS: Final = ("appointment", "lead_only")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
CLOCK_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
MAX_TEXT_CHARS: Final = 20_000
MAX_OUTPUT_TOKENS: Final = 4096
SPEED: Final = (0.25, 1.5)

DEFAULTS: Final[Mapping[str, Any]] = {
    "timezone": "Asia/Jerusalem",
    "language": "he",
    "voice": "marin",
    "call_goal": "lead_only",
    "enable_calendar_scheduling": False,
    "auto_end_on_goodbye": False,
    "response": {},
    "opening_hours": {},
    "forward_phone": None,
}


class SeedError(Exception):
    """A file that cannot be used; `faults` are all that was found, a sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_businesses(file: Path) -> list[dict[str, Any]]:
    """The businesses of a file, complete with defaults, phones in E.164.

    The file holds a JSON list of objects, or one object.

    Raises: SeedError.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SeedError([f"{file} cannot be read: {error.strerror}."]) from error
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise SeedError([f"{file.name} is not JSON: {error}."]) from error
    entries = [parsed] if isinstance(parsed, dict) else parsed
    if not isinstance(entries, list) or not entries:
        raise SeedError([f"{file.name} holds no businesses: a JSON list of objects is expected."])
    faults: list[str] = []
    businesses: list[dict[str, Any]] = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            faults.append(f"Business {number} is not an object.")
            continue
        where = f"Business {number} ({entry['name']})" if isinstance(entry.get("name"), str) else f"Business {number}"
        business, own_faults = check(entry)
        faults.extend(f"{where}: {fault}" for fault in own_faults)
        businesses.append(business)
    phones = [business.get("phone") for business in businesses]
    twice = sorted({phone for phone in phones if isinstance(phone, str) and phones.count(phone) > 1})
    faults.extend(f"The phone {phone} belongs to more than one business." for phone in twice)
    if faults:
        raise SeedError(faults)
    return businesses


def demo_businesses() -> list[dict[str, Any]]:
    """The packaged ones: the first is the demo that answers unknown numbers in development."""
    return read_businesses(DEMO)


def check(entry: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """One business with defaults filled in, and the faults of what was given."""
    business = {**DEFAULTS, **entry}
    faults = [f"{name} is not a setting of a business." for name in entry if name not in CHECKS]
    for name, checked in CHECKS.items():
        if name not in business:
            faults.append(f"{name} is missing.")
            continue
        try:
            business[name] = checked(business[name])
        except ValueError as error:
            faults.append(f"{name} {error}.")
    if business["enable_calendar_scheduling"] is True and business["call_goal"] == "lead_only":
        faults.append("enable_calendar_scheduling needs call_goal appointment: a lead_only line books nothing.")
    return business, faults


def e164(value: object) -> str:
    """A number in its international form, `+` and digits. Raises: ValueError."""
    if not isinstance(value, str) or not value.startswith("+"):
        raise ValueError(f"must be an international number such as +97231234567, not {value!r}")
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        raise ValueError(f"{value!r} is not a phone number") from None
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"{value!r} has the wrong length for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _phone_or_none(value: object) -> str | None:
    return None if value is None else e164(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not empty")
    if len(value) > MAX_TEXT_CHARS:
        raise ValueError(f"has {len(value)} characters, {MAX_TEXT_CHARS} are allowed")
    if "\x00" in value:
        raise ValueError("holds the character U+0000, which cannot be stored")
    return value.strip()


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")
    return value


def _one_of(choices: tuple[str, ...], value: object) -> str:
    if value not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}, not {value!r}")
    return str(value)


def _language(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[a-z]{2}", value):
        raise ValueError(f"must be two small letters such as he or en, not {value!r}")
    return value


def _timezone(value: object) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{value!r} is not a time zone such as Asia/Jerusalem") from None


def _response(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    for name, setting in value.items():
        if name == "max_output_tokens":
            if type(setting) is not int or not 1 <= setting <= MAX_OUTPUT_TOKENS:
                raise ValueError(f"max_output_tokens must be a whole number from 1 to {MAX_OUTPUT_TOKENS}")
        elif name == "speed":
            if type(setting) not in (int, float) or not SPEED[0] <= setting <= SPEED[1]:
                raise ValueError(f"speed must be a number from {SPEED[0]} to {SPEED[1]}")
        else:
            raise ValueError(f"knows max_output_tokens and speed, not {name!r}")
    return value


def _opening_hours(value: object) -> dict[str, list[list[str]]]:
    if not isinstance(value, dict):
        raise ValueError('must be an object such as {"sun": [["08:30", "19:00"]]}')
    for day, spans in value.items():
        if day not in DAYS:
            raise ValueError(f"has the days {', '.join(DAYS)}, not {day!r}")
        if not isinstance(spans, list):
            raise ValueError(f"of {day} must be a list of [from, to] pairs, empty when closed")
        last_end = ""
        for span in spans:
            is_pair = isinstance(span, list) and len(span) == 2 and all(isinstance(end, str) for end in span)
            if not is_pair or not all(CLOCK_TIME.fullmatch(end) for end in span):
                raise ValueError(f'of {day} must be pairs of times such as ["08:30", "19:00"], not {span!r}')
            if not last_end <= span[0] < span[1]:
                raise ValueError(f"of {day} must go forward in time and not overlap, unlike {span!r}")
            last_end = span[1]
    return value


CHECKS: Final[Mapping[str, Callable[[object], Any]]] = {
    "name": _text,
    "phone": e164,
    "timezone": _timezone,
    "language": _language,
    "voice": partial(_one_of, VOICES),
    "greeting": _text,
    "prompt": _text,
    "call_goal": partial(_one_of, CALL_GOALS),
    "enable_calendar_scheduling": _flag,
    "auto_end_on_goodbye": _flag,
    "response": _response,
    "opening_hours": _opening_hours,
    "forward_phone": _phone_or_none,
}
