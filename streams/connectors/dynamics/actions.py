"""Qualifying a lead, and deleting a record: one call each, and reading again whenever nobody knows what it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics import answers
from streams.connectors.dynamics.client import DataverseClient, WebRow
from streams.connectors.dynamics.decisions import closed
from streams.connectors.dynamics.lookups import Unread
from streams.connectors.dynamics.reading import Reading, record_of
from streams.connectors.dynamics.relations import Relations
from streams.connectors.dynamics.rows import Shown
from streams.connectors.dynamics.telling import Telling
from streams.connectors.dynamics.verdict import may_pass
from streams.connectors.dynamics.waiting import Waiting
from streams.connectors.dynamics.writing import IN_VAIN_MAX
from streams.connectors.pacing import Priority
from streams.connectors.rest import CallFailed, OutcomeUnknown, Refused
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

Attempt = Callable[[Refused | None], Awaitable[list[ApplyResult]]]
"""Reads, judges and calls, once; told what the last one was refused with."""
Ended = Callable[[Shown, Record | None], Awaitable[list[ApplyResult]]]
"""What is answered of a record that is open no more, and the contact that it became."""
Act = Callable[[Shown], Awaitable[list[ApplyResult]]]
"""The call on an open record, and what is answered of it."""


class Actions:
    """Carries out `qualify` and `delete`."""

    def __init__(
        self, client: DataverseClient, reading: Reading, relations: Relations, telling: Telling, waiting: Waiting
    ) -> None:
        self._client, self._reading, self._relations, self._telling = client, reading, relations, telling
        self._waiting = waiting

    async def qualify(self, command: ApplyCommand, priority: Priority) -> list[ApplyResult]:
        """It writes none of our fields: a lead that is qualified already has been qualified."""
        record = record_of(command)

        async def ended(shown: Shown, contact: Record | None) -> list[ApplyResult]:
            if contact is None:
                return [closed(command, shown, None)]
            await self._tell([record, contact], priority)
            return [answers.superseded(command, contact)]

        async def act(_shown: Shown) -> list[ApplyResult]:
            target = f"leads({record.id})/Microsoft.Dynamics.CRM.QualifyLead"
            made = _contact_in(await self._client.post(target, QUALIFYING, priority=priority))
            contact = made or await self._contact(record, priority)
            if contact is None:
                raise OutcomeUnknown("the lead is qualified and no contact is to be seen")
            await self._tell([record, contact], priority)
            return [answers.created(command, contact)]

        return await self._see_through(command, QUALIFY_ENDPOINT, partial(self._attempt, command, priority, ended, act))

    async def delete(self, command: ApplyCommand, priority: Priority) -> list[ApplyResult]:
        """Only under the delete policy. It lands by its tombstone, which is told at once."""
        record, entity_set = record_of(command), (await self._reading.columns(command)).entity_set

        async def ended(shown: Shown, contact: Record | None) -> list[ApplyResult]:
            return [closed(command, shown, contact)]

        async def act(shown: Shown) -> list[ApplyResult]:
            await self._client.delete(entity_set, record.id, priority=priority)
            await self._telling.tell([shown], [record], priority=priority)
            return []

        attempt = partial(self._attempt, command, priority, ended, act)
        return await self._see_through(command, f"DELETE {entity_set}(id)", attempt)

    async def _see_through(self, command: ApplyCommand, endpoint: str, attempt: Attempt) -> list[ApplyResult]:
        """Try until it is known what became of it. What is forbidden waits at once, what nobody knows the outcome of after a few tries."""
        refused: Refused | None = None
        waits, in_vain = self._client.caller.waits(), IN_VAIN_MAX - 1 if self._waiting.has(command) else 0
        try:
            while True:
                try:
                    return await attempt(refused)
                except Refused as error:
                    if not may_pass(error):
                        if refused is not None:
                            raise
                        refused = error  # perhaps somebody was quicker: the record says how
                        continue
                    trouble: CallFailed = error
                except OutcomeUnknown as error:
                    trouble = error
                in_vain += 1
                is_enough = isinstance(trouble, (Refused, Unread)) or in_vain >= IN_VAIN_MAX
                if is_enough and self._waiting.take(command, trouble):
                    return []
                await self._client.caller.wait(endpoint, trouble, waits)
        finally:
            self._client.caller.well(endpoint)

    async def _attempt(
        self, command: ApplyCommand, priority: Priority, ended: Ended, act: Act, refused: Refused | None
    ) -> list[ApplyResult]:
        shown = await self._reading.of(command, priority)
        if shown is None:
            return [answers.gone_deleted(command)]
        if shown.standing != "open":
            contact = await self._contact(shown.record, priority) if shown.standing == "qualified" else None
            return await ended(shown, contact)
        if refused is not None:  # a 404, too, may have been about something else
            return [answers.refused_by(command, refused)]
        return await act(shown)

    async def _contact(self, lead: Record, priority: Priority) -> Record | None:
        return await self._relations.contact_of(lead.id, priority)

    async def _tell(self, records: Sequence[Record], priority: Priority) -> None:
        """That the lead became the contact, then the contact's row, both in the lead's stream."""
        await self._telling.tell(await self._reading.readable(records, priority), priority=priority)


def _contact_in(answer: WebRow) -> Record | None:
    """What QualifyLead made: a list of references."""
    for made in answer.get("value", []):
        if isinstance(made, dict) and isinstance(made.get("contactid"), str):
            return Record(DYNAMICS, "contact", made["contactid"].lower())
    return None
