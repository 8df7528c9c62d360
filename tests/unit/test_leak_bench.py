"""The leak bench's own judgement, without a stack: logs, figures, slope."""

from collections.abc import Sequence

import orjson
import pytest

from media_ws_ai import markers
from media_ws_ai.bench import call_log, leak_verdicts, witness
from media_ws_ai.bench.endings import ENDINGS, WAVE_ENDINGS, wave_plan
from media_ws_ai.peers.carrier.plan import Plan

CALL, STREAM = "CA" + "1" * 32, "MZ" + "2" * 32
METRICS = markers.call_metrics(
    call_sid=CALL, stream_sid=STREAM, duration_s=1.0, avg_fps=50.0, max_gap_ms=21.0, frames_sent=50, frames_dropped=0,
    frames_flushed=0, barge_in_candidates=0, barge_in_events=0, barge_in_rejected=0, extra={"renewals": 2},
)  # fmt: skip
STARTED = markers.call_started(business_id=1, caller="+972541234567", lang="he", goal="appointment", attempt=1)
GOOD = [
    STARTED,
    markers.threads_waiting(threads=2),
    markers.thread_completed(index=0),
    markers.thread_completed(index=1),
    markers.threads_complete(),
    markers.cleanup_reset(),
    markers.cleanup_done(),
    markers.websocket_closed(),
    markers.call_ended(reason="caller_hangup", duration_s=1.0),
    METRICS,
]


def logged(lines: Sequence[str | markers.Line], level: str = "INFO") -> list[str]:
    return [
        orjson.dumps(
            {
                "ts": f"2026-11-22T12:00:{number:02}.000+02:00",
                "level": level,
                "call_sid": CALL,
                "stream_sid": STREAM,
                "thread": "CallHandler",
                "msg": line if isinstance(line, str) else line.text,
            }
        ).decode()
        for number, line in enumerate(lines)
    ]


def faults(lines: Sequence[str | markers.Line], level: str = "INFO") -> list[str]:
    logs = call_log.read(logged(lines, level))
    return logs.faults + [fault for stream in logs.streams.values() for fault in stream.faults()]


def test_an_end_in_order_is_well():
    logs = call_log.read(logged(GOOD))
    assert faults(GOOD) == []
    stream = logs.streams[STREAM]
    assert stream.reasons == ["caller_hangup"]
    assert stream.metrics[0]["renewals"] in (2, "2")
    assert stream.cleanup_ms == 8000.0


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (GOOD[:-1], "0 lines of call_metrics"),
        ([*GOOD, METRICS], "2 lines of call_metrics"),
        ([*GOOD[:5], GOOD[7], *GOOD[5:7], *GOOD[8:]], "closed in the order"),
        ([*GOOD[:3], *GOOD[4:]], "closed in the order"),
        ([*GOOD, markers.thread_stuck(index=1, role="RealtimeSender")], "RealtimeSender"),
        ([*GOOD, "x: y\\nTraceback (most recent call last):\\n"], "Traceback"),
    ],
)
def test_what_is_wrong_with_an_end_is_named(lines, words):
    assert any(words in fault for fault in faults(lines)), faults(lines)


def test_an_error_is_a_fault_unless_the_ending_causes_it():
    assert faults(["media_ws_ai.runtime.hangup: hang-up by REST: 500"], "ERROR") == []
    assert faults(["something else"], "ERROR") == ["ERROR something else"]


def test_a_call_that_ended_otherwise_has_tried_something_else():
    stream = call_log.read(logged(GOOD)).streams[STREAM]
    report = {"call_sid": CALL, "end": {"by": "caller", "reason": ""}}
    killed = next(each for each in ENDINGS if each.name == "killed_model")
    frozen = next(each for each in ENDINGS if each.name == "frozen_caller")
    assert leak_verdicts.met(killed, report, [stream]) == []
    assert "not for carrier_silent" in leak_verdicts.met(frozen, report, [stream])[0]
    stream.metrics[0]["renewals"] = 0
    assert "no renewals" in leak_verdicts.met(killed, report, [stream])[0]


def test_every_ending_is_a_plan_that_the_carrier_takes():
    plan = Plan.of({"calls": [ending.plan() for ending in ENDINGS]})
    assert [call.name for call in plan.calls] == [ending.name for ending in ENDINGS]
    assert len(Plan.of({"calls": wave_plan(30)}).calls) == 30
    assert {call["name"] for call in wave_plan(30)} == {ending.name for ending in WAVE_ENDINGS}


def test_figures_above_rest_are_told_and_those_below_are_not():
    assert witness.risen({"a": 3, "b": 1, "c": 1}, {"a": 2, "b": 1}) == {"a": (3, 2), "c": (1, 0)}


def test_the_slope_is_that_of_a_line():
    assert witness.slope([(0, 5.0), (10, 25.0), (20, 45.0)]) == pytest.approx(2.0)
    assert witness.slope([(0, 5.0), (10, 25.0)]) is None
