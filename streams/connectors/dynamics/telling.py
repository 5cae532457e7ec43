"""Puts what was read into the records' streams: each record's newest row once, whoever read it.

The feed and the applier both come by rows, in tasks of their own. Whether a row is news is judged and it is written under one
lock, so that versions rise in every stream and no row is told twice. A row that was overtaken is passed over: the newer one is whole,
and shows the same revision or a later one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from schemas.checkpoint import Checkpoint
from streams.connectors.dynamics.aside import Aside
from streams.connectors.dynamics.calling import Caller
from streams.connectors.dynamics.relations import Related, Relations
from streams.connectors.dynamics.rows import Shown, change_of, deletion_of, is_news, known_of, stream_of
from streams.connectors.journal import Entry, Journal, StreamChange
from streams.connectors.known import KnownRecord
from streams.connectors.pacing import Priority
from streams.sync.messages import ApplyCommand, Record, SourceChange

log = logging.getLogger(__name__)

ENDPOINT = "GET of what rows point to"


@dataclass
class _Draft:
    """An entry in the making, and what will be known once it is written."""

    journal: Journal
    changes: list[StreamChange] = field(default_factory=list)
    records: dict[str, KnownRecord] = field(default_factory=dict)

    def known(self, record_id: str) -> KnownRecord | None:
        """As it will be."""
        return self.records.get(record_id) or self.journal.known.get(record_id)

    def take(self, stream: str, change: SourceChange, known: KnownRecord) -> None:
        """One more change."""
        self.changes.append(StreamChange(stream, change))
        self.records[known.record.id] = known


class Telling:
    """The one way into the streams of Dynamics. `run` tells what was put aside. `written_down`: the checkpoint that was, last."""

    def __init__(self, journal: Journal, relations: Relations, caller: Caller) -> None:
        self.aside = Aside()
        self.written_down: Checkpoint | None = None
        self._journal, self._relations, self._caller = journal, relations, caller
        self._lock = asyncio.Lock()

    async def tell(
        self,
        rows: Sequence[Shown],
        deleted: Iterable[Record] = (),
        *,
        checkpoint: Checkpoint | None = None,
        only_learn: bool = False,
        priority: Priority = Priority.FEED,
    ) -> int:
        """Tell what is news of it, then that these were deleted, with how far was read; gives how many changes it made.

        A row that points to what can't be read now is put aside; how far was read is not written down then.

        `only_learn`: it is only remembered, unless something of the record stands in a stream, or is announced there, already.
        """
        related = await self._related([row for row in rows if self._is_news(row)], priority)
        async with self._lock:
            draft = _Draft(self._journal)
            for row in rows:
                error = related.unread.get(row.record.id)
                is_told = not only_learn or self._is_known(row.record)
                if error is None or not is_told:
                    _tell_row(draft, row, related)
                elif self._is_news(row):
                    self.aside.put(row, error)
            for record in deleted:
                _tell_deletion(draft, record)
            changes = tuple(each for each in draft.changes if not only_learn or self._is_known(each.change.record))
            checkpoint = None if self.aside else checkpoint
            await self._journal.write(Entry(changes, records=tuple(draft.records.values()), checkpoint=checkpoint))
            self.written_down = checkpoint or self.written_down
            for known in draft.records.values():
                self._relations.note(known.record, known.stream)
            self.aside.take_out(row.record.id for row in self.aside.rows() if not self._is_news(row))
        return len(changes)

    async def run(self) -> None:
        """Until cancelled: tell what was put aside, ever more seldom. Raises what the journal raises."""
        while True:
            await self.aside.some.wait()
            waits = self._caller.waits()
            while self.aside:
                await self._caller.sleep(next(waits))
                await self.tell(self.aside.rows())

    async def _related(self, rows: Sequence[Shown], priority: Priority) -> Related:
        """What they point to; waits where too many point to what can't be read."""
        related = await self._relations.of(rows, priority)
        if self.aside.has_room_for(related.unread):
            return related
        waits = self._caller.waits()
        while not self.aside.has_room_for(related.unread):
            await self._caller.wait(ENDPOINT, next(iter(related.unread.values())), waits)
            related = await self._relations.of(rows, priority)
        self._caller.well(ENDPOINT)
        return related

    async def announce(self, commands: Sequence[ApplyCommand], links: Sequence[SourceChange]) -> None:
        """Put `linked` into the streams of records that are about to be created, so that their rows find their persons."""
        async with self._lock:
            draft = _Draft(self._journal)
            for command, link in zip(commands, links, strict=True):
                record_id = link.record.id
                known = draft.known(record_id) or KnownRecord(record=link.record, stream=record_id, key=command.key)
                draft.take(known.stream, link, known)
            await self._journal.write(Entry(tuple(draft.changes), records=tuple(draft.records.values())))

    def _is_known(self, record: Record) -> bool:
        return self._journal.known.get(record.id) is not None

    def _is_news(self, row: Shown) -> bool:
        return is_news(row, self._journal.known.get(row.record.id))


def _tell_row(draft: _Draft, row: Shown, related: Related) -> None:
    known = draft.known(row.record.id)
    if not is_news(row, known):
        return
    contact = related.contacts.get(row.record.id)
    winner, winner_person_key = related.winners.get(row.record.id, (None, None))
    for column in row.oversized:
        log.warning("%s %s: %s holds too long a text to be told", row.record.type, row.record.id, column)
    change = change_of(row, known, contact=contact, winner=winner, winner_person_key=winner_person_key)
    closed = row.standing in ("qualified", "merged")
    draft.take(stream_of(row, known), change, known_of(row, known, closed=closed))


def _tell_deletion(draft: _Draft, record: Record) -> None:
    known = draft.known(record.id)
    if known is None or known.state != "deleted":
        change, known = deletion_of(record, known)
        draft.take(known.stream, change, known)
