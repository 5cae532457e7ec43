"""Rows that show what the feed does not list yet: Marketo lists an activity some seconds after it happened, a row shows it at once.

A row says when its person was last updated. While nothing of that time is listed of the person, what it shows may be an edit that is
still to come, and would pass for what the record was made with: a marketer's edit in a row of ours, for something that was rewritten on save.
So the person's entries wait, and nobody else's; so does what a merge brought to its winner, for which a write of ours would pass. Fields
that are not mapped move that time too, and are never listed: after a minute nothing is waited for. It costs no call, since the row that
was read stays good while nothing comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from streams.connectors.marketo.changes import Reading, Row
from streams.connectors.marketo.entries import FeedEntry
from streams.connectors.marketo.rows import ours_in
from streams.sync.collision import seconds_of

LAG_SECONDS = 60.0
"""Nothing is documented; seconds are usual."""

WAITING_MAX = 300
WAITING_BYTES_MAX = 200_000
"""So many entries wait at the most, in all: they stand in the checkpoint. Whoever is one more is told at once."""


class RowRead(NamedTuple):
    """A person as read. `updated_at`: its own word, `read_at`: by our clock, `since`: when it was read first, where it has waited; in
    seconds since the epoch.
    """

    row: Row
    updated_at: float | None
    read_at: float
    since: float

    def is_young(self, now: float) -> bool:
        """Whether what it shows may not be listed yet; by both clocks, of which one may be wrong."""
        return self.updated_at is not None and now < min(self.updated_at, self.since) + LAG_SECONDS

    def is_listed_by(self, entry: FeedEntry, now: float) -> bool:
        """Whether the feed is as far as this row with this entry, whose time is in whole seconds too.

        In our own row even what happened in that very second after it counts: it was listed a second after the row was read.
        """
        time = seconds_of(entry.time)
        if time is None or self.updated_at is None or time < self.updated_at:
            return False
        return time > self.updated_at or now >= self.read_at + 1.0 or ours_in(self.row).revision is None


def split_waiting(
    reading: Reading, read: Mapping[str, RowRead], now: float, kept: Sequence[FeedEntry] = ()
) -> tuple[Reading, list[FeedEntry]]:
    """What is to be told now, and the entries that wait: of people whose rows are too young, and the merges that they won.

    Whose end is at hand waits for nothing: everything before it was listed. `kept`: what waits besides.
    """
    ended = {lead for end in (*reading.ends, *reading.ends_ahead) for lead in _ended(end)}
    young = {lead for lead, each in read.items() if lead not in ended and each.is_young(now)}
    if not young:
        return reading, [*kept]
    for entry in (*reading.entries, *reading.ahead, *reading.ends, *reading.ends_ahead):
        if entry.lead_id in young and read[entry.lead_id].is_listed_by(entry, now):
            young.discard(entry.lead_id)
    merges = [each for each in reading.ends if each.is_merge]
    young = _within_limits([*reading.entries, *merges], young, kept)
    told = replace(reading, entries=[each for each in reading.entries if each.lead_id not in young], young=young)
    return told, [*(each for each in (*reading.entries, *merges) if each.lead_id in young), *kept]


def _ended(end: FeedEntry) -> tuple[str, ...]:
    return end.losers if end.is_merge else (end.lead_id,)


def _within_limits(entries: Sequence[FeedEntry], young: set[str], kept: Sequence[FeedEntry]) -> set[str]:
    """Those of them for whose entries there is room."""
    of_lead: dict[str, list[FeedEntry]] = {}
    for entry in entries:
        if entry.lead_id in young:
            of_lead.setdefault(entry.lead_id, []).append(entry)
    waiting, count, size = set[str](), len(kept), _length(kept)
    for lead, mine in of_lead.items():
        length = _length(mine)
        if count + len(mine) <= WAITING_MAX and size + length <= WAITING_BYTES_MAX:
            count, size = count + len(mine), size + length
            waiting.add(lead)
    return waiting


def _length(entries: Sequence[FeedEntry]) -> int:
    return sum(len(msgspec.json.encode(each)) for each in entries)
