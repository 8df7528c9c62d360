"""The channel: a declared rule for full, close wakes, and no item lost between real threads."""

import threading
import time

import pytest

from media_ws_ai.runtime.channel import Channel


def is_audio(item: str) -> bool:
    return item.startswith("a")


@pytest.mark.parametrize(
    ("puts", "kept", "dropped", "refused"),
    [
        pytest.param(["o1", "o2"], ["o1", "o2"], 0, 0, id="in_order"),
        pytest.param(["o1", "o2", "o3", "o4"], ["o1", "o2", "o3"], 0, 1, id="an_order_too_many_is_refused"),
        pytest.param(["a1", "a2", "a3"], ["a2", "a3"], 1, 0, id="the_oldest_audio_makes_room"),
        pytest.param(["o1", "a1", "o2", "a2", "a3"], ["o1", "o2", "a2", "a3"], 1, 0, id="between_orders"),
        pytest.param(
            ["o1", "o2", "o3", "a1", "a2", "o4"], ["o1", "o2", "o3", "a1", "a2"], 0, 1, id="each_kind_has_its_room"
        ),
        pytest.param(
            ["a1", "a2", "a3", "o1", "o2", "o3", "o4"],
            ["a2", "a3", "o1", "o2", "o3"],
            1,
            1,
            id="audio_that_went_leaves_no_room_to_orders",
        ),
        pytest.param(["a1", "a2", "o1", "o2", "o3"], ["a1", "a2", "o1", "o2", "o3"], 0, 0, id="audio_first"),
    ],
)
def test_full(puts: list[str], kept: list[str], dropped: int, refused: int) -> None:
    channel: Channel[str] = Channel(3, is_audio, 2)
    took = [channel.put(item) for item in puts]
    assert took.count(False) == refused
    assert channel.take(0) == kept
    assert (channel.dropped, channel.refused) == (dropped, refused)
    assert channel.take(0) == []


def test_without_a_droppable_kind() -> None:
    channel: Channel[int] = Channel(2)
    assert [channel.put(item) for item in (1, 2, 3)] == [True, True, False]
    assert channel.take(0) == [1, 2]
    assert channel.put(4)
    assert channel.take(0) == [4]
    assert (channel.dropped, channel.refused) == (0, 1)


def test_room_is_free_again_after_a_take() -> None:
    channel: Channel[str] = Channel(1, is_audio, 1)
    for _ in range(3):
        assert channel.put("a") and channel.put("o")
        assert channel.take(0) == ["a", "o"]
    assert (channel.dropped, channel.refused) == (0, 0)


def test_a_droppable_kind_needs_room() -> None:
    with pytest.raises(ValueError, match="droppable"):
        Channel(3, is_audio)


def test_closed_refuses_and_still_gives_what_it_holds() -> None:
    channel: Channel[int] = Channel(3)
    channel.put(1)
    channel.close()
    assert channel.is_closed
    assert not channel.put(2)
    assert channel.refused == 1
    began = time.monotonic()
    assert channel.take(30) == [1]
    assert channel.take(30) == []
    assert time.monotonic() - began < 5, "a closed channel keeps nobody waiting"


def test_close_wakes_a_taker_that_waits() -> None:
    channel: Channel[int] = Channel(3)
    is_waiting, got = threading.Event(), []

    def taker() -> None:
        is_waiting.set()
        got.append(channel.take(30))

    thread = threading.Thread(target=taker)
    thread.start()
    assert is_waiting.wait(5)
    channel.close()
    thread.join(15)
    assert not thread.is_alive()
    assert got == [[]]


def test_a_put_wakes_a_taker_that_waits() -> None:
    channel: Channel[int] = Channel(3)
    is_waiting, got = threading.Event(), []

    def taker() -> None:
        is_waiting.set()
        got.append(channel.take(30))

    thread = threading.Thread(target=taker)
    thread.start()
    assert is_waiting.wait(5)
    assert channel.put(7)
    thread.join(15)
    assert not thread.is_alive()
    assert got == [[7]]


def test_an_empty_take_ends_by_its_time() -> None:
    assert Channel[int](1).take(0.01) == []


@pytest.mark.parametrize("droppable_capacity", [50, 10_000], ids=["tight", "roomy"])
def test_several_threads_put_and_one_takes(droppable_capacity: int) -> None:
    writers, each = 4, 1000
    channel: Channel[tuple[int, int]] = Channel(200, lambda item: item[0] % 2 == 0, droppable_capacity)
    accepted = [0] * writers
    got: list[tuple[int, int]] = []

    def write(number: int) -> None:
        for i in range(each):
            accepted[number] += channel.put((number, i))

    def read() -> None:
        while True:
            items = channel.take(30)
            got.extend(items)
            if not items and channel.is_closed:
                return

    reader = threading.Thread(target=read)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join(20)
    channel.close()
    reader.join(20)
    assert not any(thread.is_alive() for thread in (reader, *threads))
    for number in range(writers):
        mine = [i for writer, i in got if writer == number]
        assert mine == sorted(set(mine)), "in order, none doubled"
        if number % 2:
            assert len(mine) == accepted[number], "what may not be lost is refused or delivered"
    assert len(got) + channel.dropped + channel.refused == writers * each
    if droppable_capacity >= writers * each:
        assert channel.dropped == 0
