"""What a worker process holds, by two witnesses: its own /metrics, and the kernel's /proc of it. Reading only.

Descriptors are told apart by where they lead, so that a leak has a name: `sockets to the model 3, at rest 0`.
"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Figures = Mapping[str, float]

INSIDE: Final = (
    "threads",
    "call_threads",
    "native_threads",
    "greenlets",
    "descriptors",
    "database_connections",
    'calls{state="live"}',
    'calls{state="closing"}',
)
"""Names of /metrics, each of which must come back to where it was."""

POOL: Final = "pool_threads"
"""Native threads of gevent's or gunicorn's pool: kept for reuse by their owner, so they are taken off."""


@dataclass(frozen=True, slots=True)
class Places:
    """Ports by which a socket is known."""

    worker: int
    model: int
    database: int
    rest: int


@dataclass(frozen=True, slots=True)
class Look:
    """The figures of one moment, inside and outside together; `rss_kb` is beside them, as it is judged by its slope."""

    figures: Figures
    rss_kb: int
    sockets: Mapping[str, int] = field(default_factory=dict)


def look(pid: int, metrics: Figures, places: Places, open_sessions: int) -> Look:
    """Both witnesses now. Raises: OSError when the process is gone."""
    pool = metrics[POOL]
    outside = outside_figures(pid, places)
    figures = {f"{name} (/metrics)": metrics[name] for name in INSIDE}
    figures["native_threads (/metrics)"] -= pool
    figures["threads (/proc)"] = len(os.listdir(f"/proc/{pid}/task")) - pool
    figures.update({f"{name} (/proc)": count for name, count in outside.items()})
    figures["sessions (model)"] = open_sessions
    return Look(figures, rss_kb(pid), outside)


def risen(now: Figures, rest: Figures) -> dict[str, tuple[float, float]]:
    """Figures above their value at rest: name → (now, at rest). A figure unknown at rest counts as 0 there."""
    return {name: (value, rest.get(name, 0)) for name, value in now.items() if value > rest.get(name, 0)}


def highest(looks: list[Look]) -> dict[str, float]:
    """The highest of each figure over several looks: what rest may look like."""
    names = {name for each in looks for name in each.figures}
    return {name: max(each.figures.get(name, 0) for each in looks) for name in names}


def rss_kb(pid: int) -> int:
    """Resident memory [kB]."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def outside_figures(pid: int, places: Places) -> dict[str, int]:
    """Descriptors of a process by kind."""
    found: Counter[str] = Counter(dict.fromkeys(("sockets to callers", "sockets to the model"), 0))
    ports = _tcp(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue  # closed since the listing
        if target.startswith("socket:["):
            found[_kind(ports.get(target[8:-1]), places)] += 1
        else:
            found["files and pipes"] += 1
    return dict(found)


def _kind(ports: tuple[int, int] | None, places: Places) -> str:
    if ports is None:
        return "other sockets"
    local, remote = ports
    known = {
        places.model: "sockets to the model",
        places.database: "sockets to the database",
        places.rest: "sockets to REST",
    }
    if local == places.worker:
        return "sockets to callers" if remote else "listening sockets"
    return known.get(remote, "other sockets")


def _tcp(pid: int) -> dict[str, tuple[int, int]]:
    """Inode → (local port, remote port; 0: listening). A socket that was never connected is not in the table."""
    table = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            local, remote = (int(address.rpartition(":")[2], 16) for address in fields[1:3])
            table[fields[9]] = (local, remote)
    return table


def slope(points: list[tuple[float, float]]) -> float | None:
    """Least squares; None for fewer than three points, or all at one place."""
    if len(points) < 3:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else None
