"""A simulated call in words: a line for each moment of its timeline, and the stopwatch's table.

Hebrew stands at the end of a line, between «» and, on a terminal, between direction marks (FSI … PDI), so that the
columns before it stay where they are.
"""

from collections.abc import Callable
from typing import Any, Final

import click

from media_ws_ai.peers.carrier.line import Note
from media_ws_ai.peers.carrier.report import CallReport

FSI, PDI = "\u2068", "\u2069"
COLOURS: Final = {"agent": "cyan", "caller": "green", "carrier": None, "warning": "yellow"}
DIM: Final = frozenset({"webhook", "stream_start", "stream_end", "rest"})


class Timeline:
    """Notes to lines. Remembers how many marks it has told of."""

    def __init__(self, is_tty: bool) -> None:
        self._is_tty = is_tty
        self._marks = 0

    def line(self, note: Note) -> str:
        """The line for a note, "" for one that is not told."""
        told = _WORDS.get(note["what"])
        if told is None:
            return ""
        who, words = told
        if note["what"] == "agent_done":
            marks, self._marks = note["marks"] - self._marks, note["marks"]
            note = {**note, "marks": marks}
        line = f"{note['ms'] / 1000:8.2f} s  {who:<8}{words(note, self._is_tty)}"
        if not self._is_tty:
            return line
        return click.style(line, fg=COLOURS[who], dim=note["what"] in DIM)


def quoted(text: str, is_tty: bool) -> str:
    """«text», isolated on a terminal."""
    return f"«{FSI}{text}{PDI}»" if is_tty else f"«{text}»"


def _agent_done(note: Note, is_tty: bool) -> str:
    said = " " + quoted(note["text"], is_tty) if note.get("text") else ""
    return f"has spoken {note['ms_spoken'] / 1000:.1f} s, {note['marks']} marks{said}"


def _says(note: Note, is_tty: bool) -> str:
    over = "(while the agent speaks) " if note["over_agent"] else ""
    return f"says {over}{quoted(note['text'], is_tty)}"


def _stream_end(note: Note, _: bool) -> str:
    code = f", code {note['code']}" if note["code"] else ""
    return f"stream {note['how']} by the {note['by']}{code}"


def _played(note: Note, _: bool) -> str:
    return f"plays {note['url']}" + (f": {note['error']}" if "error" in note else f", {note['ms'] / 1000:.1f} s")


Words = Callable[[Note, bool], str]
_WORDS: Final[dict[str, tuple[str, Words]]] = {
    "webhook": ("carrier", lambda n, _: f"POST {n['url']}: {n['status']} after {n['took_ms']:.0f} ms"),
    "stream_start": ("carrier", lambda n, _: f"stream {n['number']} open"),
    "stream_end": ("carrier", _stream_end),
    "rest": ("carrier", lambda n, _: f"REST {n['method']} {n['form'].get('Status', '')}"),
    "agent_starts": ("agent", lambda n, _: "speaks"),
    "agent_done": ("agent", _agent_done),
    "caller_says": ("caller", _says),
    "dtmf": ("caller", lambda n, _: f"presses {n['digit']}"),
    "clear": ("agent", lambda n, _: f"cut itself: {n['discarded_ms']:.0f} ms not heard, {n['marks']} marks returned"),
    "say": ("carrier", lambda n, tty: f"says {quoted(n['text'], tty)}"),
    "play": ("carrier", _played),
    "pause": ("carrier", lambda n, _: f"pauses {n['ms'] / 1000:.1f} s"),
    "dial": ("carrier", lambda n, _: f"puts through to {', '.join(n['numbers'])}"),
    "warning": ("warning", lambda n, _: f"{n['code']}: {n['text']}"),
    "end": ("carrier", lambda n, _: f"call over, by the {n['by']}: {n['reason']}"),
}


def table(report: CallReport, is_tty: bool) -> list[str]:
    """The stopwatch of a call."""
    head = f"{'agent':>7} {'starts':>9} {'length':>8} {'frames':>7} {'fps':>6} {'longest gap':>12} {'ran dry':>9}"
    lines = ["", click.style(head, bold=True) if is_tty else head]
    for run in report["utterances"]:
        fps = "–" if run["fps"] is None else f"{run['fps']:.2f}"
        dry = run["underruns"]["20"]
        said = "  " + quoted(run["text"], is_tty) if run["text"] else ""
        lines.append(
            f"{run['number']:>7} {run['first_ms'] / 1000:>7.2f} s {run['audio_ms'] / 1000:>6.1f} s "
            f"{run['frames']:>7.0f} {fps:>6} {run['max_gap_ms']:>9.1f} ms {dry['ms']:>6.0f} ms{said}"
        )
    answers = [_ms(turn["answer_ms"]) for turn in report["turns"]]
    marks, numbered = report["marks"], report["numbered"]
    lines += [
        "",
        f"first sound after the stream's start   {_ms(report['first_sound_ms'])}",
        f"end of the caller's voice → answer     {', '.join(answers) or '–'}",
        f"marks                                  {marks['received']} asked for, "
        f"{marks['played'] + marks['empty']} heard, {marks['cleared']} cleared, {marks['lost']} lost",
        f"cut short                              {len(report['clears'])} times, "
        f"{report['old_audio_ms']:.0f} ms of old audio afterwards",
    ]
    if numbered["frames"]:
        lines.append(
            f"numbered frames                        {numbered['frames']}: {numbered['lost']} lost, "
            f"{numbered['doubled']} doubled, {numbered['reordered']} reordered"
        )
    lines += _warnings(report["warnings"])
    return lines


def _warnings(warnings: dict[str, Any]) -> list[str]:
    counted = ", ".join(f"{count} × {code}" for code, count in warnings.items())
    return [f"carrier's warnings                     {counted or 'none'}"]


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
