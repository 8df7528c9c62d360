"""What a leak run found: a row per phase, and the verdict over all of them. Values only."""

from dataclasses import dataclass, field
from typing import Final

RSS_LIMIT_KB: Final = 60.0
"""Memory per call above which the run fails: a kept handler with its clips and history is more than this."""


@dataclass(slots=True)
class Row:
    """One phase. `settled_s`: from the last end being known until nothing was left; inf: never."""

    name: str
    calls: int = 0
    streams: int = 0
    took_s: float = 0.0
    settled_s: float = 0.0
    cleanup_ms: float = 0.0
    rss_kb: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """All of a mode."""

    mode: str
    rows: list[Row] = field(default_factory=list)
    rss_kb_per_call: float | None = None
    took_s: float = 0.0

    @property
    def calls(self) -> int:
        return sum(row.calls for row in self.rows)

    @property
    def streams(self) -> int:
        return sum(row.streams for row in self.rows)

    @property
    def is_well(self) -> bool:
        slope = self.rss_kb_per_call
        return not any(row.faults for row in self.rows) and (slope is None or slope <= RSS_LIMIT_KB)
