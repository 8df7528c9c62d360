"""One log record, one line: how it is laid out, and how it is read again.

    text   <ISO 8601 ms, offset> <LEVEL> <call_sid|-> <thread role> <marker>
    JSON   {"ts", "level", "call_sid", "stream_sid", "thread", "msg"}

Pure but for the clock it is given. It writes nothing; `logs.py` does.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import orjson

from media_ws_ai.markers import Parsed, escape, mask_phones, parse

Format = Literal["text", "json"]

MESSAGE_BYTES: Final = 3000
"""Longest message of a library [UTF-8 bytes]: the whole line stays below PIPE_BUF, so a write of it is atomic."""
_HEAD_SHARE: Final = 3
"""A message that is too long keeps a third from its beginning and the rest from its end, where a traceback tells."""

_LEVELS: Final = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_RECORD: Final = re.compile(
    r"(?P<ts>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d) (?P<level>[A-Z]+) (?P<call_sid>\S+) (?P<thread>\S+) "
    r"(?P<msg>.*)"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a log, read. `stream_sid` is `-` in text logs, which do not carry it."""

    ts: datetime
    level: str
    call_sid: str
    stream_sid: str
    thread: str
    msg: str

    @property
    def parsed(self) -> Parsed | None:
        """The marker, when `msg` is one."""
        return parse(self.msg)


class Layout:
    """Lays records out; keeps the second's part of the timestamp, which is dear, for as long as it holds."""

    def __init__(self, fmt: Format, zone: str, now: Callable[[], float] = time.time) -> None:
        self._json = fmt == "json"
        self._zone = ZoneInfo(zone)
        self._now = now
        self._second: tuple[int, str, str] = (-1, "", "")

    def line(self, level: int, call_sid: str, stream_sid: str, role: str, msg: str) -> bytes:
        """The record as UTF-8 with its newline. All texts are on one line already."""
        ts = self._timestamp()
        name = _LEVELS.get(level) or f"LEVEL{level}"
        if self._json:
            record = {
                "ts": ts,
                "level": name,
                "call_sid": call_sid,
                "stream_sid": stream_sid,
                "thread": role,
                "msg": msg,
            }
            return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        return f"{ts} {name} {call_sid} {role} {msg}\n".encode()

    def _timestamp(self) -> str:
        # One tuple is swapped whole: threads may race here, and each gets a second with its own text.
        now_ms = int(self._now() * 1000)
        second, millis = divmod(now_ms, 1000)
        kept = self._second
        if kept[0] != second:
            moment = datetime.fromtimestamp(second, self._zone)
            kept = (second, moment.strftime("%Y-%m-%dT%H:%M:%S"), moment.isoformat()[-6:])
            self._second = kept
        return f"{kept[1]}.{millis:03d}{kept[2]}"


def one_line(text: str) -> str:
    """A library's message or a traceback as one line: newlines shown as `\\n`, phones masked, the middle cut out."""
    shown = escape(mask_phones(text))
    raw = shown.encode()
    if len(raw) <= MESSAGE_BYTES:
        return shown
    head = MESSAGE_BYTES // _HEAD_SHARE
    tail = MESSAGE_BYTES - head
    # "ignore" drops only the bytes of a character that the cut went through.
    return raw[:head].decode(errors="ignore") + " … " + raw[-tail:].decode(errors="ignore")


def role_of(thread_name: str) -> str:
    """`TwilioTx-3f9a01` → `TwilioTx`; a request's own greenlet, which Python knows as a dummy thread → `Http`."""
    role = thread_name.partition("-")[0].replace(" ", "_") or "-"
    return "Http" if role == "Dummy" else role


def read_record(line: str) -> Record | None:
    """Read one line of either format; None when it is no record of ours."""
    line = line.rstrip("\r\n")
    if line.startswith("{"):
        return _read_json(line)
    match = _RECORD.fullmatch(line)
    if match is None:
        return None
    found = match.groupdict()
    return Record(
        datetime.fromisoformat(found["ts"]),
        found["level"],
        found["call_sid"],
        "-",
        found["thread"],
        found["msg"],
    )


def _read_json(line: str) -> Record | None:
    try:
        found = orjson.loads(line)
        return Record(
            datetime.fromisoformat(found["ts"]),
            *(str(found[key]) for key in ("level", "call_sid", "stream_sid", "thread", "msg")),
        )
    except (ValueError, KeyError, TypeError):
        return None
