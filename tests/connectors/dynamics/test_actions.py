"""Qualifying a lead and deleting a record."""

from __future__ import annotations

import time
from typing import Any

import pytest

from streams.connectors.dynamics.verdict import refusal_of
from streams.connectors.rest import Answer, Refused
from tests.connectors.dynamics.scene import SAM, create, delete, qualify, scene


async def test_a_qualified_lead_becomes_a_contact_in_its_stream() -> None:
    """Scenario 31: with no account; the answer names the contact, whose row stands in the lead's stream."""
    async with scene() as made:
        await made.start()
        lead = create().record
        await made.apply(create())
        [answer] = await made.apply(qualify(lead))
        assert (answer.answer, answer.record.type) == ("created", "contact")
        contact = made.held(answer.record.id)
        assert contact.values.get("parentcustomerid") is None and contact.values["jobtitle"] == "CTO"
        assert [(stream, change.kind) for stream, change in made.journal.changes[-2:]] == [
            (lead.id, "converted"),
            (lead.id, "created"),
        ]
        assert made.journal.known.get(contact.id).stream == lead.id and await made.read() == []


@pytest.mark.parametrize("fault", ["dropped_after", "server_5xx_after", "dropped_before"])
async def test_a_lead_is_qualified_once(fault: str) -> None:
    """Whatever becomes of the answer, and however often it is asked for; both times with the same contact."""
    async with scene() as made:
        await made.start()
        leads = [made.lead() for _ in range(10)]
        made.faults.plan.shares[fault] = 0.5  # type: ignore[index]
        commands = [qualify(held.record, person=f"p-{n}") for n, held in enumerate(leads)]
        first = {answer.person_key: answer for answer in await made.see_through(*commands)}
        made.faults.plan.shares[fault] = 0.0  # type: ignore[index]
        again = {answer.person_key: answer for answer in await made.apply(*commands, maybe_done=True)}
        assert {answer.answer for answer in first.values()} <= {"created", "superseded"}
        assert {answer.answer for answer in again.values()} == {"superseded"}
        assert all(first[person].record == again[person].record for person in first)
        assert len(made.instance.records) == 20 and made.clients[0].trouble is None


async def test_what_cannot_be_qualified_says_why() -> None:
    """Deleted; merged; disqualified."""
    async with scene() as made:
        await made.start()
        deleted, loser, disqualified = (made.lead() for _ in range(3))
        made.delete(deleted)
        made.instance.merge(loser.id, made.lead().id, SAM, time.time())
        made.edit(disqualified, statecode=2)
        answers = await made.apply(
            *[qualify(h.record, person=f"p-{n}") for n, h in enumerate((deleted, loser, disqualified))]
        )
        assert [(answer.answer, answer.gone, answer.code) for answer in answers] == [
            ("gone", "deleted", None),
            ("gone", "closed", None),
            ("refused", "deleted", "0x8004022e"),
        ]


@pytest.mark.parametrize("status", [412, 500])
async def test_a_duplicate_rule_that_stands_against_the_contact_is_a_refusal_with_whatever_status_it_comes(
    status: int,
) -> None:
    """Nothing will change it but somebody who hears of it: it is no matter of waiting."""
    async with scene() as made:
        held = made.lead()
        await made.start()
        body = b'{"error":{"code":"0x80040333","message":"A duplicate of this contact exists."}}'

        async def duplicate_rule(*_arguments: Any, **_members: Any) -> None:
            raise refusal_of(Answer(status, body))

        made.clients[0].post = duplicate_rule  # type: ignore[method-assign]
        answers = await made.apply(qualify(held.record))
        assert [(answer.answer, answer.code) for answer in answers] == [("refused", "0x80040333")]
        assert not made.applier.waiting


@pytest.mark.parametrize("fault", [None, "dropped_after", "server_5xx_after"])
async def test_a_deleted_record_is_told_at_once(fault: str | None) -> None:
    """Under the delete policy: it lands by its tombstone, once; where the answer is lost, the record is gone."""
    async with scene() as made:
        held = made.lead()
        await made.start()
        await made.read()
        if fault is not None:
            made.faults.plan.shares[fault] = 0.7  # type: ignore[index]
        answers = await made.see_through(delete(held.record))
        assert [answer.answer for answer in answers] in ([], ["gone"]) and held.id not in made.instance.records
        made.faults.plan.shares.clear()  # type: ignore[attr-defined]
        await made.read()
        assert [change.kind for _, change in made.journal.changes] == ["created", "deleted"]
        [again] = await made.apply(delete(held.record))
        assert (again.answer, again.gone) == ("gone", "deleted")


async def test_a_404_says_that_a_record_is_deleted_only_where_it_is() -> None:
    """A plug-in points to something that was deleted: the record is read again, lives on, and its edits are told."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        await made.read()

        async def plug_in(*_arguments: Any, **_members: Any) -> None:
            raise Refused("0x80040217", "account With Id = 0a8b5d0e Does Not Exist", 404)

        made.clients[0].delete = plug_in  # type: ignore[method-assign]
        [answer] = await made.apply(delete(held.record))
        assert (answer.answer, answer.code) == ("refused", "0x80040217")
        made.edit(held, jobtitle="CEO")
        assert [change.kind for change in await made.read()] == ["updated"]
