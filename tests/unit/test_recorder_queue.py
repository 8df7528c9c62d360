"""What waits for the database when it no longer fits: what matters least goes first, order stays."""

from hypothesis import given
from hypothesis import strategies as st

from media_ws_ai.store.recorder_queue import LEVELS, LINE, MOMENT, WORK, RecorderQueue


def filled(places: int, *ranks: int) -> RecorderQueue[str]:
    queue: RecorderQueue[str] = RecorderQueue(places)
    for number, rank in enumerate(ranks, 1):
        queue.add(number, rank, f"{rank}-{number}")
    return queue


def emptied(queue: RecorderQueue[str]) -> list[int]:
    return [number for number, _ in queue.take(len(queue))]


def test_levels_go_first_then_moments_then_lines_and_work_last() -> None:
    queue = filled(4, WORK, LINE, MOMENT, LEVELS)
    lost = []
    for number in range(5, 9):
        before = {each for each in range(1, number) if each not in lost}
        assert queue.add(number, WORK, "work") is True
        after = set(filled_numbers(queue))
        lost += sorted(before - after)
    assert lost == [4, 3, 2, 1]


def filled_numbers(queue: RecorderQueue[str]) -> list[int]:
    return sorted(number for rank in queue._ranks for number, _ in rank)


def test_a_newcomer_that_matters_least_is_the_one_that_goes() -> None:
    queue = filled(2, WORK, WORK, LEVELS, LINE)
    assert emptied(queue) == [1, 2]


def test_of_one_rank_the_oldest_goes() -> None:
    assert emptied(filled(3, *[LEVELS] * 10)) == [8, 9, 10]


@given(st.integers(1, 12), st.lists(st.sampled_from([LEVELS, MOMENT, LINE, WORK]) | st.none(), max_size=80))
def test_bounded_ordered_and_never_one_that_matters_more(places: int, steps: list[int | None]) -> None:
    queue: RecorderQueue[int] = RecorderQueue(places)
    model: list[tuple[int, int]] = []  # number, rank
    for number, rank in enumerate(steps, 1):
        if rank is None:
            taken = [item for _, item in queue.take(2)]
            assert taken == [each[0] for each in model[:2]]
            del model[:2]
            continue
        is_lost = queue.add(number, rank, number)
        model.append((number, rank))
        assert is_lost is (len(model) > places)
        if is_lost:
            least = min(each[1] for each in model)
            model.remove(next(each for each in model if each[1] == least))
        assert len(queue) == len(model) <= places
        assert queue.oldest() == (model[0][0] if model else None)
    assert [item for _, item in queue.take(1000)] == [each[0] for each in model]
