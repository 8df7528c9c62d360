"""The channel: what may not be lost is never lost silently, and what is there is the newest, in order."""

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.runtime.channel import Channel

Item = tuple[str, int]


@given(
    st.lists(st.sampled_from(["audio", "audio", "order", "order", "take"]), min_size=20, max_size=80),
    st.integers(0, 160),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_against_a_plain_list(steps: list[str], close_at: int, capacity: int, droppable_capacity: int) -> None:
    channel: Channel[Item] = Channel(capacity, lambda item: item[0] == "audio", droppable_capacity)
    model: list[Item] = []
    dropped = refused = 0
    is_closed = False
    for number, what in enumerate(steps):
        if number == close_at:
            channel.close()
            is_closed = True
        if what == "take":
            assert channel.take(0) == model
            model = []
            continue
        item = (what, number)
        same = [one for one in model if one[0] == what]
        if is_closed or (what == "order" and len(same) >= capacity):
            refused += 1
            assert not channel.put(item)
            continue
        if what == "audio" and len(same) >= droppable_capacity:
            model.remove(same[0])
            dropped += 1
        model.append(item)
        assert channel.put(item)
    assert channel.take(0) == model
    assert (channel.dropped, channel.refused) == (dropped, refused)
