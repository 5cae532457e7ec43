"""Everything read again, and compared with what is known: only real differences become changes, absent records deletions.

Only a record that was known, and told, before the reading began can be absent from it: what was created meanwhile, or is
only announced, is not missing. Before a deletion is told, the record is asked for by its id.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from streams.connectors.dynamics.client import DataverseClient, Wanted
from streams.connectors.dynamics.columns import Columns
from streams.connectors.dynamics.lookups import read_all
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.dynamics.rows import Shown, read_row
from streams.connectors.dynamics.telling import Telling
from streams.connectors.journal import Journal
from streams.connectors.pacing import Priority
from streams.sync.messages import Record

log = logging.getLogger(__name__)

CONFIRMED_MAX = 500


class FullRead:
    """One reading of an entity set. `take` each page, then `tell_absent`. `told`: how many changes that made."""

    def __init__(
        self,
        client: DataverseClient,
        organisation: Organisation,
        telling: Telling,
        journal: Journal,
        columns: Columns,
    ) -> None:
        self._client, self._organisation, self._telling, self._columns = client, organisation, telling, columns
        self._journal = journal
        self.told = 0
        self._missing = {
            known.record.id: None
            for known in journal.known
            if known.record.type == columns.kind and known.state != "deleted" and known.version > 0
        }

    async def take(self, rows: Sequence[Shown], deleted: Sequence[Record]) -> None:
        """One page."""
        for row in rows:
            self._missing.pop(row.record.id, None)
        self.told += await self._telling.tell(rows, deleted)

    async def tell_absent(self) -> None:
        """What was known and did not show up."""
        ids = list(self._missing)
        for start in range(0, len(ids), CONFIRMED_MAX):
            await self._confirm(ids[start : start + CONFIRMED_MAX])

    async def _confirm(self, ids: Sequence[str]) -> None:
        columns = self._columns
        parts = [Wanted(columns.entity_set, record_id, columns.select).part for record_id in ids]
        found = await read_all(self._client, parts, priority=Priority.FEED)
        rows = [read_row(row, columns, self._organisation.ourselves) for row in found if row is not None]
        gone = [record_id for record_id, row in zip(ids, found, strict=True) if row is None]
        records = [known.record for record_id in gone if (known := self._journal.known.get(record_id)) is not None]
        if gone:
            log.info("%s: %d records that were known are no more", columns.entity_set, len(gone))
        self.told += await self._telling.tell(rows, records)
