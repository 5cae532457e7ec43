"""Creates: one record for each key, and `linked` in its stream before anything else can be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics import applier
from streams.connectors.dynamics.batch import Part
from streams.connectors.rest import Answer, OutcomeUnknown
from streams.policy.files import default_policy
from tests.connectors.dynamics.scene import ADA, SAM, Scene, create, new_person, scene, with_dedupe
from tests.connectors.journal import FakeJournal


def kinds(made: Scene, record_id: str) -> list[str]:
    """What stands in a stream."""
    return [change.kind for stream, change in made.journal.changes if stream == record_id]


async def test_linked_stands_before_the_record_and_its_row_right_after() -> None:
    """With the person, the number and the revision; the record holds them too."""
    async with scene() as made:
        await made.start()
        command = create(revision=4, creation=2)
        [answer] = await made.apply(command)
        held = made.held(command.record.id)
        assert (answer.answer, answer.record) == ("created", command.record)
        assert (held.key, held.revision, held.values["jobtitle"]) == ("p-1#2", 4, "CTO")
        [linked, created] = [change for _, change in made.journal.changes]
        assert (linked.kind, linked.change_id, linked.person_key, linked.creation, linked.revision, linked.who) == (
            "linked",
            f"linked/{command.command_id}",
            "p-1",
            2,
            4,
            "leadsync",
        )
        assert (created.kind, created.revision, created.person_key) == ("created", 4, "p-1")
        assert await made.read() == []


@pytest.mark.parametrize("fault", ["dropped_before", "dropped_after", "server_5xx_after"])
async def test_a_create_whose_outcome_is_unknown_makes_one_record(fault: str) -> None:
    """Scenario 30: it finds the record, or makes it; never two."""
    async with scene() as made:
        await made.start()
        made.faults.plan.shares[fault] = 0.5  # type: ignore[index]
        commands = [create(new_person()) for _ in range(20)]
        answers = await made.see_through(*commands)
        assert {answer.answer for answer in answers} <= {"created", "superseded"} and len(answers) == 20
        assert {*made.instance.records} == {command.record.id for command in commands}
        made.faults.plan.shares[fault] = 0.0  # type: ignore[index]
        await made.read()
        assert all(kinds(made, command.record.id) == ["linked", "created"] for command in commands)


@pytest.mark.parametrize("status", [412, 500])
async def test_a_create_that_comes_through_after_it_was_looked_for_is_not_refused(status: int) -> None:
    """The first try was lost and not yet there; then it was, and the second is told that its key is taken: its own record has it."""
    async with scene() as made:
        await made.start()
        client, command = made.clients[0], create()
        batch, lost = client.batch, list[Sequence[Part]]()

        async def late(parts: Sequence[Part], **members: Any) -> list[Answer]:
            if not any(part.writes for part in parts):
                return await batch(parts, **members)
            lost.append(parts)
            if len(lost) == 1:
                raise OutcomeUnknown("timed out")
            await batch(lost[0], **members)
            return [replace(answer, status=status) for answer in await batch(parts, **members)]

        client.batch = late  # type: ignore[method-assign]
        [answer] = await made.apply(command)
        assert (answer.answer, answer.record, len(lost)) == ("superseded", command.record, 2)
        assert kinds(made, command.record.id) == ["linked", "created"]


async def test_a_key_that_another_record_has_is_a_refusal() -> None:
    """The record is looked for once; where it is not there, and the key is still taken, somebody else has it."""
    async with scene(alternate_keys={"lead": (("emailaddress1",),)}) as made:
        made.lead(emailaddress1="p-1@example.com")
        await made.start()
        [answer] = await made.apply(create())
        assert (answer.answer, answer.code) == ("refused", "0x80060892") and len(made.instance.records) == 1
        assert made.instance.calls["batch PATCH leads(id)"] == 2


async def test_a_create_that_was_done_before_a_crash_is_not_done_again() -> None:
    """Scenario 64: the answer is written anew; what the record has become since stays."""
    async with scene() as made:
        await made.start()
        command = create()
        await made.apply(command)
        made.edit(made.held(command.record.id), jobtitle="CFO")
        await made.restart()
        [answer] = await made.apply(command, maybe_done=True)
        assert answer.answer == "superseded" and made.held(command.record.id).values["jobtitle"] == "CFO"
        assert len(made.instance.records) == 1


async def test_a_create_that_died_before_its_write_is_done_now() -> None:
    """`linked` stands there already; it is the same one again."""
    async with scene() as made:
        await made.start()
        command = create()
        await made.telling.announce([command], [_linked(command)])
        await made.restart()
        [answer] = await made.apply(command, maybe_done=True)
        assert answer.answer == "created" and kinds(made, command.record.id) == ["linked", "created"]


def _linked(command: Any) -> Any:
    from streams.connectors.dynamics.creates import _Attempt, _link

    return _link(_Attempt(command, False))


async def test_a_record_that_was_created_and_deleted_is_not_created_again() -> None:
    """The deletions are read before a create is repeated, even where nobody ever saw the record."""
    async with scene() as made:
        await made.start()
        await made.read()
        command = create()
        made.faults.plan.shares["dropped_after"] = 1.0  # type: ignore[index]
        applying = asyncio.create_task(made.apply(command))
        async with asyncio.timeout(10):
            while command.record.id not in made.instance.records:
                await asyncio.sleep(0.001)
        made.delete(made.held(command.record.id))
        made.faults.plan.shares.clear()  # type: ignore[attr-defined]
        [answer] = await applying
        assert (answer.answer, answer.gone) == ("gone", "deleted")
        assert command.record.id not in made.instance.records
        deleted = made.journal.changes[-1].change
        assert (deleted.kind, deleted.person_key, deleted.creation) == ("deleted", "p-1", 1)
        [again] = await made.apply(create(revision=2), maybe_done=True)
        assert again.answer == "gone"


async def test_a_create_under_the_same_number_with_a_later_revision_is_a_conflict() -> None:
    """An earlier one was given up for lost: the row says what the record holds."""
    async with scene() as made:
        await made.start()
        await made.apply(create(revision=1))
        [answer] = await made.apply(create(revision=3))
        assert (answer.answer, answer.row.revision, answer.row.fields["jobtitle"]) == ("conflict", 1, "CTO")


async def test_a_record_that_nobody_knew_of_is_not_written_over() -> None:
    """Even where nothing said that it might be there: Dynamics refuses a second one under the same id."""
    async with scene() as made:
        await made.start()
        await made.apply(create(revision=1))
        made.journal = FakeJournal("dynamics")
        await made.start()
        [answer] = await made.apply(create(revision=2, fields={"lastname": "Byron"}))
        held = made.held(create().record.id)
        assert (answer.answer, held.revision, held.values["lastname"]) == ("conflict", 1, "Lovelace")


async def test_a_created_record_that_was_qualified_or_merged_meanwhile_is_gone() -> None:
    """Closed: the feed says what became of it."""
    async with scene() as made:
        await made.start()
        qualified, merged = create("p-1"), create("p-2")
        await made.apply(qualified, merged)
        made.instance.qualify(qualified.record.id, SAM, time.time())
        made.instance.merge(merged.record.id, made.lead().id, SAM, time.time())
        answers = await made.apply(qualified, merged, maybe_done=True)
        assert [(answer.answer, answer.gone) for answer in answers] == [("gone", "closed")] * 2
        assert kinds(made, qualified.record.id)[-1] == "converted" and kinds(made, merged.record.id)[-1] == "merged"


@pytest.mark.parametrize("owner", [ADA, ADA.upper(), "id"])
async def test_a_chosen_owner_is_assigned(owner: str) -> None:
    """By e-mail or sign-in name, or by id (scenario 32)."""
    async with scene() as made:
        await made.start()
        owner = made.instance.users.id_of(ADA) if owner == "id" else owner
        command = create(owner=owner)
        [answer] = await made.apply(command)
        assert answer.answer == "created" and made.held(command.record.id).values["ownerid"] == ADA


@pytest.mark.parametrize(
    "owner", ["nobody@sales.example", "00000000-0000-0000-0000-00000000abcd", "' or 1 eq 1 or '", "ada\r\n"]
)
async def test_an_unknown_owner_fails_the_action_and_nothing_is_said_or_made(owner: str) -> None:
    """Scenario 32: for good."""
    async with scene() as made:
        await made.start()
        [answer] = await made.apply(create(owner=owner))
        assert (answer.answer, answer.code, answer.field) == ("refused", "owner_unknown", "ownerid")
        assert not made.instance.records and not made.journal.changes


async def test_an_owner_is_looked_up_once() -> None:
    """Whom we found is remembered; whom we did not find may be there next time."""
    async with scene() as made:
        await made.start()
        await made.apply(create("p-1", owner=ADA))
        await made.apply(create("p-2", owner=ADA))
        await made.apply(create("p-3", owner="new@sales.example"))
        assert made.instance.calls["batch GET systemusers"] == 2
        made.instance.users.add("new@sales.example")
        [answer] = await made.apply(create("p-3", owner="new@sales.example"))
        assert answer.answer == "created"


async def test_a_refused_create_says_why_and_leaves_nothing() -> None:
    """The others of its batch are made."""
    async with scene() as made:
        await made.start()
        good, bad = create("p-1"), create("p-2", fields={"lastname": "Byron", "jobtitle": "x" * 101})
        answers = {answer.person_key: answer for answer in await made.apply(good, bad)}
        assert answers["p-1"].answer == "created"
        assert (answers["p-2"].answer, answers["p-2"].code, answers["p-2"].field) == (
            "refused",
            "0x80044331",
            "jobtitle",
        )
        assert {*made.instance.records} == {good.record.id}


async def test_a_twin_is_linked_where_the_policy_asks_for_it() -> None:
    """Scenario 35: with its row, and whom it stands for: by its key, by its lead's, else by its stream. A contact rather than a lead."""
    policy = with_dedupe(default_policy())
    async with scene(policy=policy) as made:
        lead = made.lead(emailaddress1="P-1@example.com")
        taken = made.lead(emailaddress1="p-2@example.com")
        closed = made.lead(emailaddress1="p-3@example.com", statecode=2)
        made.instance.edit_ours(taken, SAM, {"key": "somebody-else#1"}, False, time.time())
        await made.start()
        commands = [create(f"p-{n}", dedupe="email") for n in (1, 2, 3)]
        answers = {answer.person_key: answer for answer in await made.apply(*commands)}
        assert (answers["p-1"].answer, answers["p-1"].record) == ("linked", lead.record)
        assert answers["p-1"].row.fields["emailaddress1"] == "P-1@example.com"
        assert answers["p-1"].twin_person_key == person_key_of("dynamics", lead.id)
        assert (answers["p-2"].answer, answers["p-2"].twin_person_key) == ("linked", "somebody-else")
        assert answers["p-3"].answer == "created" and closed.key is None
        contact = made.contact(emailaddress1="p-1@example.com")
        [answer] = await made.apply(replace_command(commands[0]))
        assert answer.record == contact.record


def replace_command(command: Any) -> Any:
    return msgspec.structs.replace(command, command_id="another", revision=2)


@pytest.mark.parametrize("together", ["in one batch", "in two batches", "in two lanes"])
async def test_two_with_one_address_who_come_together_are_one_record(together: str, monkeypatch: Any) -> None:
    """The second is searched for when the first is made; those with other addresses do not wait for it, nor the other way round."""
    if together == "in two batches":
        monkeypatch.setattr(applier, "PARTS_MAX", 1)
    async with scene(policy=with_dedupe(default_policy())) as made:
        await made.start()
        emails = {"p-1": "ada@example.com", "p-2": "Ada@Example.com", "p-3": "charles@example.com"}
        commands = [
            create(person, fields={"lastname": "Lovelace", "emailaddress1": email}, dedupe="email")
            for person, email in emails.items()
        ]
        waves = [[each] for each in commands] if together == "in two lanes" else [commands]
        applied = await asyncio.gather(*[made.apply(*wave) for wave in waves])
        answers = {answer.person_key: answer for each in applied for answer in each}
        assert sorted(answer.answer for answer in answers.values()) == ["created", "created", "linked"]
        [twin] = [answer for answer in answers.values() if answer.answer == "linked"]
        assert {twin.person_key, twin.twin_person_key} == {"p-1", "p-2"} and len(made.instance.records) == 2


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_twin_that_was_a_lead_of_ours_stands_for_the_leads_person(is_known: bool) -> None:
    """A contact gets no key from its lead; a connector that never saw the lead reads it."""
    async with scene(policy=with_dedupe(default_policy())) as made:
        await made.start()
        [lead] = [answer.record for answer in await made.apply(create("p-9"))]
        contact = made.instance.qualify(lead.id, SAM, time.time())
        if not is_known:
            made.journal = FakeJournal(DYNAMICS)
            await made.start()
        [linked] = await made.apply(create("p-1", fields={"emailaddress1": "p-9@example.com"}, dedupe="email"))
        assert (linked.record, linked.twin_person_key) == (contact.record, "p-9")


async def test_without_that_policy_a_duplicate_is_made() -> None:
    """As Marketo's own sync does."""
    async with scene() as made:
        made.lead(emailaddress1="p-1@example.com")
        await made.start()
        [answer] = await made.apply(create())
        assert answer.answer == "created" and len(made.instance.records) == 2


async def test_the_first_reading_of_the_feed_knows_what_was_created_before_it() -> None:
    """A connector that begins now learns of its own records too, and tells no row twice."""
    async with scene() as made:
        made.options = replace(made.options, start_from="now")
        await made.start()
        await made.apply(create())
        assert await made.read() == []
        assert await made.read() == [] and made.instance.is_caught_up()
