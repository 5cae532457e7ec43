"""Qualifying a lead, and deleting a record: one call each, and reading again whenever nobody knows what it did."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics import answers
from streams.connectors.dynamics.client import DataverseClient, WebRow
from streams.connectors.dynamics.decisions import closed
from streams.connectors.dynamics.reading import Reading, record_of
from streams.connectors.dynamics.relations import Relations
from streams.connectors.dynamics.telling import Telling
from streams.connectors.dynamics.waiting import FORBIDDEN, Waiting
from streams.connectors.pacing import Priority
from streams.connectors.rest import OutcomeUnknown, Refused
from streams.sync.messages import ApplyCommand, ApplyResult, Record

QUALIFIED_STATUS = 3
QUALIFY_ENDPOINT = "POST leads(id)/Microsoft.Dynamics.CRM.QualifyLead"
QUALIFYING = {
    "CreateAccount": False,
    "CreateContact": True,
    "CreateOpportunity": False,
    "Status": QUALIFIED_STATUS,
}
"""Into a contact that is not associated to any account (domain, 1.8)."""


class Actions:
    """Carries out `qualify` and `delete`."""

    def __init__(
        self, client: DataverseClient, reading: Reading, relations: Relations, telling: Telling, waiting: Waiting
    ) -> None:
        self._client, self._reading, self._relations, self._telling = client, reading, relations, telling
        self._waiting = waiting

    async def qualify(self, command: ApplyCommand, priority: Priority) -> list[ApplyResult]:
        """It writes none of our fields: a lead that is qualified already has been qualified."""
        record, waits = record_of(command), self._client.caller.waits()
        refused: Refused | None = None
        while True:
            shown = await self._reading.record(record, priority)
            self._client.caller.well(QUALIFY_ENDPOINT)
            if shown is None:
                return [answers.gone_deleted(command)]
            if shown.standing != "open":
                contact = await self._contact(record, priority) if shown.standing == "qualified" else None
                if contact is None:
                    return [closed(command, shown, None)]
                await self._tell([record, contact], priority)
                return [answers.superseded(command, contact)]
            if refused is not None:
                return [answers.refused_by(command, refused)]
            try:
                target = f"leads({record.id})/Microsoft.Dynamics.CRM.QualifyLead"
                made = _contact_in(await self._client.post(target, QUALIFYING, priority=priority))
            except Refused as error:
                if error.status == FORBIDDEN:
                    if self._waiting.take(command, error):
                        return []
                    await self._client.caller.wait(QUALIFY_ENDPOINT, error, waits)
                else:
                    refused = error  # perhaps somebody was quicker: the lead's state says how
                continue
            except OutcomeUnknown as error:
                await self._client.caller.wait(QUALIFY_ENDPOINT, error, waits)
                continue
            contact = made or await self._contact(record, priority)
            if contact is not None:
                await self._tell([record, contact], priority)
                return [answers.created(command, contact)]
            unseen = OutcomeUnknown("the lead is qualified and no contact is to be seen")
            await self._client.caller.wait(QUALIFY_ENDPOINT, unseen, waits)

    async def delete(self, command: ApplyCommand, priority: Priority) -> list[ApplyResult]:
        """Only under the delete policy. It lands by its tombstone, which is told at once."""
        record, waits = record_of(command), self._client.caller.waits()
        columns = await self._reading.columns(command)
        endpoint = f"DELETE {columns.entity_set}(id)"
        refused: Refused | None = None
        while True:
            shown = await self._reading.record(record, priority)
            self._client.caller.well(endpoint)
            if shown is None:
                return [answers.gone_deleted(command)]
            if shown.standing != "open":
                contact = await self._contact(record, priority) if shown.standing == "qualified" else None
                return [closed(command, shown, contact)]
            if refused is not None:
                return [answers.refused_by(command, refused)]
            try:
                await self._client.delete(columns.entity_set, record.id, priority=priority)
            except Refused as error:
                if error.status == FORBIDDEN:
                    if self._waiting.take(command, error):
                        return []
                    await self._client.caller.wait(endpoint, error, waits)
                else:
                    refused = error  # a 404 may be about something else: only reading says whether the record is gone
                continue
            except OutcomeUnknown as error:
                await self._client.caller.wait(endpoint, error, waits)
                continue
            await self._telling.tell([shown], [record], priority=priority)
            return []

    async def _contact(self, lead: Record, priority: Priority) -> Record | None:
        return await self._relations.contact_of(lead.id, priority)

    async def _tell(self, records: Sequence[Record], priority: Priority) -> None:
        """That the lead became the contact, then the contact's row, both in the lead's stream."""
        shown = await self._reading.records(records, priority)
        await self._telling.tell([each for each in shown if each is not None], priority=priority)


def _contact_in(answer: WebRow) -> Record | None:
    """What QualifyLead made: a list of references."""
    for made in answer.get("value", []):
        if isinstance(made, dict) and isinstance(made.get("contactid"), str):
            return Record(DYNAMICS, "contact", made["contactid"].lower())
    return None
