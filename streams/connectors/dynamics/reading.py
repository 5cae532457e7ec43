"""Records as commands need them: read by id, many at once, with every column of the policy, since a conflict brings the row."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.vocabulary import RecordType
from streams.connectors.dynamics.client import DataverseClient, Wanted, WebRow
from streams.connectors.dynamics.columns import Columns
from streams.connectors.dynamics.lookups import read_each
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.dynamics.rows import Shown, read_row
from streams.connectors.pacing import Priority
from streams.connectors.rest import CallFailed, Refused
from streams.sync.messages import ApplyCommand, Record


class Reading:
    """Reads records by id."""

    def __init__(self, client: DataverseClient, organisation: Organisation) -> None:
        self._client, self._organisation = client, organisation

    async def commanded(self, commands: Sequence[ApplyCommand], priority: Priority) -> list[Shown | CallFailed | None]:
        """The record of each command, with the columns that it writes; None where there is none; else why it can't be read now."""
        try:
            return await self._commanded(commands, priority)
        except Refused:
            self._organisation.ask_again()  # perhaps a column is no more
            return await self._commanded(commands, priority)

    async def readable(self, records: Sequence[Record], priority: Priority) -> list[Shown]:
        """Those of them that are there and can be read now."""
        found = await self._read(records, [await self._columns(record) for record in records], priority)
        return [each for each in found if isinstance(each, Shown)]

    async def of(self, command: ApplyCommand, priority: Priority) -> Shown | None:
        """A command's record; None where there is none. Raises Refused and Unread where it can't be read now."""
        [found] = await self.commanded([command], priority)
        if isinstance(found, CallFailed):
            raise found
        return found

    async def columns(self, command: ApplyCommand) -> Columns:
        """What is read of a command's record."""
        return (await self._columns(record_of(command))).along_with(command.fields or {})

    def shown(self, row: WebRow, columns: Columns) -> Shown:
        """A row, read."""
        return read_row(row, columns, self._organisation.ourselves)

    async def _commanded(self, commands: Sequence[ApplyCommand], priority: Priority) -> list[Shown | CallFailed | None]:
        columns = [await self.columns(command) for command in commands]
        return await self._read([record_of(command) for command in commands], columns, priority)

    async def _read(
        self, records: Sequence[Record], columns: Sequence[Columns], priority: Priority
    ) -> list[Shown | CallFailed | None]:
        parts = [
            Wanted(each.entity_set, record.id, each.select).part for each, record in zip(columns, records, strict=True)
        ]
        found = await read_each(self._client, parts, priority=priority)
        return [
            row if row is None or isinstance(row, CallFailed) else self.shown(row, each)
            for row, each in zip(found, columns, strict=True)
        ]

    async def _columns(self, record: Record) -> Columns:
        kind: RecordType = "contact" if record.type == "contact" else "lead"
        return (await self._organisation.columns())[kind]


def record_of(command: ApplyCommand) -> Record:
    """A command that names no record has been refused by then."""
    assert command.record is not None
    return command.record
