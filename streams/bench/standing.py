"""What the broker says of a group over time: how much is not committed, and since when what is next has waited.

Looked at every so often and kept for a while, so that what a worker says of itself can be held against it: an answer is as
old as the worker's last look at itself, so it is true if the broker would have said so at some moment shortly before.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiokafka import TopicPartition

KEPT_SECONDS = 60.0


class Look(NamedTuple):
    """One look: when, how many offsets of all partitions are not committed, and how long the oldest of them has waited."""

    at: float
    lag: int
    age_seconds: float


class Standing:
    """Looks at some partitions. `now` is a monotonic clock, in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends: dict[TopicPartition, deque[tuple[float, int]]] = {}  # those seen beyond the commit, and when first
        self._looks: deque[Look] = deque()

    def look(self, ends: Mapping[TopicPartition, int], committed: Mapping[TopicPartition, int]) -> Look:
        """Note where the partitions end, and how far they are committed."""
        now = self._now()
        lag, since = 0, now
        for place, end in ends.items():
            done, seen = committed.get(place, 0), self._ends.setdefault(place, deque())
            if not seen or end > seen[-1][1]:
                seen.append((now, end))
            while seen and seen[0][1] <= done:
                seen.popleft()
            lag += max(0, end - done)
            since = min(since, seen[0][0] if seen else now)
        self._looks.append(Look(now, lag, now - since))
        while self._looks[0].at < now - KEPT_SECONDS:
            self._looks.popleft()
        return self._looks[-1]

    @property
    def last(self) -> Look:
        """The last look."""
        return self._looks[-1]

    def range_since(self, at: float) -> tuple[Look, Look]:
        """The least and the most of all looks since that moment, each figure by itself, and of the look before them."""
        found = [each for each in self._looks if each.at < at][-1:] + [each for each in self._looks if each.at >= at]
        lags, ages = [each.lag for each in found], [each.age_seconds for each in found]
        return Look(at, min(lags), min(ages)), Look(at, max(lags), max(ages))
