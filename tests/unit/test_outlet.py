"""The outlet: utterances in, frames out; its bound, its order, its flush."""

import pytest

from media_ws_ai.audio.outlet import BACKLOG_FRAMES, BACKLOG_S, TX_CAPACITY_FRAMES, Flushed, Outlet, Queued
from media_ws_ai.errors import ContractError

F = 160


def audio(frames: int, byte: int = 1) -> bytes:
    return bytes([byte]) * (frames * F)


def popped(outlet: Outlet, limit: int = 10**6) -> list[Queued]:
    out: list[Queued] = []
    while len(out) < limit and (frame := outlet.pop()) is not None:
        out.append(frame)
    return out


def test_the_bounds() -> None:
    assert (BACKLOG_S, BACKLOG_FRAMES, TX_CAPACITY_FRAMES) == (130, 6500, 500)


def test_an_answer_in_one_burst_comes_out_whole_and_in_order() -> None:
    outlet = Outlet()
    outlet.open(1)
    chunk = bytes(i % 251 for i in range(600 * F + 33))
    assert outlet.push(1, chunk) == 600
    assert (outlet.tx_frames, outlet.backlog_frames) == (500, 101)
    assert outlet.close(1) == 1
    frames = popped(outlet)
    assert b"".join(f.audio for f in frames) == chunk + b"\xff" * (F - 33)
    assert {f.utterance for f in frames} == {1}
    assert outlet.pop() is None
    assert (outlet.pushed, outlet.popped, outlet.flushed) == (601, 601, 0)


def test_utterances_come_out_one_after_the_other() -> None:
    outlet = Outlet()
    for utterance in (1, 2, 7):
        outlet.open(utterance)
        outlet.push(utterance, audio(2, utterance))
        outlet.close(utterance)
    assert [f.utterance for f in popped(outlet)] == [1, 1, 2, 2, 7, 7]


@pytest.mark.parametrize("size", [0, 1, 159])
def test_less_than_a_frame_waits(size: int) -> None:
    outlet = Outlet()
    outlet.open(1)
    assert outlet.push(1, b"\x01" * size) == 0
    assert (outlet.tx_frames, outlet.backlog_frames) == (0, 1 if size else 0)
    assert outlet.pop() is None
    assert outlet.close(1) == (1 if size else 0)


def test_what_has_no_room_is_refused_whole() -> None:
    outlet = Outlet()
    outlet.open(1)
    assert outlet.push(1, audio(TX_CAPACITY_FRAMES)) == TX_CAPACITY_FRAMES
    assert outlet.push(1, audio(BACKLOG_FRAMES - 1)) == BACKLOG_FRAMES - 1
    assert outlet.push(1, audio(2)) is None
    assert outlet.push(1, audio(1)) == 1
    assert outlet.push(1, audio(1)) is None
    assert (outlet.tx_frames, outlet.backlog_frames) == (500, 6500)
    outlet.pop()
    assert outlet.push(1, audio(1)) == 1
    assert outlet.pushed == TX_CAPACITY_FRAMES + BACKLOG_FRAMES + 1


def test_a_remainder_has_its_room_too() -> None:
    outlet = Outlet()
    outlet.open(1)
    outlet.push(1, audio(TX_CAPACITY_FRAMES))
    outlet.push(1, audio(BACKLOG_FRAMES))
    assert outlet.push(1, b"\x01") is None
    assert outlet.close(1) == 0
    assert outlet.backlog_frames == BACKLOG_FRAMES


@pytest.mark.parametrize(
    "misuse",
    [
        pytest.param(lambda o: o.push(1, b""), id="closed_utterance"),
        pytest.param(lambda o: o.close(1), id="closed_twice"),
        pytest.param(lambda o: o.open(1), id="number_used_before"),
        pytest.param(lambda o: o.open(0), id="number_below"),
        pytest.param(lambda o: (o.open(2), o.open(3)), id="two_open"),
        pytest.param(lambda o: (o.open(2), o.push(3, b"")), id="another_is_open"),
        pytest.param(lambda o: (o.open(2), o.flush(2), o.push(2, b"")), id="flushed_while_open"),
    ],
)
def test_misuse_is_told(misuse) -> None:
    outlet = Outlet()
    outlet.open(1)
    outlet.close(1)
    with pytest.raises(ContractError):
        misuse(outlet)


@pytest.mark.parametrize(
    ("frames", "rest", "result"),
    [
        pytest.param(0, 0, Flushed(0, 0, 0, 0), id="nothing"),
        pytest.param(0, 5, Flushed(1, 1, 0, 0), id="a_remainder_counts_as_one"),
        pytest.param(12, 0, Flushed(0, 0, 12, 12), id="tx_only"),
        pytest.param(510, 5, Flushed(11, 11, 500, 500), id="all_of_it"),
    ],
)
def test_flush_counts_what_it_threw_away(frames: int, rest: int, result: Flushed) -> None:
    outlet = Outlet()
    outlet.open(1)
    outlet.push(1, audio(frames) + b"\x01" * rest)
    assert outlet.flush(1) == result
    assert (outlet.tx_frames, outlet.backlog_frames) == (0, 0)
    assert outlet.pop() is None
    assert outlet.pushed == outlet.flushed == frames


def test_frames_of_a_newer_utterance_stay_in_order() -> None:
    outlet = Outlet()
    outlet.open(1)
    outlet.push(1, audio(600))
    outlet.close(1)
    outlet.open(2)
    outlet.push(2, audio(700, 2) + b"\x03" * 5)
    assert outlet.flush(1) == Flushed(100, 801, 500, 500)
    assert outlet.tx_frames == 500
    outlet.push(2, b"\x03" * 155)
    frames = popped(outlet)
    assert [f.audio[0] for f in frames] == [2] * 700 + [3]
    assert {f.utterance for f in frames} == {2}
