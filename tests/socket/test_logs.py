"""The log against real pipes, with plain threads and under gevent: it never blocks, and it counts what it loses.

Judged by order of events, not by the clock: while nobody reads the pipe, every log call has returned.
"""

import fcntl
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gevent import monkey
from gevent.monkey import get_original

from media_ws_ai import logs, markers
from media_ws_ai.log_record import read_record
from media_ws_ai.log_writer import LogWriter

PIPE_BYTES = 4096
LINE = b"x" * 99 + b"\n"

close_now = get_original("os", "close")
"""gevent's `os.close` leaves the descriptor open until its loop runs: a writer would meet no broken pipe yet."""


class Pipe:
    """A small pipe that is read only when asked."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self.read_fd, False)

    def drain(self) -> bytes:
        """What is there now."""
        parts = []
        while True:
            try:
                parts.append(os.read(self.read_fd, 65536))
            except BlockingIOError:
                return b"".join(parts)
            if not parts[-1]:
                return b"".join(parts)

    def close(self) -> None:
        for each in (self.read_fd, self.write_fd):
            close_now(each)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def lost_line(count: int) -> bytes:
    return b"lost %d\n" % count


def lost_in(text: bytes) -> int:
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(b"lost "))


def lines_in(text: bytes) -> int:
    return text.count(LINE)


def read_until_idle(pipe: Pipe, writer: LogWriter, eventually: Callable[..., Any]) -> bytes:
    """Read until nothing is queued and nothing more comes."""
    parts: list[bytes] = []

    def idle() -> bool:
        parts.append(pipe.drain())
        return writer.counters()["queued"] == 0

    eventually(idle)
    parts.append(pipe.drain())
    return b"".join(parts)


def test_a_stalled_pipe_blocks_no_log_call(pipe: Pipe, eventually: Callable[..., Any]) -> None:
    writer = LogWriter(pipe.write_fd, lost_line, max_lines=1000)
    for _ in range(3000):
        writer.put(LINE)
    # Every call has returned, and nobody has read a byte yet.
    counters = writer.counters()
    assert counters["lost"] > 0
    assert counters["written"] + counters["queued"] + counters["lost"] == 3000
    text = read_until_idle(pipe, writer, eventually)
    assert lines_in(text) + lost_in(text) == 3000
    assert writer.counters()["lost"] == lost_in(text)
    assert writer.close()


def test_the_loss_is_reported_where_it_happened(pipe: Pipe, eventually: Callable[..., Any]) -> None:
    writer = LogWriter(pipe.write_fd, lost_line, max_lines=10)
    lines = [b"%06d\n" % number for number in range(5000)]
    for line in lines:
        writer.put(line)
    received = read_until_idle(pipe, writer, eventually).splitlines(keepends=True)
    reports = [at for at, line in enumerate(received) if line.startswith(b"lost ")]
    assert reports
    for at in reports:
        before, after = int(received[at - 1]) if at else -1, int(received[at + 1])
        assert after - before - 1 == int(received[at].split()[1])
    assert received[-1] == lines[-1], "the latest lines are kept"
    writer.put(b"999999\n")
    assert writer.flush(5)
    assert pipe.drain() == b"999999\n"
    writer.close()


def test_bytes_are_bounded_too(pipe: Pipe, eventually: Callable[..., Any]) -> None:
    writer = LogWriter(pipe.write_fd, lost_line, max_bytes=5000)
    for _ in range(200):
        writer.put(LINE)
    assert writer.counters()["queued_bytes"] <= 5000
    text = read_until_idle(pipe, writer, eventually)
    assert lines_in(text) + lost_in(text) == 200
    writer.close()


def cost_of(logged: Callable[[], None], times: int) -> float:
    """Seconds of this process for `times` calls, the best of three."""

    def once() -> float:
        before = time.process_time()
        for _ in range(times):
            logged()
        return time.process_time() - before

    return min(once() for _ in range(3))


def test_logging_costs_the_same_while_the_pipe_is_stalled(pipe: Pipe) -> None:
    line = markers.tx_metrics(fps=50.0, max_gap_ms=23.5, frames=50, queued=0, capacity=500)
    call = logs.CallLog("CA01", "MZ01")
    with open(os.devnull, "wb") as null:
        logs.configure(fd=null.fileno())
        free = cost_of(lambda: call.write(line), 3000)
        writer = logs.configure(fd=pipe.write_fd)
        stalled = cost_of(lambda: call.write(line), 3000)
        assert writer.counters()["queued"] > 1000
        pipe.drain()
        logs.unconfigure()
    assert stalled < 4 * free + 0.01


def test_other_threads_run_while_the_pipe_is_stalled(pipe: Pipe, eventually: Callable[..., Any]) -> None:
    writer = LogWriter(pipe.write_fd, lost_line, max_lines=100)
    ticks: list[int] = []

    def tick() -> None:
        for number in range(50):
            writer.put(LINE)
            ticks.append(number)
            time.sleep(0.0005)

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for _ in range(200):
        writer.put(LINE)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(ticks) == 200
    text = read_until_idle(pipe, writer, eventually)
    assert lines_in(text) + lost_in(text) == 400
    writer.close()


def test_the_writer_is_a_native_thread(pipe: Pipe) -> None:
    before = len(threading.enumerate())
    writer = LogWriter(pipe.write_fd, lost_line)
    writer.put(LINE)
    assert writer.flush(5)
    assert len(threading.enumerate()) == before, "not counted among the threads of calls"
    assert get_original("_thread", "start_new_thread") is not None
    if monkey.is_module_patched("threading"):
        assert get_original("_thread", "start_new_thread") is not __import__("_thread").start_new_thread
    writer.close()


def test_close_waits_no_longer_than_told(pipe: Pipe) -> None:
    writer = LogWriter(pipe.write_fd, lost_line)
    for _ in range(500):
        writer.put(LINE)
    started = time.monotonic()
    assert not writer.close(0.2)
    assert time.monotonic() - started < 5
    assert writer.counters()["lost"] > 0
    writer.put(LINE)
    assert writer.counters()["queued_bytes"] == 0
    pipe.drain()


def test_a_non_blocking_descriptor_is_waited_for(pipe: Pipe, eventually: Callable[..., Any]) -> None:
    os.set_blocking(pipe.write_fd, False)
    writer = LogWriter(pipe.write_fd, lost_line)
    for _ in range(500):
        writer.put(LINE)
    assert lines_in(read_until_idle(pipe, writer, eventually)) == 500
    writer.close()


def test_a_broken_descriptor_is_counted_and_survived(pipe: Pipe, eventually: Callable[..., Any]) -> None:
    read_fd, write_fd = os.pipe()
    writer = LogWriter(write_fd, lost_line)
    close_now(read_fd)
    writer.put(LINE)
    eventually(lambda: writer.counters()["write_errors"] == 1)
    os.dup2(pipe.write_fd, write_fd)
    writer.put(LINE)
    assert writer.flush(5)
    assert pipe.drain() == b"lost 1\n" + LINE
    writer.close()
    close_now(write_fd)


SCRIPT = """
import os, sys
{patch}
from media_ws_ai import logs, markers
writer = logs.configure(fd=1)
logs.write(markers.worker_started(pid=1), role="Parent")
for child in range(3):
    pid = os.fork()
    if pid == 0:
        for number in range(100):
            logs.write(markers.dtmf(digit=str(number)), role=f"Child{{child}}")
        sys.exit(0)
    os.waitpid(pid, 0)
logs.write(markers.worker_stopped(pid=1), role="Parent")
"""


@pytest.mark.parametrize("patch", ["", "from gevent import monkey; monkey.patch_all()"], ids=["threads", "gevent"])
def test_each_process_after_a_fork_writes_its_own_lines_once(patch: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT.format(patch=patch))],
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    records = [read_record(line) for line in done.stdout.splitlines()]
    assert all(records)
    roles = [each.thread for each in records if each]
    assert {role: roles.count(role) for role in roles} == {"Parent": 2, "Child0": 100, "Child1": 100, "Child2": 100}


@pytest.mark.parametrize("patch", ["", "from gevent import monkey; monkey.patch_all()"], ids=["threads", "gevent"])
def test_exit_is_bounded_when_nobody_reads(pipe: Pipe, patch: str) -> None:
    script = f"""
{patch}
from media_ws_ai import logs, markers
logs.configure(fd=1)
for number in range(3000):
    logs.write(markers.dtmf(digit="1"))
"""
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", script], stdout=pipe.write_fd)
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert 0 < len(pipe.drain()) <= PIPE_BYTES
