"""Marks: whatever comes back, an old epoch is never heard and every mark has one fate."""

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.rules.marks import MAX_OUT, Marks

STEPS = st.lists(
    st.tuples(st.sampled_from(["name", "name", "end", "echo", "echo", "flush", "give_up"]), st.integers(0, 30)),
    min_size=20,
    max_size=120,
)


@given(STEPS)
def test_fates(steps: list[tuple[str, int]]) -> None:
    marks, utterance, sent_ms = Marks(), 1, 0
    written: list[str] = []
    old: set[str] = set()
    taken: set[str] = set()
    out = withdrawn = echoes = 0
    heard: dict[int, int] = {}
    for what, pick in steps:
        if what in ("name", "end"):
            sent_ms += 20
            written.append(marks.name(utterance, sent_ms, is_end=what == "end"))
            if what == "end":
                utterance, sent_ms = utterance + 1, 0
        elif what == "echo" and written:
            name = written[-1 - pick % len(written)]
            echo = marks.echo(name)
            echoes += 1
            if echo is not None:
                assert name not in old, "a mark of an old epoch is never heard"
                assert name not in taken, "nor one twice"
                taken.add(name)
                assert name == f"{marks.epoch}.{echo.utterance}.{echo.played_ms}" + (".end" if echo.is_end else "")
                assert echo.played_ms >= heard.get(echo.utterance, 0)
                assert all(echo.utterance >= before for before in heard)
                heard[echo.utterance] = echo.played_ms
        elif what == "flush":
            withdrawn = marks.sent - marks.echoed - marks.lost
            marks.raise_epoch()
            old = set(written)
            utterance, sent_ms = utterance + 1, 0
        elif what == "give_up":
            marks.give_up(utterance - pick)
        out = marks.sent - marks.echoed - marks.lost - withdrawn
        assert 0 <= out <= MAX_OUT
        assert marks.echoed + marks.late + marks.cleared + marks.foreign == echoes, "each echo is counted once"


@given(st.text(max_size=40) | st.from_regex(r"\A[0-9]{0,4}\.[0-9]{0,4}\.[0-9]{0,5}(\.end)?\Z") | st.text("0123456789."))
def test_no_name_is_taken_that_was_not_written(name: str) -> None:
    marks = Marks()
    ours = [marks.name(1, 20, is_end=False), marks.name(1, 40, is_end=True)]
    assert (marks.echo(name) is not None) == (name in ours)
