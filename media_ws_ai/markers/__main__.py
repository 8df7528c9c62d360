"""`python -m media_ws_ai.markers`: the table of all markers, as kept in docs/markers.md."""

from media_ws_ai.markers import LEVEL_NAMES, every

_HEAD = """# Markers

Every line that the worker writes about itself, from the definitions in `media_ws_ai/markers/`, by which they are
also read (`markers.parse`). `item` is the audited item, ⚑ a line that by itself fails it. Do not edit:
`python -m media_ws_ai.markers > docs/markers.md`.

| item | level | name | line | fields | means |
| --- | --- | --- | --- | --- | --- |
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def table() -> str:
    """The page, ending in a newline."""
    rows = []
    for each in every():
        fields = ", ".join(f"{name}: {field.kind}" for name, field in each.fields.items())
        cells = (
            each.item + (" ⚑" if each.red_flag else ""),
            LEVEL_NAMES[each.level],
            f"`{each.name}`",
            f"`{_cell(each.template)}`",
            _cell(fields),
            _cell(each.purpose),
        )
        rows.append(f"| {' | '.join(cells)} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    print(table(), end="")
