"""What a row only points to: the contact that a qualified lead became, the winner of a merge and for whom it stands.

Where that can't be read now, the row says only half of what happened: whoever asked is told so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.client import READING, DataverseClient, Wanted, WebRow, filtering, selecting
from streams.connectors.dynamics.columns import ORIGIN
from streams.connectors.dynamics.lookups import read_each, read_one
from streams.connectors.dynamics.organisation import Organisation
from streams.connectors.dynamics.rows import Shown, person_key_for, read_row, stream_of
from streams.connectors.dynamics.verdict import is_forbidden, may_pass
from streams.connectors.journal import Journal
from streams.connectors.pacing import Priority
from streams.connectors.rest import CallFailed, Refused
from streams.sync.messages import Record

log = logging.getLogger(__name__)

CONTACT_COLUMNS = ("contactid", "createdon", ORIGIN)


@dataclass(frozen=True)
class Related:
    """What was found for the rows of one reading, by the id of the record that points there; `unread`: why nothing can be known now."""

    contacts: Mapping[str, Record] = field(default_factory=dict)
    winners: Mapping[str, tuple[Record, str]] = field(default_factory=dict)
    unread: Mapping[str, CallFailed] = field(default_factory=dict)


class Relations:
    """Looks things up where they are known, else in Dynamics."""

    def __init__(self, client: DataverseClient, organisation: Organisation, journal: Journal) -> None:
        self._client, self._organisation, self._journal = client, organisation, journal
        self._contact_of: dict[str, Record] | None = None

    def note(self, record: Record, stream: str) -> None:
        """A contact was told in its lead's stream."""
        if record.type == "contact" and stream != record.id:
            self._contacts()[stream] = record

    async def of(self, rows: Iterable[Shown], priority: Priority) -> Related:
        """What these rows point to."""
        rows = list(rows)
        qualified = [row.record.id for row in rows if row.standing == "qualified"]
        fresh = {row.origin: row.record for row in rows if row.origin is not None}
        contacts = {lead: found for lead in qualified if (found := self._contacts().get(lead) or fresh.get(lead))}
        asked, unread = await self._ask_for_contacts([lead for lead in qualified if lead not in contacts], priority)
        winners: dict[str, tuple[Record, str]] = {}
        for row in rows:
            if row.standing == "merged":
                try:
                    winners[row.record.id] = await self._winner(row, priority)
                except CallFailed as error:
                    if not may_pass(error):
                        raise
                    unread[row.record.id] = error
        return Related(contacts | asked, winners, unread)

    async def contact_of(self, lead_id: str, priority: Priority) -> Record | None:
        """The contact that a lead became; None where there is none. Raises Refused and Unread where that can't be read now."""
        if known := self._contacts().get(lead_id):
            return known
        return _first_contact(await read_one(self._client, _contacts_query(lead_id), priority=priority))

    async def person_of(self, shown: Shown, priority: Priority) -> str:
        """For whom a record stands: its key says so, or that of the lead that it was; else that follows from its stream.

        Raises Refused and Unread where that lead can't be read now.
        """
        if shown.person_key is not None:
            return shown.person_key
        known = self._journal.known.get(shown.record.id)
        if known is not None and known.key is not None:
            return known.person_key
        stream = stream_of(shown, known)
        if stream == shown.record.id:
            return person_key_of(DYNAMICS, stream)
        return await self._person_of(Record(DYNAMICS, "lead", stream), priority)

    def _contacts(self) -> dict[str, Record]:
        if self._contact_of is None:
            known = self._journal.known
            self._contact_of = {
                each.stream: each.record
                for each in known
                if each.record.type == "contact" and each.stream != each.record.id
            }
        return self._contact_of

    async def _ask_for_contacts(
        self, leads: list[str], priority: Priority
    ) -> tuple[dict[str, Record], dict[str, CallFailed]]:
        found: dict[str, Record] = {}
        unread: dict[str, CallFailed] = {}
        answers = await read_each(self._client, [_contacts_query(lead) for lead in leads], priority=priority)
        for lead, answer in zip(leads, answers, strict=True):
            if isinstance(answer, CallFailed):
                unread[lead] = answer
            elif record := _first_contact(answer):
                found[lead] = record
        return found, unread

    async def _winner(self, row: Shown, priority: Priority) -> tuple[Record, str]:
        assert row.master_id is not None
        winner = Record(DYNAMICS, row.record.type, row.master_id)
        try:
            return winner, await self._person_of(winner, priority)
        except Refused as error:
            if not is_forbidden(error):
                raise
        # it never was in our feed, nor is it now: whoever it is, it is nobody of ours
        log.warning("%s %s was merged into %s, which leadsync may not read", winner.type, row.record.id, winner.id)
        return winner, person_key_for(winner.id, None, None)

    async def _person_of(self, record: Record, priority: Priority) -> str:
        known = self._journal.known.get(record.id)
        if known is not None:
            return known.person_key
        columns = (await self._organisation.columns())[record.type]  # type: ignore[index]
        part = Wanted(columns.entity_set, record.id, columns.select).part
        read = await read_one(self._client, part, priority=priority)
        shown = None if read is None else read_row(read, columns, self._organisation.ourselves)
        return person_key_for(record.id, shown, None)


def _contacts_query(lead_id: str) -> Part:
    condition = filtering(f"{ORIGIN} eq {lead_id}")
    return Part("GET", f"contacts?{selecting(CONTACT_COLUMNS)}&{condition}", READING)


def _first_contact(answer: WebRow | None) -> Record | None:
    """The oldest: who qualifies a lead makes one, and what points to it later was put there by hand."""
    rows: list[Mapping[str, Any]] = (answer or {}).get("value", [])
    if not rows:
        return None
    oldest = min(rows, key=lambda row: (str(row.get("createdon")), str(row["contactid"])))
    return Record(DYNAMICS, "contact", str(oldest["contactid"]).lower())
