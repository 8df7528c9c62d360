"""Nothing of a call outlives it, whatever ended it: the leak bench in small, and the bench itself put to the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from media_ws_ai.bench import endings
from media_ws_ai.bench.leak_report import Row
from media_ws_ai.bench.leak_run import LeakRun
from media_ws_ai.bench.stack import CONFS, Stack
from media_ws_ai.peers.carrier.process import CarrierPeer

TOKEN = "leaks"


@contextmanager
def run_on(mode: str, **more: Any) -> Iterator[LeakRun]:
    settings = {"LOG_FORMAT": "json", **more.pop("env", {})}
    with (
        CarrierPeer(token=TOKEN) as carrier,
        Stack(
            mode=mode,  # type: ignore[arg-type]  # a test's parameter
            twilio_api_url=carrier.rest_url,
            token=TOKEN,
            drain_s=8,
            env=settings,
            **more,
        ) as stack,
    ):
        carrier.aim(stack.url)
        yield LeakRun(stack, carrier, 20, lambda row: None, patience_s=8.0)


def sound(row: Row) -> None:
    assert row.faults == [], row.name


@pytest.mark.parametrize("mode", ["gevent", "gthread"])
def test_nothing_is_left_of_any_ending(mode):
    with run_on(mode) as run:
        run.warm_up(0)
        sound(run.together("by the caller", endings.BY_CALLER))
        for ending in endings.BY_MODEL:
            sound(run.phase(ending, 1))
        sound(run.phase(next(each for each in endings.ENDINGS if each.is_refused), 1))
        sound(run.wave("a wave", 9))
        sound(run.restart(2))
        sound(run.stop(2))
        assert run.report.calls >= 12 + 9


def faults_of(mode: str, leak: str) -> str:
    conf = Path(__file__).with_name("leaking_conf.py")
    with run_on(mode, conf=conf, env={"LEAK": leak, "LEAK_CONF": str(CONFS[mode])}) as run:
        run.take_rest()
        return "\n".join(run.phase(endings.ENDINGS[0], 2).faults)


@pytest.mark.parametrize("mode", ["gevent", "gthread"])
def test_a_thread_that_does_not_end_is_found_and_named(mode):
    faults = faults_of(mode, "sender")
    assert "F2 VIOLATION" in faults
    assert "(RealtimeSender) still running" in faults
    assert "call_threads (/metrics): 2, at rest 0" in faults


def test_a_socket_that_stays_open_is_found_and_named():
    faults = faults_of("gevent", "socket")
    assert "sockets (/proc): 2, at rest 0" in faults
    assert "F2 VIOLATION" not in faults
