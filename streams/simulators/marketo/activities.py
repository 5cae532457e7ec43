"""Marketo's activity log: everything that happened to a person, in order, and pages of it by position.

The log never changes but at its end. Look-ups go by position within the lists of one type or one person, so that a page costs
what it shows, not what the log holds.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

NEW_LEAD = 12
CHANGE_DATA_VALUE = 13
MERGE_LEADS = 32
DELETE_LEAD = 37
CALL_WEBHOOK = 110

FIRST_ID = 8_000_001
SCANNED_MAX = 5_000
"""How many activities a page looks at before it gives what it found, perhaps nothing, and says that there is more."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What a Change Data Value says: values as text, null as None."""

    field_id: int
    name: str
    display_name: str
    new: str | None
    old: str | None


@dataclass(frozen=True, slots=True)
class Activity:
    """One entry. `time`: when it came into the log, in seconds since the epoch; never before an earlier entry's.

    `happened`: when it happened, where somebody says so afterwards.
    """

    id: int
    lead_id: int
    type_id: int
    time: float
    primary_id: int | None = None
    primary: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    change: FieldChange | None = None
    happened: float | None = None


class Query(NamedTuple):
    """What a page is to hold: these types, of these people (None: everybody), changes of these fields (None: all)."""

    types: frozenset[int]
    leads: frozenset[int] | None = None
    fields: frozenset[str] | None = None

    def wants(self, activity: Activity) -> bool:
        """Whether it belongs on the page."""
        if activity.type_id not in self.types:
            return False
        return self.fields is None or activity.change is None or activity.change.name in self.fields


class Page(NamedTuple):
    """Activities, the position at which the next page begins, and whether there may be more."""

    activities: list[Activity]
    position: int
    more: bool


class ActivityLog:
    """The log of one instance. `end` is the position of what happens next."""

    def __init__(self) -> None:
        self._entries: list[Activity] = []
        self._of_type: dict[int, list[int]] = {}
        self._of_lead: dict[int, list[int]] = {}

    @property
    def end(self) -> int:
        """One past the last position."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Activity]:
        return iter(self._entries)

    def add(
        self,
        type_id: int,
        lead_id: int,
        time: float,
        *,
        primary_id: int | None = None,
        primary: str | None = None,
        attributes: Mapping[str, object] | None = None,
        change: FieldChange | None = None,
        happened: float | None = None,
    ) -> Activity:
        """Something happened."""
        position = len(self._entries)
        activity = Activity(
            FIRST_ID + position, lead_id, type_id, time, primary_id, primary, attributes or {}, change, happened
        )  # fmt: skip
        self._entries.append(activity)
        self._of_type.setdefault(type_id, []).append(position)
        self._of_lead.setdefault(lead_id, []).append(position)
        return activity

    def last_of(self, type_id: int) -> int:
        """The position of the latest activity of this type; -1 where there is none."""
        positions = self._of_type.get(type_id)
        return positions[-1] if positions else -1

    def after(self, time: float) -> int:
        """The position of the first activity after this time."""
        return bisect_right(self._entries, time, key=lambda activity: activity.time)

    def page(self, query: Query, start: int, end: int, size: int) -> Page:
        """At most `size` activities from `start` on, before `end`."""
        found: list[Activity] = []
        for scanned, position in enumerate(self._candidates(query, start, end)):
            if len(found) == size or scanned == SCANNED_MAX:
                return Page(found, position, True)
            if query.wants(self._entries[position]):
                found.append(self._entries[position])
        return Page(found, max(start, end), False)

    def latest_before(self, query: Query, start: int) -> Activity | None:
        """What stood last on the page before."""
        places = [self._wanted_before(query, positions, start) for positions in self._lists(query)]
        return self._entries[max(places)] if places and max(places) >= 0 else None

    def _wanted_before(self, query: Query, positions: list[int], start: int) -> int:
        for place in range(bisect_left(positions, start) - 1, -1, -1):
            if query.wants(self._entries[positions[place]]):
                return positions[place]
        return -1

    def _candidates(self, query: Query, start: int, end: int) -> Iterator[int]:
        return heapq.merge(*(_between(positions, start, end) for positions in self._lists(query)))

    def _lists(self, query: Query) -> list[list[int]]:
        """Position lists that hold all that may be wanted: of the people where they are few, else of the types."""
        if query.leads is not None:
            return [self._of_lead.get(lead, []) for lead in query.leads]
        return [self._of_type.get(type_id, []) for type_id in query.types]


def _between(positions: list[int], start: int, end: int) -> Iterator[int]:
    for place in range(bisect_left(positions, start), len(positions)):
        if positions[place] >= end:
            return
        yield positions[place]
