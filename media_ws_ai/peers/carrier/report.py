"""The report of a call as a plain dict, ready for JSON. README.md in this folder explains every key."""

from typing import Any

from media_ws_ai.peers.carrier.call import Call

CallReport = dict[str, Any]


def of(call: Call) -> CallReport:
    """What is known of a call; complete once it is over."""
    line, end = call.line, call.end
    zero = line.stopwatch.zero
    return {
        "call_sid": call.call_sid,
        "name": call.plan.name,
        "from": call.plan.caller,
        "to": call.plan.called,
        "over": call.over,
        "end": None
        if end is None
        else {
            "by": end.by,
            "reason": end.reason,
            "code": end.code,
            "at_ms": line.ms(end.at),
            "monotonic_s": end.at,
            "wall_s": end.wall,
        },
        "placed": {"monotonic_s": line.placed_at, "wall_s": line.placed_wall},
        "start_monotonic_s": zero,
        "start_after_ms": None if zero is None else round((zero - line.placed_at) * 1000, 1),
        "webhooks": call.webhooks,
        "heard": call.heard,
        "streams": call.streams,
        "second_stream": call.second_stream,
        "rest": call.rest,
        **line.stopwatch.figures(),
        "marks": line.marks.figures(),
        "warnings": dict(line.warnings.counts),
        "examples": dict(line.warnings.examples),
        "warnings_31951": line.warnings.counts.get("31951", 0),
        "steps": {"performed": line.script.at, "of": len(line.script.steps), "missed": line.script.missed},
        "timeline": list(line.timeline),
        "timeline_dropped": line.timeline_dropped,
    }
