"""Updates: read, judge, write under the ETag of what was judged; whatever is in doubt afterwards is read again."""

from __future__ import annotations

from collections.abc import Sequence

from streams.connectors.dynamics import answers
from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import DataverseClient, Wanted
from streams.connectors.dynamics.decisions import Write, decide_update
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.dynamics.reading import Reading, record_of
from streams.connectors.dynamics.relations import Relations
from streams.connectors.dynamics.rows import Shown
from streams.connectors.dynamics.telling import Telling
from streams.connectors.dynamics.verdict import may_pass
from streams.connectors.dynamics.waiting import Waiting
from streams.connectors.dynamics.writing import Writes, Written, patch
from streams.connectors.pacing import Priority
from streams.connectors.rest import CallFailed, Refused
from streams.sync.messages import ApplyCommand, ApplyResult

Met = tuple[ApplyCommand, Written]
"""A command, and what became of its write."""


class Updates:
    """Carries out updates."""

    def __init__(
        self,
        client: DataverseClient,
        organisation: Organisation,
        reading: Reading,
        relations: Relations,
        telling: Telling,
        waiting: Waiting,
    ) -> None:
        self._client, self._organisation, self._waiting = client, organisation, waiting
        self._reading, self._relations, self._telling = reading, relations, telling

    async def carry_out(self, commands: Sequence[ApplyCommand], priority: Priority) -> list[ApplyResult]:
        """The answers; what landed needs none, its row is told."""
        results: list[ApplyResult] = []
        rounds, missed = Writes(self._client, all(map(self._waiting.has, commands))), set[str]()
        left = list(commands)
        while left:
            writes, met, answered = await self._judge(left, priority)
            written = await rounds.carry_out([await self._part(write) for write in writes], priority)
            met += zip((write.command for write in writes), written, strict=True)
            left, more = await self._heed(met, missed, priority)
            results += [*answered, *more]
            await rounds.pause([each for _, each in met] if left else [])
        return results

    async def _judge(
        self, commands: Sequence[ApplyCommand], priority: Priority
    ) -> tuple[list[Write], list[Met], list[ApplyResult]]:
        """What is to be written, what could not even be read, and what is answered."""
        read = await self._reading.commanded(commands, priority)
        decided = [await self._decide(*each, priority) for each in zip(commands, read, strict=True)]
        await self._tell_old_news(decided, read, priority)
        unread = [
            (command, Written("not_yet", error=each))
            for command, each in zip(commands, decided, strict=True)
            if isinstance(each, CallFailed)
        ]
        return (
            [each for each in decided if isinstance(each, Write)],
            unread,
            [each for each in decided if isinstance(each, ApplyResult)],
        )

    async def _tell_old_news(
        self,
        decided: Sequence[ApplyResult | Write | CallFailed],
        read: Sequence[Shown | CallFailed | None],
        priority: Priority,
    ) -> None:
        """A landing whose answer was lost, or what closed the record: the feed will say so too, but later."""
        rows = [
            row
            for each, row in zip(decided, read, strict=True)
            if isinstance(row, Shown) and isinstance(each, ApplyResult) and each.answer in ("superseded", "gone")
        ]
        await self._telling.tell(rows, priority=priority)

    async def _decide(
        self, command: ApplyCommand, shown: Shown | CallFailed | None, priority: Priority
    ) -> ApplyResult | Write | CallFailed:
        """A failure: of reading the record, or the contact that it became."""
        contact = None
        if isinstance(shown, Shown) and shown.standing == "qualified":
            try:
                contact = await self._relations.contact_of(shown.record.id, priority)
            except CallFailed as error:
                if not may_pass(error):
                    raise
                return error
        if isinstance(shown, CallFailed):
            return shown
        columns = await self._reading.columns(command)
        return decide_update(command, shown, contact, columns, self._organisation.policy)

    async def _heed(
        self, met: Sequence[Met], missed: set[str], priority: Priority
    ) -> tuple[list[ApplyCommand], list[ApplyResult]]:
        """What must be judged again, and what is answered.

        `missed`: the commands of those that were answered 404 before. The record was there when it was read since; so a second
        404 is about something else, to which a plug-in points perhaps.
        """
        again, results, rows = [], [], []
        for command, each in met:
            if each.fate == "done":
                if each.row is not None:
                    rows.append(self._reading.shown(each.row, await self._reading.columns(command)))
            elif each.fate == "missing" and command.command_id not in missed:
                missed.add(command.command_id)
                again.append(command)
            elif each.fate in ("refused", "taken", "missing") and isinstance(each.error, Refused):
                results.append(answers.refused_by(command, each.error))
            elif not self._waiting.take(command, each.error):
                again.append(command)
        await self._telling.tell(rows, priority=priority)
        return again, results

    async def _part(self, write: Write) -> Part:
        columns = await self._reading.columns(write.command)
        target = Wanted(columns.entity_set, record_of(write.command).id, columns.select).target
        return patch(target, {"If-Match": write.etag}, write.body)
