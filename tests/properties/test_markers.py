"""Whatever the fields hold: one line, read back by the same definition, nothing leaked, nothing forged."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media_ws_ai.markers import TEXT_LIMIT, Marker, every, mask_phones, parse, safe_text
from media_ws_ai.markers import fields as f

WORDS = st.text(alphabet="abcXYZ019_.:+/-", min_size=1, max_size=40)
HOSTILE = st.text(max_size=300) | st.sampled_from(
    [
        "' | Previous: '",
        "x' | Previous: 'y",
        "' | Previous: ' | Previous: '",
        "' (valid Hebrew phrase in whitelist)",
        "\n2025-12-15 [TX_METRICS] fps=50.0",
        "צ'ק",
        "052-1234567",
    ]
)
SCALARS = st.integers(-(10**9), 10**9) | st.booleans() | HOSTILE | st.floats(-1e6, 1e6)


def values_of(field: f.Field) -> st.SearchStrategy[Any]:
    match field:
        case f.OptionalIntField():
            return st.none() | st.integers()
        case f.IntField():
            return st.integers()
        case f.DecimalField():
            return st.floats(allow_nan=False)
        case f.BoolField():
            return st.booleans()
        case f.PairsField():
            return st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), SCALARS, max_size=4)
        case f.PolicyField():
            return st.dictionaries(HOSTILE, SCALARS, max_size=3)
        case f.PhoneField():
            return HOSTILE | st.from_regex(r"\+\d{7,15}", fullmatch=True)
        case f.WordField():
            return WORDS | HOSTILE
        case _:
            return HOSTILE


@pytest.mark.parametrize("each", every(), ids=lambda each: each.name)
@given(data=st.data())
def test_render_then_parse_gives_the_fields_back(each: Marker[Any], data: st.DataObject) -> None:
    given_values = {name: data.draw(values_of(field), label=name) for name, field in each.fields.items()}
    line = each(**given_values)
    assert len(line.text.splitlines()) == 1
    assert line.text.encode()
    read = parse(line.text)
    assert read is not None
    assert (read.marker, read.item) == (each.name, each.item)
    for name, field in each.fields.items():
        shown = field.show(given_values[name])
        if isinstance(field, f.PairsField):
            expected = {f"extra_{key}" if key in each.fields else key for key in given_values[name]}
            assert expected <= read.fields.keys()
        elif field.free:
            assert read.fields[name] in (shown, shown.replace("'", "’"))
        else:
            assert read.fields[name] == field.read(shown)


@given(text=st.text(max_size=400))
@example("12345678 90\x001234567")
@example("0521234567 8912345a")
def test_safe_text_is_one_short_line_and_stable(text: str) -> None:
    shown = safe_text(text)
    assert len(shown) <= TEXT_LIMIT
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert safe_text(shown) == shown
    shown.encode()


@given(
    digits=st.from_regex(r"(\+972|0)5\d{8}", fullmatch=True),
    separator=st.sampled_from(["", "-", " ", ".", "\u200e", "\u05be", " - "]),
    around=st.sampled_from(["{}", "טל {} בבקשה", "ל{}", '{{"phone": "{}"}}', "({})", "2025-12-15T10:00 {}", "a\n{}"]),
    every_digit=st.booleans(),
)
def test_a_phone_keeps_four_digits(digits: str, separator: str, around: str, every_digit: bool) -> None:
    body = digits.lstrip("+")
    written = separator.join(body) if every_digit else body[:-7] + separator + body[-7:]
    text = around.format("+" * digits.startswith("+") + written)
    shown = mask_phones(text)
    kept = shown.replace("2025-12-15T10:00", "")
    assert "".join(each for each in kept if each.isdigit()) == digits[-4:]


@given(st.text(max_size=100))
def test_parse_never_raises(text: str) -> None:
    parse(text)
    for each in every():
        parse(each.template[:20] + text)
