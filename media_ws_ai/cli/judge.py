"""`media-ws-ai judge KIND`: JSON lines in, the same with verdict and reason out, from the code that runs in a call.

Reads standard input and writes standard output; no database, no network, no settings.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from media_ws_ai.judges import backchannel, goodbye, hallucination, locality, question_pair, short_answer
from media_ws_ai.judges.verdict import Verdict

MAX_LINE_BYTES = 64 * 1024
TURNS = ("first", "later", "any")
NOT_BUILT = ("booking_claim", "datetime", "transcript")

Item = Mapping[str, Any]


class BrokenLine(Exception):
    """A line that cannot be judged; the message says why, in a sentence for whoever wrote it."""


def _text(item: Item, name: str, default: str | None = None) -> str:
    value = item.get(name, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise BrokenLine(f"the field {name} must be a string")
    return value


def _one_of(item: Item, name: str, values: tuple[str, ...], default: str) -> str:
    value = _text(item, name, default)
    if value not in values:
        raise BrokenLine(f"the field {name} must be one of {', '.join(values)}")
    return value


def _backchannel(item: Item) -> Verdict:
    context = _one_of(item, "context", backchannel.CONTEXTS, backchannel.WHILE_AGENT_SPEAKING)
    return backchannel.judge(_text(item, "text"), context)


def _short_answer(item: Item) -> Verdict:
    return short_answer.judge(_text(item, "text"), _text(item, "slot", ""))


def _goodbye(item: Item) -> Verdict:
    return goodbye.judge(_text(item, "text"), _one_of(item, "turn", TURNS, "later"))


def _hallucination(item: Item) -> Verdict:
    return hallucination.judge(_text(item, "text"), _text(item, "lang", ""))


def _question_pair(item: Item) -> Verdict:
    return question_pair.judge(_text(item, "a"), _text(item, "b"))


def _locality(item: Item) -> Verdict:
    return locality.judge(_text(item, "text"), _one_of(item, "context", locality.CONTEXTS, locality.IN_CITY_SLOT))


KINDS: dict[str, Callable[[Item], Verdict]] = {
    "backchannel": _backchannel,
    "short_answer": _short_answer,
    "goodbye": _goodbye,
    "hallucination": _hallucination,
    "question_pair": _question_pair,
    "locality": _locality,
}


@click.command()
@click.argument("kind")
@click.pass_context
def judge(ctx: click.Context, kind: str) -> None:
    """Judge JSON lines from standard input: backchannel, short_answer, goodbye, hallucination, question_pair, locality.

    A broken line is answered by a line with `error` and its number; the exit status is then 1.
    """
    out = sys.stdout.buffer
    if kind not in KINDS:
        known = ", ".join(KINDS)
        why = "is not built yet" if kind in NOT_BUILT else "is no kind of judgement"
        out.write(_encoded({"error": f"{kind} {why}; there are {known}"}))
        ctx.exit(1)
    broken = False
    for number, line in _lines():
        try:
            item = _item(line)
            answer = {**item, **asdict(KINDS[kind](item))}
        except BrokenLine as problem:
            broken = True
            answer = {"error": str(problem), "line": number}
        out.write(_encoded(answer))
    out.flush()
    ctx.exit(1 if broken else 0)


def _lines() -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if line.strip():
            yield number, line


def _item(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise BrokenLine(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise BrokenLine(f"the line is not JSON: {problem}") from problem
    if not isinstance(item, dict):
        raise BrokenLine("the line is not a JSON object")
    return item


def _encoded(answer: Item) -> bytes:
    try:
        return json.dumps(answer, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair came in as an escape: it goes out as one
        return json.dumps(answer).encode() + b"\n"
