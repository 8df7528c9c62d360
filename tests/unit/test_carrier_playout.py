"""The carrier's play-out buffer: rows of arrivals, and what was echoed when."""

import pytest

from media_ws_ai.peers.carrier.playout import LIMIT_S, Playout

FRAME = 160


def test_audio_queues_behind_what_is_buffered() -> None:
    buffer = Playout()
    for _ in range(10):
        buffer.push(FRAME, 1.0)
    assert buffer.play_end == pytest.approx(1.2)
    assert buffer.buffered_ms(1.05) == pytest.approx(150)
    buffer.push(FRAME, 5.0)  # it ran dry: play-out begins anew at the arrival
    assert buffer.play_end == pytest.approx(5.02)


def test_any_payload_length_counts_in_samples() -> None:
    buffer = Playout()
    buffer.push(1, 0.0)
    buffer.push(799, 0.0)
    assert buffer.play_end == pytest.approx(0.1)


def test_a_mark_is_due_when_the_audio_before_it_has_been_played() -> None:
    buffer = Playout()
    buffer.push(FRAME, 0.0)
    assert not buffer.mark("a", 0.0)
    buffer.push(FRAME * 9, 0.0)
    assert not buffer.mark("b", 0.001)
    assert buffer.next_due() == pytest.approx(0.02)
    assert buffer.due(0.019) == []
    assert buffer.due(0.02) == ["a"]
    assert buffer.due(0.19) == []
    assert buffer.due(0.2) == ["b"]
    assert buffer.next_due() is None


def test_a_mark_on_an_empty_buffer_is_echoed_at_once() -> None:
    buffer = Playout()
    assert buffer.mark("first", 0.0)
    buffer.push(FRAME, 0.0)
    assert buffer.mark("later", 0.02)
    assert buffer.pending == 0


def test_marks_keep_their_order_even_on_an_empty_buffer() -> None:
    buffer = Playout()
    buffer.push(FRAME, 0.0)
    assert not buffer.mark("a", 0.0)
    assert not buffer.mark("b", 0.5)  # "a" has not been fetched yet, so "b" waits behind it
    assert buffer.due(0.5) == ["a", "b"]


def test_clear_throws_the_audio_away_and_hands_back_every_mark() -> None:
    buffer = Playout()
    for name in "abc":
        buffer.push(FRAME, 0.0)
        buffer.mark(name, 0.0)
    buffer.due(0.02)
    discarded_ms, names = buffer.clear(0.03)
    assert discarded_ms == pytest.approx(30)
    assert names == ["b", "c"]
    assert buffer.clear(0.04) == (0.0, [])
    assert buffer.mark("d", 0.05)


def test_more_than_ten_minutes_are_discarded() -> None:
    buffer = Playout()
    assert buffer.push(int(LIMIT_S * 8000), 0.0)
    assert not buffer.push(FRAME, 0.0)
    assert buffer.overflow_ms == pytest.approx(20)
    assert buffer.push(FRAME, 0.02)
