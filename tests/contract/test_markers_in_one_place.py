"""No file but the definitions holds a marker's literal, and the page of markers is current."""

import ast
import re
from pathlib import Path

import media_ws_ai
from media_ws_ai import markers
from media_ws_ai.markers.__main__ import table

PACKAGE = Path(media_ws_ai.__file__).parent
TAGS = {tag for each in markers.every() for tag in re.findall(r"\[[A-Z][^\]{]*\]", each.template)}
LITERAL = re.compile("|".join(re.escape(tag) for tag in sorted(TAGS)))


def strings_of(source: str) -> list[tuple[int, str]]:
    """Line and text of every string in code; docstrings and free-standing strings are no code."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


def marker_literals(source: str) -> list[int]:
    return [line for line, text in strings_of(source) if LITERAL.search(text)]


def test_the_search_finds_a_literal() -> None:
    assert "[TX_METRICS]" in TAGS
    assert marker_literals('"""[TX_METRICS] in prose"""\nlog(f"🧹 [TX_METRICS] fps={fps}")\n') == [2]


def test_no_other_file_holds_a_bracketed_marker() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in ("markers", "peers")
        for line in marker_literals(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_definition_is_exported() -> None:
    for each in markers.every():
        assert getattr(markers, each.name) is each
        assert each.name in markers.__all__


def test_the_page_of_markers_is_current() -> None:
    page = PACKAGE.parent / "docs" / "markers.md"
    assert page.read_text(encoding="utf-8") == table(), "run: python -m media_ws_ai.markers > docs/markers.md"
