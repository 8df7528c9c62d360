"""Heavy work passes one piece at a time, and timers run between the pieces."""

import threading
import time

from media_ws_ai.runtime.turnstile import BREATH_S, Turnstile

PIECES = 30
PIECE_S = 0.002


def work() -> None:
    """A piece that lets nobody else run, as set-up work does."""
    until = time.thread_time() + PIECE_S
    while time.thread_time() < until:
        pass


def run_all(turnstile: Turnstile | None) -> list[str]:
    """All pieces become ready at one moment; the order in which they ran among the beats of a clock."""
    seen: list[str] = []
    ready, done = threading.Event(), threading.Event()

    def beat() -> None:
        ready.wait()
        while not done.wait(BREATH_S):
            seen.append("beat")

    def piece() -> None:
        ready.wait()
        if turnstile is not None:
            turnstile.wait()
        seen.append("piece")
        work()

    clock = threading.Thread(target=beat)
    pieces = [threading.Thread(target=piece) for _ in range(PIECES)]
    for thread in [clock, *pieces]:
        thread.start()
    ready.set()
    for thread in pieces:
        thread.join(30)
    done.set()
    clock.join(30)
    assert seen.count("piece") == PIECES
    return seen


def longest_stretch(seen: list[str]) -> int:
    """Most pieces between two beats."""
    return max(len(run) for run in "".join("p" if what == "piece" else " " for what in seen).split())


def test_a_clock_beats_between_the_pieces():
    assert longest_stretch(run_all(Turnstile())) <= 3


def test_passes_are_a_breath_apart():
    turnstile = Turnstile()
    at: list[float] = []

    def piece() -> None:
        turnstile.wait()
        at.append(time.monotonic())

    threads = [threading.Thread(target=piece) for _ in range(PIECES)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(at) == PIECES
    assert max(at) - began >= PIECES * BREATH_S
