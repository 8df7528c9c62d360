"""Tables for what a log shows of others' words."""

import pytest

from media_ws_ai import markers
from media_ws_ai.markers import fields, mask_phones, safe_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("052-123 4567", "***4567"),
        ("+972521234567", "***4567"),
        ("ל0521234567 תודה", "ל***4567 תודה"),
        ('{"phone":"+972521234567","date":"2025-12-15"}', '{"phone":"***4567","date":"2025-12-15"}'),
        ("0 5 2 1 2 3 4 5 6 7", "***4567"),
        ("(02) 123-4567", "***4567"),
        ("4111 1111 1111 1111", "***1111"),
        ("tel:+972521234567", "tel:***4567"),
        ("client_+972521234567", "client_***4567"),
        ("2025-12-15T14:00:00+02:00", "2025-12-15T14:00:00+02:00"),
        ("2025-12-15 14:00", "2025-12-15 14:00"),
        ("15.12.2025 14:00 10/1/2026", "15.12.2025 14:00 10/1/2026"),
        ("10 11 12 13", "10 11 12 13"),
        ('1200 ש"ח', '1200 ש"ח'),
        ("CA0123456789abcdef0123456789abcdef", "CA0123456789abcdef0123456789abcdef"),
        ("resp_1234567890", "resp_1234567890"),
        ("***4567", "***4567"),
    ],
)
def test_mask_phones(text: str, shown: str) -> None:
    assert mask_phones(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("שלום, מה שלומך?", "שלום, מה שלומך?"),
        ("a\nb\r\t\x1b[31m\x00", "a\\nb\\r\\t\\x1b[31m\\x00"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("a\u2028b\x85c", "a\\u2028b\\x85c"),
        ("\ud800", "\\ud800"),
        ("👍 👨‍👩‍👧", "👍 👨‍👩‍👧"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("ש" * 5000, "ש" * 199 + "…"),
        ("", ""),
    ],
)
def test_safe_text(text: str, shown: str) -> None:
    assert safe_text(text) == shown


def test_a_phone_at_the_cut_does_not_leak() -> None:
    assert "0521" not in safe_text("x" * 193 + " 0521234567")
    dense = " | ".join(["0 - 5 - 2 - 1 - 2 - 3 - 4 - 5 - 6 - 7"] * 200)
    assert set(safe_text(dense).split(" | ")[:-1]) == {"***4567"}


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+972521234567", "***4567"), ("", "-"), ("anonymous", "-"), ("100", "***"), ("***4567", "***4567")],
)
def test_phone_field(number: str, shown: str) -> None:
    assert fields.PhoneField().show(number) == shown


def test_words_of_others_cannot_pose_as_fields() -> None:
    line = markers.duplicate_question(similarity=90, current="a' | Previous: 'b", previous="c")
    read = markers.parse(line.text)
    assert read is not None
    assert read.fields == {"similarity": 90, "current": "a’ | Previous: ’b", "previous": "c"}
    assert markers.call_ended(reason="a b=c", duration_s=1).text == "[CALL] ended reason=a_b_c duration_s=1.0"


def test_extra_keys_never_replace_the_fixed_ones() -> None:
    line = markers.call_ended(reason="stop", duration_s=2, extra={"reason": "other", "last_word": 'say "hi"'})
    assert line.text == "[CALL] ended reason=stop duration_s=2.0 extra_reason=other last_word=\"say 'hi'\""


def test_wrong_fields_are_refused() -> None:
    with pytest.raises(TypeError, match="lacks text"):
        markers.caller_said()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes keywords"):
        markers.caller_said(words="x")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="not a key"):
        markers.usage(tokens={"Not a key": 1})
