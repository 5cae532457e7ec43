"""Updates and deletions by id, in batches, settled by reading after every doubt.

A command whose outcome nobody knows, because a call was lost or the connector before this one may have got to it, is settled by reading
the record first: at or above the command's revision it is done. Marketo's writes need no other condition: its feed lists
what they cover. (Design, "Sight, collisions, commands".)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.connectors.lanes import Given
from streams.connectors.marketo.answers import Said
from streams.connectors.marketo.client import Json, MarketoClient, batches
from streams.connectors.marketo.late_writes import LateWrites
from streams.connectors.marketo.names import KEY_FIELD, OUR_FIELDS, REVISION_FIELD
from streams.connectors.marketo.patience import Patience
from streams.connectors.marketo.rows import Ours, ours_in
from streams.connectors.marketo.sending import NOT_FOUND, Rounds, Verdict, lead_writes
from streams.connectors.pacing import Priority
from streams.sync.messages import ApplyCommand

Record = Mapping[str, Any]


class Updating:
    """Remembers the revisions that it wrote, by record and key, so that a repeat needs no reading.

    By key, since a merge may hand a record to another person, whose revisions are counted anew.
    """

    def __init__(self, client: MarketoClient, patience: Patience, late: LateWrites) -> None:
        self._client, self._patience, self._late = client, patience, late
        self._written: dict[tuple[str, str | None], int] = {}

    async def update(self, given: Sequence[Given], said: Said, priority: Priority) -> None:
        """An id that Marketo does not know is gone; a record at the revision is left as it is."""
        rounds = lead_writes(self._client, "updateOnly", "id", self._patience, priority)
        given = self._left(given, said)
        commands = [each.command for each in given]
        doubtful = [each.command for each in given if each.maybe_done]
        while commands:
            for command in doubtful:
                self._late.note(command)
            settled = await self._settled(doubtful, said, priority)
            commands = [each for each in commands if each.command_id not in settled]
            verdicts = await rounds.sent({each.command_id: _input(each) for each in commands})
            commands = doubtful = self._take(commands, verdicts, said)
            if commands:
                await rounds.pause()

    async def delete(self, given: Sequence[Given], said: Said, priority: Priority) -> None:
        """Only under the delete policy. What is not there any more is gone, whoever deleted it."""

        async def send(records: Sequence[Record]) -> list[Json]:
            return await self._client.delete_leads([int(each["id"]) for each in records], priority)

        commands = [each.command for each in given if _has_id(each.command, said)]
        rounds = Rounds(send, lambda: self._client.takes_deletions(priority), self._patience)
        while commands:
            verdicts = await rounds.sent({each.command_id: {"id": int(record_id(each))} for each in commands})
            commands = self._take(commands, verdicts, said)
            if commands:
                await rounds.pause()

    def _left(self, given: Sequence[Given], said: Said) -> list[Given]:
        """Without those that are known to be done, and those that name no record."""
        left = []
        for each in given:
            if self._written.get(_place(each.command), -1) >= each.command.revision:
                said.answer(each.command, "superseded")
            elif _has_id(each.command, said):
                left.append(each)
        return left

    async def _settled(self, commands: Sequence[ApplyCommand], said: Said, priority: Priority) -> set[str]:
        """Those that the records themselves show to be done, or whose records are no more; they are answered."""
        settled: set[str] = set()
        for some in batches(commands):
            ids = [record_id(each) for each in some]
            found = await self._client.leads_by("id", ids, ["id", *OUR_FIELDS], priority)
            shown = {str(each["id"]): ours_in(each) for each in found}
            settled |= {each.command_id for each in some if self._is_settled(each, shown, said)}
        return settled

    def _is_settled(self, command: ApplyCommand, shown: Mapping[str, Ours], said: Said) -> bool:
        ours = shown.get(record_id(command))
        if ours is None:
            said.gone(command, record_id(command))
            return True
        if ours.person_key not in (None, command.person_key) or (ours.revision or 0) < command.revision:
            return False
        self._written[_place(command)] = ours.revision or 0
        said.answer(command, "superseded")
        said.written += 1  # by ourselves, perhaps, and just now
        return True

    def _take(
        self, commands: Sequence[ApplyCommand], verdicts: Mapping[str, Verdict], said: Said
    ) -> list[ApplyCommand]:
        """Answer what is known; gives those that nobody knows of."""
        unsure = []
        for command in commands:
            verdict = verdicts[command.command_id]
            if verdict.outcome == "unsure":
                unsure.append(command)
            elif verdict.outcome == "done":
                self._written[_place(command)] = command.revision
                said.written += 1  # no result: it lands
            elif verdict.code == NOT_FOUND:
                said.gone(command, record_id(command))
            else:
                said.answer(command, "refused", code=verdict.code, message=verdict.message)
        return unsure


def record_id(command: ApplyCommand) -> str:
    """The record that the command is for."""
    return "" if command.record is None else command.record.id


def _place(command: ApplyCommand) -> tuple[str, str | None]:
    return record_id(command), command.key


def _has_id(command: ApplyCommand, said: Said) -> bool:
    """Marketo's ids are numbers; another one can name nobody."""
    if record_id(command).isdecimal():
        return True
    said.answer(command, "refused", code="id", message=f"{record_id(command)!r} is no id of a Marketo person")
    return False


def _input(command: ApplyCommand) -> dict[str, Any]:
    ours = {KEY_FIELD: command.key, REVISION_FIELD: command.revision}
    return {**(command.fields or {}), **ours, "id": int(record_id(command))}
