"""Everything read again, and compared with what is known: only real differences become changes, absent records deletions.

Only a record that was known, and told, before the reading began can be absent from it: what was created meanwhile, or is
only announced, is not missing. That holds for a first reading too, which shows no deletions: we may have created before it.
Before a deletion is told, the record is asked for by its id. What can't be read by that either (it was given to another
business unit, perhaps) is not deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from streams.connectors.dynamics.calling import told
from streams.connectors.dynamics.client import DataverseClient, Wanted, WebRow
from streams.connectors.dynamics.columns import Columns
from streams.connectors.dynamics.lookups import read_each
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.dynamics.rows import Shown, read_row
from streams.connectors.dynamics.telling import Telling
from streams.connectors.dynamics.verdict import is_forbidden
from streams.connectors.journal import Journal
from streams.connectors.known import KnownRecord
from streams.connectors.pacing import Priority
from streams.connectors.rest import CallFailed
from streams.sync.messages import Record

log = logging.getLogger(__name__)

CONFIRMED_MAX = 500
ROUNDS_MAX = 8


class FullRead:
    """One reading of an entity set. `take` each page, or tell what it `saw`; then `tell_absent`. `told`: how many changes that made.

    `ours_only`: of what we created ourselves and what came of it, the one thing that can have gone before a first reading.
    """

    def __init__(
        self,
        client: DataverseClient,
        organisation: Organisation,
        telling: Telling,
        journal: Journal,
        columns: Columns,
        *,
        ours_only: bool = False,
    ) -> None:
        self._client, self._organisation, self._telling, self._columns = client, organisation, telling, columns
        self._journal = journal
        self.told = 0
        self._missing = {
            known.record.id: None
            for known in journal.known
            if known.record.type == columns.kind and known.state != "deleted" and known.version > 0
            if not ours_only or self._is_ours(known)
        }

    def _is_ours(self, known: KnownRecord) -> bool:
        """Whether it holds a key of ours, or came of a lead that does: a contact gets its own only by a later write."""
        lead = self._journal.known.get(known.stream)
        return known.key is not None or (lead is not None and lead.key is not None)

    def saw(self, rows: Sequence[Shown]) -> None:
        """These are not absent."""
        for row in rows:
            self._missing.pop(row.record.id, None)

    async def take(self, rows: Sequence[Shown], deleted: Sequence[Record]) -> None:
        """One page."""
        self.saw(rows)
        self.told += await self._telling.tell(rows, deleted)

    async def tell_absent(self) -> None:
        """What was known and did not show up."""
        ids = list(self._missing)
        for start in range(0, len(ids), CONFIRMED_MAX):
            await self._confirm(ids[start : start + CONFIRMED_MAX])

    async def _confirm(self, ids: Sequence[str]) -> None:
        columns = self._columns
        rows, gone = list[Shown](), list[str]()
        for record_id, row in (await self._ask_for(ids)).items():
            if isinstance(row, CallFailed):
                log.warning("%s(%s) is out of sight, and not gone: %s", columns.entity_set, record_id, told(row))
            elif row is None:
                gone.append(record_id)
            else:
                rows.append(read_row(row, columns, self._organisation.ourselves))
        records = [known.record for record_id in gone if (known := self._journal.known.get(record_id)) is not None]
        if gone:
            log.info("%s: %d records that were known are no more", columns.entity_set, len(gone))
        self.told += await self._telling.tell(rows, records)

    async def _ask_for(self, ids: Sequence[str]) -> dict[str, WebRow | CallFailed | None]:
        """Each by its id. Over what Dynamics breaks it is asked again for a while; what it forbids is there."""
        columns, caller = self._columns, self._client.caller
        found: dict[str, WebRow | CallFailed | None] = {}
        left, waits, endpoint = list(ids), caller.waits(), f"GET {columns.entity_set}(id)"
        for _ in range(ROUNDS_MAX):
            parts = [Wanted(columns.entity_set, record_id, columns.select).part for record_id in left]
            found |= zip(left, await read_each(self._client, parts, priority=Priority.FEED), strict=True)
            broken = {
                each: row for each in left if isinstance(row := found[each], CallFailed) and not is_forbidden(row)
            }
            if not broken:
                break
            left = list(broken)
            await caller.wait(endpoint, broken[left[0]], waits)
        caller.well(endpoint)
        return found
