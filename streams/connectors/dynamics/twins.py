"""Twins, for `dedupe: email`: open records with the e-mail address of somebody who is about to be created."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import READING, DataverseClient, WebRow, filtering, literal, selecting
from streams.connectors.dynamics.columns import Columns
from streams.connectors.dynamics.lookups import read_each
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.dynamics.rows import Shown, read_row
from streams.connectors.pacing import Priority
from streams.connectors.rest import CallFailed
from streams.sync.messages import ApplyCommand


class Twins:
    """Searches where a command asks for it."""

    def __init__(self, client: DataverseClient, organisation: Organisation) -> None:
        self._client, self._organisation = client, organisation

    def addresses(self, command: ApplyCommand) -> set[str]:
        """Those by which its twins are searched, so that equal ones are one: Dataverse compares without regard to case."""
        return {email.strip().casefold() for email, _, _ in self._asked(command)}

    async def of(self, commands: Sequence[ApplyCommand], priority: Priority) -> dict[str, Shown | CallFailed]:
        """The twin of each command that has one, by the command's id; or why it can't be searched for now."""
        asked: list[tuple[ApplyCommand, Columns, Part]] = []
        for command in commands:
            asked += [(command, columns, part) async for columns, part in self._queries(command)]
        answers = await read_each(self._client, [part for _, _, part in asked], priority=priority)
        found: dict[str, list[Shown]] = {}
        unread: dict[str, CallFailed] = {}
        for (command, columns, _), answer in zip(asked, answers, strict=True):
            if isinstance(answer, CallFailed):
                unread[command.command_id] = answer
            else:
                found.setdefault(command.command_id, []).extend(self._open(columns, answer or {}))
        persons = {command.command_id: command.person_key for command in commands}
        return {each: _best(twins, persons[each]) for each, twins in found.items() if twins} | unread

    async def _queries(self, command: ApplyCommand) -> AsyncIterator[tuple[Columns, Part]]:
        for email, email_of_lead, email_of_contact in self._asked(command):
            names: Mapping[str, str | None] = {"lead": email_of_lead, "contact": email_of_contact}
            for columns in (await self._organisation.columns()).values():
                if (name := names[columns.kind]) in columns.stated:
                    condition = f"{name} eq {literal(email)} and statecode eq 0"
                    target = f"{columns.entity_set}?{selecting(columns.select)}&{filtering(condition)}"
                    yield columns, Part("GET", target, READING)

    def _asked(self, command: ApplyCommand) -> Iterator[tuple[str, str, str | None]]:
        """An address of the command's, and the columns of lead and contact that may hold it too."""
        for rule in self._organisation.policy.fields.values():
            if command.dedupe is not None and rule.type == "email" and rule.lead is not None:
                email = (command.fields or {}).get(rule.lead)
                if isinstance(email, str) and email:
                    yield email, rule.lead, rule.contact

    def _open(self, columns: Columns, answer: WebRow) -> Iterator[Shown]:
        rows = (read_row(row, columns, self._organisation.ourselves) for row in answer.get("value", []))
        return (shown for shown in rows if shown.standing == "open")


def _best(twins: list[Shown], person_key: str) -> Shown:
    """The person's own; else one that holds no key, who may have nobody in Marketo yet; a contact rather than a lead, since sales
    have made it one. Among equals always the same.
    """
    ranks = {person_key: 0, None: 1}
    return min(twins, key=lambda shown: (ranks.get(shown.person_key, 2), shown.record.type, shown.record.id))
