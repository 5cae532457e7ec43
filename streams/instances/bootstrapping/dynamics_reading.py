"""All leads and contacts, whole rows, by change tracking from its beginning: the last page's delta link is where the feed goes on.

A page and the link to the next one are noted together, so that a second start goes on at the page where the first one ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from schemas.vocabulary import DYNAMICS, RecordType
from streams.connectors.dynamics.client import ANNOTATIONS, DataverseClient, selecting
from streams.connectors.dynamics.columns import Columns
from streams.connectors.dynamics.rows import Shown, Standing, UnreadableRow, is_tombstone, read_row
from streams.connectors.pacing import Priority
from streams.instances.bootstrapping.store import ReadRecord, Store
from streams.settings import SettingsError
from streams.sync.policy import Policy

log = logging.getLogger(__name__)

ROWS_MAX = 5_000
TRACKING = f"odata.track-changes,odata.maxpagesize={ROWS_MAX},{ANNOTATIONS}"
KINDS: tuple[RecordType, RecordType] = ("lead", "contact")
CLOSED: tuple[Standing, ...] = ("merged", "qualified")


class DynamicsReading:
    """`read()` once; `read_so_far(count)` is told of progress."""

    def __init__(
        self,
        client: DataverseClient,
        store: Store,
        columns: Mapping[RecordType, Columns],
        ourselves: str,
        policy: Policy,
        *,
        read_so_far: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._client, self._store, self._columns, self._ourselves = client, store, columns, ourselves
        self._emails = {kind: email_column(policy, kind) for kind in KINDS}
        self._read_so_far = read_so_far

    async def read(self) -> None:
        """Read all rows of both tables. Raises Refused, SettingsError where the columns have changed meanwhile."""
        for kind in KINDS:
            if self._store.note(f"{kind}.delta") is None:
                await self._table(self._columns[kind])
        with self._store.together():
            close_what_ended(self._store)

    async def _table(self, columns: Columns) -> None:
        kind = columns.kind
        if self._store.note(f"{kind}.select") != columns.digest:  # a link goes on with the columns that it was made for
            self._store.take_note(f"{kind}.select", columns.digest)
            self._store.take_note(f"{kind}.next", None)
        link: str | None = self._store.note(f"{kind}.next") or f"{columns.entity_set}?{selecting(columns.select)}"
        while link is not None:
            page = await self._client.page(link, prefer=TRACKING, priority=Priority.BACKGROUND)
            with self._store.together():
                self._store.put(self._records(columns, page.rows))
                self._store.drop(DYNAMICS, (str(row["id"]).lower() for row in page.rows if is_tombstone(row)))
                self._store.take_note(f"{kind}.next", page.next_link)
                self._store.take_note(f"{kind}.delta", page.delta_link)
            self._read_so_far(self._store.count(DYNAMICS))
            link = page.next_link
        if self._store.note(f"{kind}.delta") is None:
            raise SettingsError(f"Dynamics gave no delta link for {columns.entity_set}: is change tracking on?")

    def _records(self, columns: Columns, rows: Sequence[Mapping[str, Any]]) -> Iterable[ReadRecord]:
        for row in rows:
            if is_tombstone(row):
                continue
            try:
                shown = read_row(row, columns, self._ourselves)
            except UnreadableRow as error:
                log.error("passed over: %s", error)
                continue
            yield record_of(shown, self._emails[columns.kind])


def email_column(policy: Policy, kind: RecordType) -> str:
    """The column of a person's address: the policy's first e-mail field that both sides have, else the one as shipped."""
    for rule in policy.fields.values():
        if rule.type == "email" and rule.marketo == "email" and (column := rule.column(kind)) is not None:
            return column
    return "emailaddress1"


def record_of(shown: Shown, email: str) -> ReadRecord:
    """A row as it is kept. A record that lost a merge is closed, and so is a qualified lead: nothing can be written to it."""
    address = shown.fields.get(email)
    return ReadRecord(
        system=DYNAMICS,
        type=shown.record.type,
        id=shown.record.id,
        stream=shown.origin or shown.record.id,
        fields=shown.fields,
        version=shown.version,
        key=shown.key,
        revision=shown.revision,
        state="closed" if shown.standing in CLOSED else "living",
        master=shown.master_id,
        email=address if isinstance(address, str) else None,
        time=shown.time,
        who=shown.who,
    )


CLOSE_QUALIFIED = """
    UPDATE records SET state = 'closed' WHERE system = 'dynamics' AND type = 'lead' AND state = 'living' AND EXISTS (
        SELECT 1 FROM records c WHERE c.system = 'dynamics' AND c.stream = records.id AND c.type = 'contact' AND c.state = 'living'
    )
"""


def close_what_ended(store: Store) -> None:
    """A lead goes on as the contact that came from it."""
    store.db.execute(CLOSE_QUALIFIED)
