"""Logging that never blocks audio: the call's markers and the libraries' records on one non-blocking path.

    CallLog.write(line) ─┐
    logs.write(line) ────┼─▶ Layout (one record, one line) ─▶ LogWriter (bounded, native thread) ─▶ stderr
    logging.getLogger() ─┘

Before `configure` everything goes to the ordinary `logging`, so that a test or a script sees it. Text and meaning of
markers are `markers`' job.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from media_ws_ai import markers
from media_ws_ai.log_record import Format, Layout, one_line, role_of
from media_ws_ai.log_writer import LogWriter
from media_ws_ai.markers import Line
from media_ws_ai.markers.fields import WordField

_UNCONFIGURED: Final = logging.getLogger("media_ws_ai")
_TRACEBACK: Final = logging.Formatter()
_word: Final = WordField()


class _Output:
    """Where lines go: layout, writer and the lowest level written."""

    def __init__(self, layout: Layout, writer: LogWriter, level: int) -> None:
        self.layout = layout
        self.writer = writer
        self.level = level

    def put(self, level: int, call_sid: str, stream_sid: str, role: str, msg: str) -> None:
        if level >= self.level:
            self.writer.put(self.layout.line(level, call_sid, stream_sid, role, msg))


class QueueingHandler(logging.Handler):
    """Brings the records of libraries into the log: one line each, a traceback with its newlines shown as `\\n`."""

    def __init__(self, output: _Output) -> None:
        super().__init__(logging.NOTSET)
        self._output = output

    def handle(self, record: logging.LogRecord) -> bool:
        """As in `logging`, without its lock: `emit` is safe in any thread, and a lock could be waited for."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        role = role_of(record.threadName or "-")
        self._output.put(record.levelno, "-", "-", role, one_line(_message(record)))


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception as error:  # any `__str__` may raise anything, and a log call must not end its caller
        text = f"{record.msg!r} could not be formatted: {type(error).__name__}"
    text = f"{record.name}: {text}"
    if record.exc_info and record.exc_info[0] is not None:
        text = f"{text}\n{_TRACEBACK.formatException(record.exc_info)}"
    if record.stack_info:
        text = f"{text}\n{record.stack_info}"
    return text


_output: _Output | None = None
_handler: QueueingHandler | None = None


def configure(
    level: int | str = logging.INFO,
    fmt: Format = "text",
    fd: int = 2,
    *,
    zone: str = "Asia/Jerusalem",
    now: Callable[[], float] = time.time,
    adopt: tuple[str, ...] = (),
) -> LogWriter:
    """Send all logging of this process to `fd`, and return its writer.

    Replaces the root logger's handlers; loggers named in `adopt` (gunicorn's, which bring their own blocking
    handlers) lose theirs and propagate. Called again, it ends the writer of the last time.

    Args:
        level: lowest level written, a number or a name.
        fmt: `text` or `json`.
        fd: descriptor to write to; not closed.
        zone: IANA name of the zone whose offset the timestamps show.
        now: wall clock [s since the epoch].
    Raises: ValueError for an unknown level, ZoneInfoNotFoundError for an unknown zone.
    """
    global _output, _handler
    number = logging.getLevelNamesMapping().get(level.upper()) if isinstance(level, str) else level
    if number is None:
        raise ValueError(f"unknown log level {level!r}")
    layout = Layout(fmt, zone, now)
    unconfigure()

    def lost_line(count: int) -> bytes:
        line = markers.log_lines_lost(lost=count)
        return layout.line(line.level, "-", "-", "LogWriter", line.text)

    writer = LogWriter(fd, lost_line)
    _output = _Output(layout, writer, number)
    _handler = QueueingHandler(_output)
    root = logging.getLogger()
    for each in list(root.handlers):
        root.removeHandler(each)
    root.addHandler(_handler)
    root.setLevel(number)
    for name in adopt:
        library = logging.getLogger(name)
        for each in list(library.handlers):
            library.removeHandler(each)
        library.propagate = True
    return writer


def unconfigure() -> None:
    """End the writer (waiting at most 0.5 s) and take its handler away; back to ordinary logging."""
    global _output, _handler
    if _handler is not None:
        logging.getLogger().removeHandler(_handler)
    if _output is not None:
        _output.writer.close()
    _output = _handler = None


def write(line: Line, role: str | None = None) -> None:
    """Log a marker that belongs to no call."""
    _put(line, "-", "-", role)


def write_exception(line: Line, error: BaseException, role: str | None = None) -> None:
    """Log a marker and, as a second record, the traceback of `error`."""
    NO_CALL.write_exception(line, error, role)


def _put(line: Line, call_sid: str, stream_sid: str, role: str | None) -> None:
    output = _output
    if output is None:
        _UNCONFIGURED.log(line.level, "%s", line.text)
        return
    if line.level < output.level:
        return
    shown = role_of(threading.current_thread().name) if role is None else role
    output.put(line.level, call_sid, stream_sid, shown, line.text)


def lines_lost() -> int:
    """Lines of this process that were dropped because the log's reader stood still."""
    return _output.writer.counters()["lost"] if _output is not None else 0


class CallLog:
    """The log of one call: every marker with its call_sid and stream_sid, from any thread."""

    __slots__ = ("call_sid", "stream_sid")

    def __init__(self, call_sid: str, stream_sid: str) -> None:
        self.call_sid: Final = _word.show(call_sid)
        self.stream_sid: Final = _word.show(stream_sid)

    def write(self, line: Line, role: str | None = None) -> None:
        """Log one marker; `role` is the part of the thread's name before the dash unless given. Never waits."""
        _put(line, self.call_sid, self.stream_sid, role)

    def write_exception(self, line: Line, error: BaseException, role: str | None = None) -> None:
        """Log one marker and, as a second record of the same level, the traceback of `error` on one line."""
        self.write(line, role)
        text = "".join(_TRACEBACK.formatException((type(error), error, error.__traceback__)))
        _put(Line(line.marker, line.level, one_line(text), line.item), self.call_sid, self.stream_sid, role)


NO_CALL: Final = CallLog("-", "-")
"""For what belongs to no call."""
