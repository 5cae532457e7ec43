"""Change tracking of leads and contacts: read on from where it was left, page by page, each page one entry of the journal.

Leads are read before contacts, so that a conversion mostly stands before its contact's rows. What was not newer than what is known
is passed over, so a page that is read twice is told once. Where Dataverse no longer knows where we were, or other columns are
asked for than the link was made for, everything is read again and compared (`full_read`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics.client import ANNOTATIONS, DataverseClient, Page, selecting
from streams.connectors.dynamics.columns import ENTITY_SETS, Columns
from streams.connectors.dynamics.full_read import FullRead
from streams.connectors.dynamics.organisation import KINDS, Organisation
from streams.connectors.dynamics.positions import FIRST_READING, Position, checkpoint_of, positions_of
from streams.connectors.dynamics.rows import Shown, UnreadableRow, is_tombstone, read_row
from streams.connectors.dynamics.telling import Telling
from streams.connectors.dynamics.verdict import DELTA_EXPIRED
from streams.connectors.journal import Journal
from streams.connectors.options import Options
from streams.connectors.rest import Refused
from streams.settings import SettingsError
from streams.sync.messages import Record

log = logging.getLogger(__name__)

PAGE_ROWS = 1_000
PREFER = f"odata.track-changes,odata.maxpagesize={PAGE_ROWS},{ANNOTATIONS}"
COMPARISONS_MAX = 3
"""So often everything is read again where a link expires, or a column goes, while that is done."""
CHECKPOINT_SECONDS = 60.0
"""How often a link that only moved on, and told nothing, is written down: it stays valid for days."""


class Feed:
    """`read_once` reads everything there is. `read_to_end` says that it was done at least once."""

    def __init__(
        self,
        client: DataverseClient,
        organisation: Organisation,
        telling: Telling,
        journal: Journal,
        checkpoint: Checkpoint | None,
        options: Options,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.read_to_end = False
        self._client, self._organisation, self._telling, self._journal = client, organisation, telling, journal
        self._clock, self._written_at = clock, clock()
        self._reading, self._restored = asyncio.Lock(), set[str]()
        self._positions = _starting(checkpoint, options)
        self._telling.written_down = checkpoint

    async def read_once(self) -> int:
        """Read to the end of both entity sets; gives how many changes were told."""
        async with self._reading:
            columns = await self._organisation.columns()
            told = 0
            for kind in KINDS:
                told += await self._read_set(columns[kind])
            await self._write_down_at_times()
            self.read_to_end = True
            return told

    async def _read_set(self, columns: Columns) -> int:
        name = columns.entity_set
        position = self._positions[name]
        if position.link is None or position.select == columns.digest:
            try:
                return await self._read_on(columns, position)
            except Refused as error:
                self._explain(name, error, position)
        else:
            log.info("%s: other columns are asked for than before; everything is read again", name)
        columns = (await self._organisation.columns())[columns.kind]
        if position.first == "learn":
            return await self._read_on(columns, Position(first="learn"))
        return await self._read_again(columns)

    def _explain(self, name: str, error: Refused, position: Position) -> None:
        """A link that is no longer taken is no calamity; a table that can't be read from its beginning is one."""
        if position.link is None:
            raise error
        self._organisation.ask_again()  # perhaps a column is no more
        why = (
            "Dynamics no longer knows where we were"
            if error.code == DELTA_EXPIRED
            else f"the link is not taken ({error.code})"
        )
        log.warning("%s: %s; everything is read again and compared", name, why)

    async def _read_on(self, columns: Columns, position: Position) -> int:
        """From a position to the end, which is then the new one."""
        told = 0
        link = position.link or start_link(columns)
        reading = None if position.first is None else self._full_read(columns, ours_only=True)
        while True:
            page = await self._client.page(link, prefer=PREFER)
            rows, deleted = self._sorted(page, columns)
            first, position = position.first, _after(page, columns, position)
            news = bool(rows or deleted or first or page.next_link)
            if reading is not None:
                reading.saw(rows)
                if page.next_link is None:  # before the position says that the first reading is over
                    await reading.tell_absent()
                    told += reading.told
            told += await self._move_on(columns, position, news, rows, deleted, only_learn=first == "learn")
            if page.next_link is None:
                return told
            link = page.next_link

    async def _read_again(self, columns: Columns) -> int:
        """From the beginning, compared with what is known. What ends it early begins it anew: the old position stands until its end."""
        told = tries = 0
        while True:
            reading = self._full_read(columns)
            tries += 1
            try:
                await self._compare(columns, reading)
                return told + reading.told
            except Refused as error:
                if tries == COMPARISONS_MAX:
                    raise
                log.warning("%s: the comparison was broken off (%s) and begins anew", columns.entity_set, error.code)
            told += reading.told
            self._organisation.ask_again()
            columns = (await self._organisation.columns())[columns.kind]

    def _full_read(self, columns: Columns, *, ours_only: bool = False) -> FullRead:
        return FullRead(self._client, self._organisation, self._telling, self._journal, columns, ours_only=ours_only)

    async def _compare(self, columns: Columns, reading: FullRead) -> None:
        link = start_link(columns)
        while True:
            page = await self._client.page(link, prefer=PREFER)
            await reading.take(*self._sorted(page, columns))
            if page.next_link is None:
                break
            link = page.next_link
        await reading.tell_absent()
        await self._move_on(columns, _after(page, columns, Position()), True)

    async def _move_on(
        self,
        columns: Columns,
        position: Position,
        news: bool,
        rows: Sequence[Shown] = (),
        deleted: Sequence[Record] = (),
        *,
        only_learn: bool = False,
    ) -> int:
        """Tell what was read, and where that leaves us: in one entry where there is `news`, else only in memory."""
        positions = {**self._positions, columns.entity_set: position}
        checkpoint = checkpoint_of(positions) if news else None
        told = await self._telling.tell(rows, deleted, checkpoint=checkpoint, only_learn=only_learn)
        self._positions = positions
        if news:
            self._written_at = self._clock()
        return told

    def _sorted(self, page: Page, columns: Columns) -> tuple[list[Shown], list[Record]]:
        rows: list[Shown] = []
        deleted: list[Record] = []
        for row in page.rows:
            if is_tombstone(row):
                deleted.append(Record(DYNAMICS, columns.kind, str(row["id"]).lower()))
                continue
            try:
                rows.append(read_row(row, columns, self._organisation.ourselves))
            except UnreadableRow as error:
                log.error("passed over: %s", error)
        self._note_restored(rows)
        return rows, deleted

    def _note_restored(self, rows: Sequence[Shown]) -> None:
        """A record that was told as deleted never comes back, whatever Dynamics restores: that must not pass in silence."""
        for row in rows:
            known, record = self._journal.known.get(row.record.id), row.record
            if known is None or known.state != "deleted" or row.version <= known.version or record.id in self._restored:
                continue
            self._restored.add(record.id)
            log.warning(
                "%s %s was deleted and is back in Dynamics: it is passed over from now on; sync its person again, or make a new record",
                record.type,
                record.id,
            )

    async def _write_down_at_times(self) -> None:
        checkpoint = checkpoint_of(self._positions)
        if checkpoint != self._telling.written_down and self._clock() - self._written_at >= CHECKPOINT_SECONDS:
            await self._telling.tell((), checkpoint=checkpoint)
            self._written_at = self._clock()


def start_link(columns: Columns) -> str:
    """Where change tracking begins: every row, and then a delta link."""
    return f"{columns.entity_set}?{selecting(columns.select)}"


def _after(page: Page, columns: Columns, position: Position) -> Position:
    """Where a page leaves us. Raises Refused where change tracking gives no link to go on with."""
    link = page.next_link or page.delta_link
    if link is None:
        raise Refused("no_delta_link", f"{columns.entity_set}: the last page has no delta link", 200)
    return Position(link, columns.digest, None if page.next_link is None else position.first)


def _starting(checkpoint: Checkpoint | None, options: Options) -> dict[str, Position]:
    """Where to go on; where a connector that never ran begins. Raises SettingsError where nobody has said so."""
    if checkpoint is not None:
        return positions_of(checkpoint, ENTITY_SETS.values())
    if options.start_from is None:
        raise SettingsError(
            "the Dynamics connector never ran: `leadsync bootstrap` links what is there and says where to begin; "
            "or begin with --start-from beginning (every record is told) or --start-from now (only what comes)"
        )
    return {name: Position(first=FIRST_READING[options.start_from]) for name in ENTITY_SETS.values()}
