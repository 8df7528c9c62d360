"""A bench's lines, each with its verdict, as a table and as JSON; the exit status follows from them."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import click

OK: Final = "ok"
FAIL: Final = "FAIL"
INCONCLUSIVE: Final = "INCONCLUSIVE"
SKIPPED: Final = "SKIPPED"
COLOURS: Final = {OK: "green", FAIL: "red", INCONCLUSIVE: "yellow", SKIPPED: "yellow"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line. Only `ok` counts as held."""

    what: str
    value: str
    wanted: str
    verdict: str
    note: str = ""


def check(what: str, value: str, wanted: str, holds: bool, note: str = "") -> Check:
    """A line that holds or does not."""
    return Check(what, value, wanted, OK if holds else FAIL, note)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, a rule below the head."""
    lines = [list(head), *map(list, rows)]
    widths = [max(_width(line[place]) for line in lines) for place in range(len(head))]
    laid = ["  ".join(cell + " " * (wide - _width(cell)) for cell, wide in zip(line, widths, strict=True)).rstrip()
            for line in lines]  # fmt: skip
    return [laid[0], "  ".join("─" * wide for wide in widths), *laid[1:]]


def _width(text: str) -> int:
    """Columns on a terminal: combining marks take none."""
    return sum(1 for character in text if not unicodedata.combining(character))


def show(title: str, checks: Sequence[Check]) -> None:
    """The table on stdout, verdicts coloured where it is a terminal."""
    click.echo(f"\n{title}")
    for line in table(("", "measured", "wanted", "verdict", ""), [tuple(asdict(c).values()) for c in checks]):
        click.echo(coloured(line))


def coloured(line: str) -> str:
    for verdict, colour in COLOURS.items():
        before, found, after = line.partition(f"  {verdict}")
        if found and (not after or after.startswith(" ")):
            return f"{before}  {click.style(verdict, fg=colour)}{after}"
    return line


def all_hold(checks: Iterable[Check]) -> bool:
    return all(each.verdict == OK for each in checks)


def as_json(checks: Iterable[Check]) -> list[dict[str, Any]]:
    return [asdict(each) for each in checks]
