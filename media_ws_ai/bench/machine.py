"""How busy the machine was: the time a process was ready to run and no processor took it (the run queue).

A gap that this waiting explains says "the machine was busy", not "the worker was slow". Linux's /proc only.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

WINDOW_S: Final = 0.1
SAMPLES: Final = 36_000
"""An hour of windows; older ones go."""
NANO: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Waiting:
    """Of one process over a stretch: share of the time spent waiting, and the most within one window of 100 ms [ms]."""

    share: float
    worst_ms: float


class RunQueue:
    """Samples the run-queue wait of some processes while it is open; `since` tells of a stretch of it."""

    def __init__(self, pids: Sequence[int], *, all_threads: bool) -> None:
        """Args: all_threads: sum over the threads of a process (gthread); else its main thread alone (gevent)."""
        self._pids = tuple(pids)
        self._all_threads = all_threads
        self._samples: deque[tuple[float, tuple[float, ...]]] = deque(maxlen=SAMPLES)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="RunQueue", daemon=True)

    def __enter__(self) -> "RunQueue":
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(WINDOW_S):
            self._sample()

    def _sample(self) -> None:
        waits = tuple(_waited_s(pid, self._all_threads) for pid in self._pids)
        self._samples.append((time.monotonic(), waits))

    def since(self, began_s: float) -> tuple[Waiting, ...]:
        """Per process, from `began_s` (monotonic) until now."""
        self._sample()
        samples = list(self._samples)
        chosen = [sample for sample in samples if sample[0] >= began_s - WINDOW_S]
        span = max(chosen[-1][0] - chosen[0][0], WINDOW_S / 10)
        found = []
        for place in range(len(self._pids)):
            values = [waits[place] for _, waits in chosen]
            steps = [max(0.0, after - before) for before, after in zip(values, values[1:], strict=False)]
            found.append(Waiting(sum(steps) / span, max(steps, default=0.0) * 1000))
        return tuple(found)


def _waited_s(pid: int, all_threads: bool) -> float:
    """Run-queue wait of a process so far [s]; 0 once it is gone."""
    if not all_threads:
        return _read(f"/proc/{pid}/schedstat")
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return 0.0
    return sum(_read(f"/proc/{pid}/task/{task}/schedstat") for task in tasks)


def _read(path: str) -> float:
    try:
        return int(Path(path).read_text().split()[1]) * NANO
    except (OSError, IndexError, ValueError):  # the thread has just ended
        return 0.0


def described() -> str:
    """The machine in one line: processors and load, for those who read a figure later."""
    load = os.getloadavg()
    count = len(os.sched_getaffinity(0))
    return f"{count} processors, load {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}"
