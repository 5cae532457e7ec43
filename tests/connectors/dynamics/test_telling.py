"""Feed and applier come by rows in tasks of their own: what they tell never overtakes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from streams.connectors.dynamics.relations import Related
from streams.connectors.dynamics.rows import Shown
from streams.connectors.dynamics.telling import Telling
from streams.connectors.journal import Entry
from streams.sync.messages import Record
from tests.connectors.journal import FakeJournal

LEAD = Record("dynamics", "lead", "00000000-0000-0000-0000-000000000001")


class Unrelated:
    """Rows that point to nothing."""

    async def of(self, rows: object, priority: object) -> Related:
        return Related()

    def note(self, record: Record, stream: str) -> None:
        """Nothing to note."""


class Unhurried:
    """A caller that need not wait for anything."""

    def waits(self) -> Iterator[float]:
        return iter(())

    def well(self, endpoint: str) -> None:
        """As ever."""


class SlowAtFirst(FakeJournal):
    """Its first commit takes longer than any other."""

    async def write(self, entry: Entry) -> None:
        for _ in range(20 if not self.entries else 0):
            await asyncio.sleep(0)
        await super().write(entry)


async def test_a_newer_row_waits_until_the_older_one_is_committed() -> None:
    """And an older one that comes later is passed over."""
    journal = SlowAtFirst("dynamics")
    telling = Telling(journal, Unrelated(), Unhurried())
    rows = [Shown(LEAD, version, {}) for version in (5, 6, 4)]
    told = await asyncio.gather(*[telling.tell([row]) for row in rows])
    assert told == [1, 1, 0]
    assert [change.version for _, change in journal.changes] == [5, 6]
    assert journal.known.get(LEAD.id).version == 6


async def test_a_row_and_the_deletion_of_its_record_stand_in_this_order() -> None:
    """Also where one entry holds both, and the record was never seen."""
    journal = FakeJournal("dynamics")
    telling = Telling(journal, Unrelated(), Unhurried())
    await telling.tell([Shown(LEAD, 5, {}, key="p-1#1")], [LEAD])
    [created, deleted] = [change for _, change in journal.changes]
    assert (created.kind, deleted.kind, deleted.version, deleted.person_key) == ("created", "deleted", 6, "p-1")
    assert await telling.tell([Shown(LEAD, 9, {})], [LEAD]) == 0
