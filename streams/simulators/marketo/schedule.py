"""Runs of the batch campaign that are due later."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from schemas.vocabulary import RecordType


@dataclass(frozen=True, order=True)
class Run:
    """Whoever is not in Dynamics at `at` (seconds since the epoch) is synced then."""

    at: float
    who: str = field(compare=False)
    sync_as: RecordType = field(compare=False)
    owner: str | None = field(compare=False)


class Schedule:
    """Runs by time."""

    def __init__(self) -> None:
        self._runs: list[Run] = []

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        """One more."""
        heapq.heappush(self._runs, run)

    def due(self, now: float) -> list[Run]:
        """Take what is due."""
        taken = []
        while self._runs and self._runs[0].at <= now:
            taken.append(heapq.heappop(self._runs))
        return taken
