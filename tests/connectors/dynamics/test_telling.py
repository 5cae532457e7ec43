"""Feed and applier come by rows in tasks of their own: what they tell never overtakes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics import aside
from streams.connectors.dynamics.relations import Related
from streams.connectors.dynamics.rows import Shown
from streams.connectors.dynamics.telling import Telling
from streams.connectors.journal import Entry
from streams.connectors.rest import OutcomeUnknown
from streams.sync.messages import Record
from tests.connectors.journal import FakeJournal

LEAD = Record("dynamics", "lead", "00000000-0000-0000-0000-000000000001")


class Unrelated:
    """Rows that point to nothing."""

    async def of(self, rows: object, priority: object) -> Related:
        return Related()

    def note(self, record: Record, stream: str) -> None:
        """Nothing to note."""


class Unreadable(Unrelated):
    """What a qualified lead became can't be read now."""

    async def of(self, rows: Sequence[Shown], priority: object) -> Related:
        return Related(unread={row.record.id: OutcomeUnknown("") for row in rows if row.standing == "qualified"})


class Unhurried:
    """A caller that need not wait for anything."""

    def waits(self) -> Iterator[float]:
        return iter(())


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


async def test_what_several_put_aside_at_once_holds_up_nobody_even_where_it_is_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each has found room for its own row while another was writing."""
    monkeypatch.setattr(aside, "ASIDE_MAX", 1)
    journal = SlowAtFirst(DYNAMICS)
    telling = Telling(journal, Unreadable(), Unhurried())
    leads = [Record(DYNAMICS, "lead", f"00000000-0000-0000-0000-00000000000{n}") for n in (2, 3)]
    qualified = [Shown(lead, 7, {}, standing="qualified") for lead in leads]
    await asyncio.gather(telling.tell([Shown(LEAD, 5, {})]), *[telling.tell([row]) for row in qualified])
    assert telling.aside.rows() == qualified
    assert await telling.tell([Shown(LEAD, 6, {})]) == 1
    telling._relations = Unrelated()
    assert await telling.tell(telling.aside.rows()) == 2 and not telling.aside
