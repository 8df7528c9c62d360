"""Layout of a record, in both formats; the order and the loss of lines; the libraries' records."""

import logging
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from media_ws_ai import logs, markers
from media_ws_ai.log_record import MESSAGE_BYTES, Layout, Record, one_line, read_record, role_of

NOON_WINTER = datetime.fromisoformat("2025-12-15T12:00:00.250+00:00").timestamp()
NOON_SUMMER = datetime.fromisoformat("2026-07-15T12:00:00.001+00:00").timestamp()


class Log:
    """A configured log that writes to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("wb", buffering=0)
        self.moment = NOON_WINTER

    def configure(self, **options: object) -> None:
        self.writer = logs.configure(fd=self.file.fileno(), now=lambda: self.moment, **options)  # type: ignore[arg-type]

    def lines(self) -> list[str]:
        assert self.writer.flush(5.0)
        return self.path.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    made = Log(tmp_path / "log")
    made.configure()
    yield made
    logs.unconfigure()
    made.file.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_record(log: Log) -> None:
    call = logs.CallLog("CA01", "MZ01")
    thread = threading.Thread(target=lambda: call.write(markers.caller_said(text="שלום")), name="TwilioTx-3f9a01")
    thread.start()
    thread.join()
    log.moment = NOON_SUMMER
    logs.write(markers.threads_alive(alive=1, threads=4), role="Main")
    assert log.lines() == [
        "2025-12-15T14:00:00.250+02:00 INFO CA01 TwilioTx [TURN] caller text='שלום'",
        "2026-07-15T15:00:00.001+03:00 WARNING - Main ⚠️ [F2 VIOLATION] 1/4 threads still alive after cleanup",
    ]


def test_json_record(log: Log) -> None:
    log.configure(fmt="json")
    logs.CallLog("CA01", "MZ01").write(markers.caller_said(text='אמר "שלום"'), role="RealtimeThread")
    (line,) = log.lines()
    assert "שלום" in line
    assert orjson.loads(line) == {
        "ts": "2025-12-15T14:00:00.250+02:00",
        "level": "INFO",
        "call_sid": "CA01",
        "stream_sid": "MZ01",
        "thread": "RealtimeThread",
        "msg": "[TURN] caller text='אמר \"שלום\"'",
    }


@pytest.mark.parametrize("fmt", ["text", "json"])
def test_what_is_written_is_read(log: Log, fmt: str) -> None:
    log.configure(fmt=fmt)
    logs.CallLog("CA01", "MZ01").write(markers.tx_blocked(blocked_ms=5012), role="TwilioTx")
    (line,) = log.lines()
    record = read_record(line)
    assert record == Record(
        datetime.fromisoformat("2025-12-15T14:00:00.250+02:00"),
        "WARNING",
        "CA01",
        "MZ01" if fmt == "json" else "-",
        "TwilioTx",
        "[TX] blocked for 5012ms - closing",
    )
    assert record.parsed == markers.Parsed("tx_blocked", "A1", {"blocked_ms": 5012})


@pytest.mark.parametrize("line", ["", "hello", "{", "{}", '{"ts": 1}', "2025-12-15 INFO - x y"])
def test_what_is_no_record_is_not_read(line: str) -> None:
    assert read_record(line) is None


def test_hostile_sids_stay_one_word(log: Log) -> None:
    logs.CallLog("CA 1\nINFO", "").write(markers.goodbye_heard(), role="X")
    assert log.lines() == ["2025-12-15T14:00:00.250+02:00 INFO CA_1_INFO X [GOODBYE] User said goodbye"]


def test_library_records_are_one_line_each(log: Log) -> None:
    library = logging.getLogger("some.library")
    library.info("line one\nline two for %s", "0521234567")
    library.debug("below the level")
    try:
        raise OSError("no\nroute")
    except OSError:
        library.exception("failed")
    info, failed = log.lines()
    assert info.endswith(" INFO - MainThread some.library: line one\\nline two for ***4567")
    assert "ERROR - MainThread some.library: failed\\nTraceback (most recent call last):" in failed
    assert failed.endswith("OSError: no\\nroute")


def test_a_record_that_cannot_be_formatted_is_shown_all_the_same(log: Log) -> None:
    # Given to the handler alone: pytest's own would fail the test.
    (handler,) = [each for each in logging.getLogger().handlers if isinstance(each, logs.QueueingHandler)]
    broken = {"name": "lib", "levelno": 30, "msg": "broken %d", "args": ("format",), "threadName": "Main"}
    handler.handle(logging.makeLogRecord(broken))
    assert log.lines()[0].endswith("WARNING - Main lib: 'broken %d' could not be formatted: TypeError")


def test_exception_of_a_call(log: Log) -> None:
    call = logs.CallLog("CA01", "MZ01")
    try:
        raise KeyError("x")
    except KeyError as error:
        call.write_exception(markers.thread_failed(role="TwilioTx", error=repr(error)), error, role="TwilioTx")
    first, second = log.lines()
    assert first.endswith("ERROR CA01 TwilioTx [THREAD] TwilioTx failed: KeyError('x')")
    assert second.endswith("KeyError: 'x'")
    assert " ERROR CA01 TwilioTx Traceback" in second


def test_level_is_obeyed(log: Log) -> None:
    log.configure(level="warning")
    logs.write(markers.goodbye_heard())
    logs.write(markers.hangup_blocked(reason="x"))
    assert len(log.lines()) == 1
    with pytest.raises(ValueError, match="unknown log level"):
        logs.configure(level="loud")


def test_adopted_loggers_lose_their_handlers(log: Log) -> None:
    library = logging.getLogger("adopted.library")
    library.addHandler(logging.NullHandler())
    library.propagate = False
    log.configure(adopt=("adopted.library",))
    library.warning("hello")
    assert library.handlers == []
    assert log.lines()[-1].endswith("WARNING - MainThread adopted.library: hello")


def test_before_configure_it_is_ordinary_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logs.CallLog("CA01", "MZ01").write(markers.caller_said(text="100% שלום"))
    assert caplog.messages == ["[TURN] caller text='100% שלום'"]


def test_a_long_traceback_keeps_both_ends() -> None:
    shown = one_line("begin " + "ש" * 5000 + " end")
    assert len(shown.encode()) <= MESSAGE_BYTES + len(" … ".encode())
    assert shown.startswith("begin ש")
    assert shown.endswith("ש end")


@pytest.mark.parametrize(
    ("name", "role"),
    [("TwilioTx-3f9a01", "TwilioTx"), ("MainThread", "MainThread"), ("Thread (x)-1", "Thread_(x)"), ("", "-")],
)
def test_role_of(name: str, role: str) -> None:
    assert role_of(name) == role


def test_seconds_are_cached_and_renewed() -> None:
    moments = iter([NOON_WINTER, NOON_WINTER + 0.5, NOON_WINTER + 1])
    layout = Layout("text", "UTC", lambda: next(moments))
    stamps = [layout.line(20, "-", "-", "-", "x").split()[0] for _ in range(3)]
    assert stamps == [
        b"2025-12-15T12:00:00.250+00:00",
        b"2025-12-15T12:00:00.750+00:00",
        b"2025-12-15T12:00:01.250+00:00",
    ]
