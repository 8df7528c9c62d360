"""Whether each call of a leak run ended as it was meant to: otherwise a phase has tried something else than it says.

Each verdict is a list of sentences, empty when all is well. Pure.
"""

from typing import Any

from media_ws_ai.bench import call_log
from media_ws_ai.bench.endings import Ending


def met(ending: Ending, report: dict[str, Any], streams: list[call_log.StreamLog]) -> list[str]:
    """Whether the call ended as it should: otherwise the phase has tried something else than it says."""
    who = f"call {report['call_sid'][-6:]}"
    if report["end"]["by"] not in ending.by:
        return [f"{who} was ended by {report['end']['by']} ({report['end']['reason']})"]
    if ending.is_refused:
        return [f"{who} was admitted"] if streams else []
    reasons = [reason for stream in streams for reason in stream.reasons]
    if not ending.reasons.intersection(reasons):
        return [f"{who} ended for {', '.join(reasons) or 'no reason'}, not for {' or '.join(sorted(ending.reasons))}"]
    if ending.sign and not any(metrics.get(ending.sign) for stream in streams for metrics in stream.metrics):
        return [f"{who} shows no {ending.sign}"]
    return []


def handed_over(report: dict[str, Any], streams: list[call_log.StreamLog]) -> list[str]:
    """Closed with 1001 by the worker that left, and ended by the caller at the next one."""
    reasons = [reason for stream in streams for reason in stream.reasons]
    code = report["streams"][0]["close_code"] if report["streams"] else None
    if reasons != ["drain", "caller_hangup"] or code != 1001:
        return [f"call {report['call_sid'][-6:]}: ended for {', '.join(reasons)}, first stream closed with {code}"]
    return []


def closed_1001(report: dict[str, Any], streams: list[call_log.StreamLog]) -> list[str]:
    """Closed with 1001, where no worker was left to go on."""
    codes = [stream["close_code"] for stream in report["streams"]]
    return [] if codes == [1001] else [f"call {report['call_sid'][-6:]}: streams closed with {codes}, not 1001"]


def drained(logs: call_log.CallLogs) -> list[str]:
    """One drain, which left no call."""
    if len(logs.drains) != 1:
        return [f"{len(logs.drains)} drains in the log, not 1"]
    left = logs.drains[0]["left"]
    return [f"{left} calls were left at the end of the drain"] if left else []
