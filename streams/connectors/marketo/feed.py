"""Marketo's change feeds, read again and again, and put on Kafka: changes, what is known of records, and how far that went, in one entry.

Two feeds are followed: `changes` (leadchanges.json: values and creations) and `ends` (activities.json: merges and deletions).
Ends are read before changes, so that every change of a record that ended is at hand when its end is told, last. Records that were
never told need their row; what a row shows too early is seen by reading the changes on to their end after it, and where the end is not
there yet, their entries wait a moment (`lagging`).

Calls of a day without any change: two a poll, a poll every 30 seconds, makes 5,760; with a token and a description of the fields
every hour, 48 more; so 5,808 of the 7,500 that an idle connector may make.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from schemas.checkpoint import Checkpoint
from schemas.limits import RECENT_ENTRIES_MAX
from schemas.vocabulary import MARKETO
from streams.connectors.journal import Entry, Journal
from streams.connectors.marketo.changes import Reading, Told, rows_wanted, tell
from streams.connectors.marketo.client import MarketoClient, batches
from streams.connectors.marketo.columns import Columns
from streams.connectors.marketo.entries import FeedEntry, time_of
from streams.connectors.marketo.lagging import RowRead, split_waiting
from streams.connectors.marketo.late_writes import LateWrites
from streams.connectors.marketo.names import DELETE_LEAD, KEY_FIELD, MERGE_LEADS, OUR_FIELDS, UPDATED_AT
from streams.connectors.marketo.reading import PagesRead, without_repeats
from streams.connectors.marketo.rows import row_of
from streams.connectors.marketo.writes import split_open
from streams.connectors.metrics import ConnectorMetrics
from streams.connectors.options import Options
from streams.connectors.pacing import Priority
from streams.connectors.times import rfc3339
from streams.settings import SettingsError
from streams.sync.collision import seconds_of

log = logging.getLogger(__name__)

PAGES_TOLD_MAX = 10
"""At most so many pages, 3,000 activities, in one entry: a transaction has to end within seconds."""

PAGES_AHEAD_MAX = 400
"""So far is read ahead for what rows show too early. Who is further behind tells some values of new records before their time."""

ENDS_SECONDS = 3.0
"""While much comes, merges and deletions are asked for only as often as this: changes never wait for them, and calls are few."""

COMMIT_IDLE_SECONDS = 6 * 3_600.0
"""A position without changes is written down as often as this, so that it never grows old."""

GAP_SECONDS = 89 * 86_400.0
"""Marketo forgets changes of values after 90 days: from then on nobody would see that some are missing."""

READ_AT = "read_at"
"""Beside the two positions: when they were read (RFC 3339)."""

_held = msgspec.json.Decoder(FeedEntry).decode


@dataclass(frozen=True)
class _Part:
    """What one entry is made of: so many pages of each feed; `is_all`: the changes up to their end."""

    changes_pages: int
    ends_pages: int
    is_all: bool


class Feed:
    """Reads and tells. `run` in a task; `expect` when something is about to show; `was_read` once the end was reached."""

    def __init__(
        self,
        client: MarketoClient,
        journal: Journal,
        checkpoint: Checkpoint | None,
        columns: Columns,
        metrics: ConnectorMetrics,
        options: Options,
        late: LateWrites,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._journal, self._columns, self._metrics = client, journal, columns, metrics
        self._options, self._late, self._now = options, late, now
        self._checkpoint = checkpoint
        self._asked: tuple[str, ...] = ()
        self._waiting: dict[str, RowRead] = {}
        self._expected = asyncio.Event()
        self._committed_at = self._ends_read_at = 0.0
        self.is_read = self.was_read = False
        self.changes = PagesRead("changes", "", self._changes_page)
        self.ends = PagesRead("merges and deletions", "", self._ends_page)

    async def start(self) -> None:
        """Stand where the checkpoint says, or where the options say, and write that down. Raises SettingsError."""
        if self._checkpoint is None:
            position = await self._client.paging_token(self._first_time())
            self._checkpoint = self._at({"changes": position, "ends": position})
            await self._journal.write(Entry(checkpoint=self._checkpoint))
        self._refuse_a_gap(self._checkpoint)
        self.changes.position = self._checkpoint.positions["changes"]
        self.ends.position = self._checkpoint.positions["ends"]
        self._committed_at = self._now()

    async def run(self) -> None:
        """Until cancelled. Raises SettingsError where the feed cannot be gone on with, and what the journal raises."""
        seconds = self._options.busy_seconds
        while True:
            came = await self.poll(with_ends=self._now() >= self._ends_read_at + ENDS_SECONDS)
            seconds = self._options.busy_seconds if came else min(seconds * 2, self._options.idle_seconds)
            if self.is_read:
                await self._rest(seconds)
            if self._expected.is_set():
                self._expected.clear()
                seconds = self._options.busy_seconds

    def expect(self) -> None:
        """Something was written to Marketo and will show: don't rest for long."""
        self._expected.set()

    async def poll(self, with_ends: bool = True) -> bool:
        """Read on, and tell what came, or a part of it; says whether anything came."""
        await self._follow_columns()
        if with_ends:
            self._ends_read_at = self._now()
            await self.ends.read_on(PAGES_TOLD_MAX)
        ends_pages = min(len(self.ends.pages), PAGES_TOLD_MAX)
        await self.changes.read_on(PAGES_TOLD_MAX)
        is_all = self.changes.at_end
        part = _Part(min(len(self.changes.pages), PAGES_TOLD_MAX), ends_pages if is_all else 0, is_all)
        return await self._tell(part)

    async def _tell(self, part: _Part) -> bool:
        checkpoint = self._checkpoint
        assert checkpoint is not None
        held = [_held(each) for each in checkpoint.held]
        merges, entries = [each for each in held if each.is_merge], [each for each in held if not each.is_merge]
        news = without_repeats(self.changes.entries(0, part.changes_pages), checkpoint.recent)
        new_ends = without_repeats(self.ends.entries(0, part.ends_pages), checkpoint.recent)
        entries, later, kept = [*entries, *news], list[FeedEntry](), list[FeedEntry]()
        if not part.is_all:
            (entries, later), kept, merges = split_open(entries), merges, []
        ends = [*merges, *new_ends]
        at_hand = {*checkpoint.recent, *(each.guid for each in (*held, *news))}
        wanted = rows_wanted(entries, [*ends, *kept], self._journal.known)
        read = await self._rows(wanted, _outdated([*merges, *kept], news, new_ends))
        reading = Reading(
            entries,
            ends,
            [*later, *without_repeats(self.changes.entries(part.changes_pages), at_hand)],
            list(self.ends.entries(part.ends_pages)),
            {record_id: each.row for record_id, each in read.items()},
        )
        reading, waiting = split_waiting(reading, read, self._now(), kept)
        still_held = [*waiting, *later]
        positions = {
            "changes": self.changes.position_after(part.changes_pages),
            "ends": self.ends.position_after(part.ends_pages),
        }
        came = bool(news or new_ends)
        if came or still_held != held or self._now() >= self._committed_at + COMMIT_IDLE_SECONDS:
            recent = (*checkpoint.recent, *(each.guid for each in (*new_ends, *news)))[-RECENT_ENTRIES_MAX:]
            await self._journal.write(
                lambda known: self._entry(
                    tell(reading, known, checkpoint.version, self._late.revision_of), positions, recent, still_held
                )
            )
            self._committed_at = self._now()
        self._waiting = {each.lead_id: read[each.lead_id] for each in still_held if each.lead_id in read}
        self.changes.told(part.changes_pages)
        self.ends.told(part.ends_pages)
        self.is_read = part.is_all and not self.changes.pages and not self.ends.pages
        self.was_read |= self.is_read
        if self.is_read:
            self._metrics.feed_read()
        return came

    def _entry(
        self, told: Told, positions: dict[str, str], recent: tuple[str, ...], held: Sequence[FeedEntry]
    ) -> Entry:
        self._checkpoint = self._at(positions, told.version, recent, held)
        return Entry(told.changes, records=told.records, checkpoint=self._checkpoint)

    async def _rows(self, wanted: Sequence[str], outdated: Collection[str]) -> dict[str, RowRead]:
        """Persons as they are now; then the changes on to their end, so that whatever these rows show is at hand.

        Those who wait were read before, which is as good, unless they are `outdated`.
        """
        read = {each: self._waiting[each] for each in wanted if each in self._waiting and each not in outdated}
        missing = [each for each in wanted if each not in read]
        for some in batches(missing):
            found = await self._client.leads_by(
                "id", some, ["id", UPDATED_AT, *self._asked, *OUR_FIELDS], Priority.FEED
            )
            for each in found:
                updated_at = seconds_of(time_of(each.get(UPDATED_AT)))
                before = self._waiting.get(str(each["id"]))
                since = self._now() if before is None else before.since
                read[str(each["id"])] = RowRead(row_of(each, self._asked), updated_at, self._now(), since)
        if missing:
            await self.changes.read_on(PAGES_AHEAD_MAX)
        return read

    async def _follow_columns(self) -> None:
        columns = await self._columns.current()
        if columns != self._asked:
            self._asked = columns
            self._waiting.clear()
            self.changes.forget()

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._expected.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._options.busy_seconds)  # what is expected takes a moment to show

    async def _changes_page(self, token: str) -> dict[str, object]:
        return await self._client.lead_changes(token, [*self._asked, *OUR_FIELDS])

    async def _ends_page(self, token: str) -> dict[str, object]:
        return await self._client.activities(token, (MERGE_LEADS, DELETE_LEAD))

    def _at(
        self,
        positions: dict[str, str],
        version: int = 0,
        recent: tuple[str, ...] = (),
        held: Sequence[FeedEntry] = (),
    ) -> Checkpoint:
        return Checkpoint(
            system=MARKETO,
            positions={**positions, READ_AT: rfc3339(self._now())},
            version=version,
            recent=recent,
            held=tuple(msgspec.json.encode(each).decode() for each in held),
        )

    def _first_time(self) -> str:
        if self._options.start_from is None:
            raise SettingsError(
                "this connector never ran: run `leadsync bootstrap`, which links who is there already, or start it with "
                "--start-from now or --start-from beginning"
            )
        return rfc3339(self._now()) if self._options.start_from == "now" else "1970-01-01T00:00:00Z"

    def _refuse_a_gap(self, checkpoint: Checkpoint) -> None:
        seconds = read_at(checkpoint)
        if seconds is None or seconds > self._now() - GAP_SECONDS:
            return
        raise SettingsError(
            f"Marketo's feeds were last read at {rfc3339(seconds)}, and it keeps changes for 90 days only: run `leadsync bootstrap`"
        )


def _outdated(merges: Iterable[FeedEntry], news: Sequence[FeedEntry], ends: Iterable[FeedEntry]) -> set[str]:
    """Persons whose rows are to be told whole as they are now: winners of merges of whom something came, in `merges` those that wait,
    and who came to stand for another person.
    """
    rekeyed = {entry.lead_id for entry in news if any(change.name == KEY_FIELD for change in entry.changes)}
    won = {entry.lead_id for entry in ends if entry.is_merge}
    return rekeyed | won | {entry.lead_id for entry in merges} & {entry.lead_id for entry in news}


def read_at(checkpoint: Checkpoint | None) -> float | None:
    """When the positions of a checkpoint were read, in seconds since the epoch; None where it does not say."""
    time = None if checkpoint is None else checkpoint.positions.get(READ_AT)
    return None if time is None else datetime.fromisoformat(time).timestamp()
