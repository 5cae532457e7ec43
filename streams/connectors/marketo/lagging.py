"""Rows that show what the feed does not list yet: Marketo lists an activity some seconds after it happened, a row shows it at once.

A row says when its person was last updated. While nothing of that time is listed of the person, what it shows may be an edit that is
still to come, and would pass for what the record was made with: a marketer's edit in a row of ours, for something that was rewritten on save.
So the person's entries wait, and nobody else's. Fields that are not mapped move that time too, and are never listed: after a
minute nothing is waited for. It costs no call, since the row that was read stays good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.connectors.marketo.changes import Reading, Row
from streams.connectors.marketo.entries import FeedEntry
from streams.sync.collision import seconds_of

LAG_SECONDS = 60.0
"""Nothing is documented; seconds are usual."""

WAITING_MAX = 300
WAITING_BYTES_MAX = 200_000
"""So many entries wait at the most, in all: they stand in the checkpoint. Whoever is one more is told at once."""


class RowRead(NamedTuple):
    """A person as read. `updated_at`: its own word, `read_at`: by our clock; in seconds since the epoch."""

    row: Row
    updated_at: float | None
    read_at: float

    def is_young(self, now: float) -> bool:
        """Whether what it shows may not be listed yet; by both clocks, of which one may be wrong."""
        return self.updated_at is not None and now < min(self.updated_at, self.read_at) + LAG_SECONDS


def split_waiting(reading: Reading, read: Mapping[str, RowRead], now: float) -> tuple[list[FeedEntry], list[FeedEntry]]:
    """The entries to be told now, and those that wait. Whose end is at hand waits for nothing: everything before it was listed."""
    ended = {lead for end in (*reading.ends, *reading.ends_ahead) for lead in (end.lead_id, *end.losers)}
    young = {lead for lead, each in read.items() if lead not in ended and each.is_young(now)}
    if not young:
        return list(reading.entries), []
    for entry in (*reading.entries, *reading.ahead):
        if entry.lead_id in young and _is_at(entry, read[entry.lead_id].updated_at):
            young.discard(entry.lead_id)
    return _within_limits(reading.entries, young)


def _is_at(entry: FeedEntry, updated_at: float | None) -> bool:
    """Both are in whole seconds."""
    time = seconds_of(entry.time)
    return time is not None and updated_at is not None and time >= updated_at


def _within_limits(entries: Sequence[FeedEntry], young: set[str]) -> tuple[list[FeedEntry], list[FeedEntry]]:
    of_lead: dict[str, list[FeedEntry]] = {}
    for entry in entries:
        if entry.lead_id in young:
            of_lead.setdefault(entry.lead_id, []).append(entry)
    count = size = 0
    for lead, mine in of_lead.items():
        length = sum(len(msgspec.json.encode(each)) for each in mine)
        if count + len(mine) > WAITING_MAX or size + length > WAITING_BYTES_MAX:
            young.discard(lead)
        else:
            count, size = count + len(mine), size + length
    return [each for each in entries if each.lead_id not in young], [each for each in entries if each.lead_id in young]
