"""What Dynamics forbids for one record, or breaks over, waits; nothing else waits with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.connectors.dynamics import waiting
from streams.connectors.dynamics.batch import Part
from streams.connectors.dynamics.writing import IN_VAIN_MAX
from streams.connectors.journal import Entry, TakenOver
from streams.connectors.lanes import Given
from streams.connectors.pacing import Priority
from streams.connectors.progress import Place
from streams.connectors.rest import Answer, CallFailed, OutcomeUnknown
from streams.policy import default_policy
from tests.connectors.dynamics.scene import ADA, Scene, create, delete, qualify, scene, update, with_dedupe

BROKEN = Answer(500, b'{"error":{"code":"0x80040216","message":"An unexpected error occurred."}}')
FORBIDDEN = Answer(403, b'{"error":{"code":"0x80040220","message":"SecLib::AccessCheckEx failed."}}')
PLACE = TopicPartition("dynamics.commands", 0)


def forbid(made: Scene, word: str) -> frozenset[str]:
    """Take away the privileges whose names hold this word; gives those that there were."""
    before: frozenset[str] = made.instance.privileges
    made.instance.privileges = frozenset(name for name in before if word not in name)
    assert made.instance.privileges != before
    return before


@asynccontextmanager
async def trying_again(made: Scene) -> AsyncIterator[None]:
    """While the connector's own loop does so."""
    task = asyncio.create_task(made.applier.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_what_is_forbidden_waits_and_the_others_go_on() -> None:
    """A privilege that lacks for contacts holds up no lead; 403 is never a refusal of the record."""
    async with scene() as made:
        contact, leads = made.contact(jobtitle="CIO"), [made.lead(jobtitle="CIO") for _ in range(3)]
        await made.start()
        privileges = forbid(made, "WriteContact")
        commands = [update(h, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate([contact, *leads])]
        assert await made.apply(*commands) == [] and len(made.applier.waiting) == 1
        assert [each.values["jobtitle"] for each in (contact, *leads)] == ["CIO", "CTO", "CTO", "CTO"]
        async with trying_again(made):
            assert await made.apply(update(leads[0], 2, person="p-1", jobtitle=("CTO", "CEO"))) == []
            assert leads[0].values["jobtitle"] == "CEO" and contact.values["jobtitle"] == "CIO"
            made.instance.privileges = privileges
            await until(lambda: not made.applier.waiting)
        assert (contact.values["jobtitle"], contact.revision) == ("CTO", 1)
        assert made.journal.changes[-1].change.record == contact.record


async def test_a_record_over_which_dynamics_breaks_every_time_waits_too() -> None:
    """A plug-in of that organisation, perhaps: 5xx for one operation of a batch, and nobody knows whether it was done."""
    async with scene() as made:
        bad, good = made.lead(jobtitle="CIO"), made.lead(jobtitle="CIO")
        await made.start()
        end = made.answer_instead(bad.id, BROKEN, writes=True)
        commands = [update(h, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate((bad, good))]
        assert await made.apply(*commands) == [] and len(made.applier.waiting) == 1
        assert (bad.values["jobtitle"], good.values["jobtitle"]) == ("CIO", "CTO")
        end()
        await made.applier.try_again()
        assert bad.values["jobtitle"] == "CTO" and not made.applier.waiting


async def test_a_write_that_outlasts_our_patience_every_time_waits_and_the_others_of_its_batch_are_done() -> None:
    """It takes the answers of the others away, until each goes alone."""
    async with scene() as made:
        bad, *good = (made.lead(jobtitle="CIO") for _ in range(4))
        await made.start()
        end = made.answer_instead(bad.id, OutcomeUnknown("timed out"), writes=True)
        commands = [update(h, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate((bad, *good))]
        answers = await made.apply(*commands, create("p-9"))
        assert {answer.answer for answer in answers} == {"superseded", "created"} and len(answers) == 4
        assert len(made.applier.waiting) == 1 and bad.values["jobtitle"] == "CIO"
        await made.applier.try_again()
        assert len(made.applier.waiting) == 1 and made.clients[0].trouble is None
        end()
        await made.applier.try_again()
        assert bad.values["jobtitle"] == "CTO" and not made.applier.waiting


async def test_a_create_that_outlasts_our_patience_every_time_waits_and_is_found_when_it_was_done() -> None:
    """The others of its batch are made."""
    async with scene() as made:
        await made.start()
        bad, good = create("p-1"), create("p-2")
        end = made.answer_instead(bad.record.id, OutcomeUnknown("timed out"), writes=True)
        assert [answer.person_key for answer in await made.apply(bad, good)] == ["p-2"]
        assert len(made.applier.waiting) == 1 and {*made.instance.records} == {good.record.id}
        end()
        await made.applier.try_again()
        assert made.journal.results[-1].answer == "created" and not made.applier.waiting


@pytest.mark.parametrize("operation", ["qualify", "delete"])
async def test_an_action_over_which_dynamics_breaks_every_time_waits(operation: str) -> None:
    """Nobody knows what it did, so it is read and tried a few times; then the others go on."""
    async with scene() as made:
        bad, good = made.lead(), made.lead(jobtitle="CIO")
        await made.start()
        client, tries = made.clients[0], 0
        before = client.post, client.delete

        async def breaks(*_arguments: Any, **_members: Any) -> Any:
            nonlocal tries
            tries += 1
            raise OutcomeUnknown("HTTP 500")

        client.post, client.delete = breaks, breaks
        command = {"qualify": qualify(bad.record), "delete": delete(bad.record)}[operation]
        assert await made.apply(command, update(good, person="p-2", jobtitle=("CIO", "CTO"))) == []
        assert good.values["jobtitle"] == "CTO" and len(made.applier.waiting) == 1 and tries == IN_VAIN_MAX
        await made.applier.try_again()
        assert len(made.applier.waiting) == 1 and tries == IN_VAIN_MAX + 1 and client.trouble is None
        client.post, client.delete = before
        await made.applier.try_again()
        assert not made.applier.waiting and (bad.id not in made.instance.records or bad.state == "qualified")


async def test_in_an_outage_nobody_waits_apart() -> None:
    """Nothing can be read either: that is no matter of single records, and the lane goes on where it was."""
    async with scene() as made:
        leads = [made.lead(jobtitle="CIO") for _ in range(5)]
        await made.start()
        batch = made.clients[0].batch

        async def is_lost_from_the_first_write_on(parts: Sequence[Part], **members: Any) -> list[Answer]:
            if any(part.writes for part in parts) and not made.calls.count(("POST $batch", "no_answer")):
                made.faults.plan.shares["dropped_before"] = 1.0  # type: ignore[index]
            return await batch(parts, **members)

        made.clients[0].batch = is_lost_from_the_first_write_on
        commands = [update(h, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate(leads)]
        applying = asyncio.create_task(made.apply(*commands))
        await until(lambda: [outcome for _, outcome in made.calls].count("no_answer") > 20)
        assert not applying.done() and not made.applier.waiting
        made.faults.plan.shares.clear()  # type: ignore[attr-defined]
        assert await applying == [] and {held.values["jobtitle"] for held in leads} == {"CTO"}


@pytest.mark.parametrize("answer", [FORBIDDEN, replace(BROKEN, status=401), BROKEN, OutcomeUnknown("timed out")])
@pytest.mark.parametrize("operation", ["update", "create", "qualify", "delete"])
async def test_a_record_that_cannot_be_read_waits(operation: str, answer: Answer | CallFailed) -> None:
    """It was given to another business unit, perhaps, or its reading times out. The records beside it are read, and written."""
    async with scene() as made:
        bad, good = made.lead(jobtitle="CIO"), made.lead(jobtitle="CIO")
        await made.start()
        command = {
            "update": update(bad, jobtitle=("CIO", "CTO")),
            "create": create(),
            "qualify": qualify(bad.record),
            "delete": delete(bad.record),
        }[operation]
        assert command.record is not None
        end = made.answer_instead(command.record.id, answer, writes=False)
        commands = command, update(good, person="p-2", jobtitle=("CIO", "CTO"))
        assert await made.apply(*commands, maybe_done=True) == []
        assert good.values["jobtitle"] == "CTO" and len(made.applier.waiting) == 1 and len(made.instance.records) == 2
        end()
        await made.applier.try_again()
        assert not made.applier.waiting and made.clients[0].trouble is None
        assert [each.answer for each in made.journal.results] == {"create": ["created"], "qualify": ["created"]}.get(
            operation, []
        )


@pytest.mark.parametrize("answer", [FORBIDDEN, BROKEN, OutcomeUnknown("timed out")])
@pytest.mark.parametrize("operation", ["update", "create", "qualify", "delete"])
async def test_a_command_waits_whose_leads_contact_cannot_be_found_now(
    operation: str, answer: Answer | CallFailed, caplog: pytest.LogCaptureFixture
) -> None:
    """The lead is qualified, and nobody knows into what: the others of its batch are written meanwhile."""
    async with scene() as made:
        await made.start()
        await made.apply(create())
        lead, good = made.held(create().record.id), made.lead(jobtitle="CIO")
        made.instance.qualify(lead.id, "sam", 1.0)
        command = {
            "update": update(lead, 2, jobtitle=("CTO", "CEO")),
            "create": create(revision=2),
            "qualify": qualify(lead.record),
            "delete": delete(lead.record),
        }[operation]
        end = made.answer_instead(f"eq%20{lead.id}", answer, writes=False)
        assert await made.apply(command, update(good, person="p-2", jobtitle=("CIO", "CTO")), maybe_done=True) == []
        assert good.values["jobtitle"] == "CTO" and len(made.applier.waiting) == 1
        assert f"Dynamics, {operation} {lead.id}" in caplog.text
        end()
        await made.applier.try_again()
        assert made.journal.results[-1].answer == ("superseded" if operation == "qualify" else "gone")
        assert not made.applier.waiting and made.clients[0].trouble is None


@pytest.mark.parametrize("answer", [FORBIDDEN, BROKEN, OutcomeUnknown("timed out")])
@pytest.mark.parametrize("looked_up", ["p-1%40example.com", "systemusers", "the twin's lead"])
async def test_a_create_waits_whose_twin_or_owner_cannot_be_looked_up_now(
    looked_up: str, answer: Answer | CallFailed, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is made of it by then; the others of its batch are."""
    async with scene(policy=with_dedupe(default_policy())) as made:
        lead = made.lead(emailaddress1="p-1@example.com")
        if looked_up == "the twin's lead":
            made.instance.qualify(lead.id, "sam", 1.0)
        await made.start()
        members = {"owner": ADA} if looked_up == "systemusers" else {"dedupe": "email"}
        end = made.answer_instead(f"leads({lead.id})" if "lead" in looked_up else looked_up, answer, writes=False)
        [answered] = await made.apply(create("p-1", **members), create("p-2", dedupe="email"))
        assert (answered.person_key, answered.answer) == ("p-2", "created") and len(made.applier.waiting) == 1
        assert "Dynamics, create" in caplog.text and "the others go on" in caplog.text
        end()
        await made.applier.try_again()
        assert made.journal.results[-1].answer == ("created" if "owner" in members else "linked")
        assert not made.applier.waiting and made.clients[0].trouble is None


async def test_what_follows_of_the_same_person_waits_behind_it() -> None:
    """It must not overtake: the second expects what the first writes."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        privileges = forbid(made, "WriteLead")
        await made.apply(update(held, 1, jobtitle=("CIO", "CTO")))
        made.instance.privileges = privileges
        assert await made.apply(update(held, 2, jobtitle=("CTO", "CEO"))) == [] and held.values["jobtitle"] == "CIO"
        await made.applier.try_again()
        assert held.values["jobtitle"] == "CTO" and len(made.applier.waiting) == 1
        await made.applier.try_again()
        assert (held.values["jobtitle"], held.revision) == ("CEO", 2) and not made.applier.waiting


@pytest.mark.parametrize(
    ("operation", "privilege"), [("create", "CreateLead"), ("qualify", "CreateContact"), ("delete", "DeleteLead")]
)
async def test_every_operation_can_wait(operation: str, privilege: str) -> None:
    """It is done once it is allowed."""
    async with scene() as made:
        await made.start()
        held = made.lead()
        privileges = forbid(made, privilege)
        made_of = {"create": create(), "qualify": qualify(held.record), "delete": delete(held.record)}
        assert await made.apply(made_of[operation]) == [] and len(made.applier.waiting) == 1
        await made.applier.try_again()
        assert len(made.applier.waiting) == 1 and len(made.instance.records) == 1
        made.instance.privileges = privileges
        await made.applier.try_again()
        assert not made.applier.waiting
        assert [each.answer for each in made.journal.results] == ([] if operation == "delete" else ["created"])
        assert len(made.instance.records) == (0 if operation == "delete" else 2)


async def test_what_waits_is_not_done_before_it_is() -> None:
    """Nor is what stands behind it; what others are answered meanwhile is done, and is not given again after a restart."""
    async with scene() as made:
        held, other = made.lead(jobtitle="CIO"), made.contact(jobtitle="CIO")
        await made.start()
        privileges = forbid(made, "WriteLead")
        first, second = update(held, jobtitle=("CIO", "CTO")), update(held, 2, jobtitle=("CTO", "CEO"))
        others = update(other, person="p-2", jobtitle=("CIO", "CTO"))
        wave = [Given(first, place=Place(PLACE, 4)), Given(others, place=Place(PLACE, 5))]
        entry = await made.applier.apply(wave, Priority.FIRST)
        assert [place.offset for place in entry.done] == [5]
        behind = await made.applier.apply([Given(second, place=Place(PLACE, 6))], Priority.FIRST)
        assert behind.done == ()
        made.instance.privileges = privileges
        for _ in range(2):
            await made.applier.try_again()
        assert [place.offset for entry in made.journal.entries for place in entry.done] == [4, 6]


async def test_where_everything_is_forbidden_the_lane_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no matter of single records then, and memory has an end; the connector says what it waits for."""
    monkeypatch.setattr(waiting, "WAITING_MAX", 2)
    async with scene() as made:
        leads = [made.lead(jobtitle="CIO") for _ in range(5)]
        await made.start()
        privileges = forbid(made, "WriteLead")
        commands = [update(held, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, held in enumerate(leads)]
        applying = asyncio.create_task(made.apply(*commands))
        await until(lambda: made.clients[0].trouble is not None)
        assert "403" in made.clients[0].trouble and not applying.done() and len(made.applier.waiting) == 2
        made.instance.privileges = privileges
        assert await applying == []
        await made.applier.try_again()
        assert {held.values["jobtitle"] for held in leads} == {"CTO"} and made.clients[0].trouble is None


async def test_what_waits_is_tried_again_while_a_lane_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else makes that room: whom the lane has in hand must not hold up those whom it has not."""
    monkeypatch.setattr(waiting, "WAITING_MAX", 2)
    async with scene() as made:
        lead, *contacts = made.lead(jobtitle="CIO"), made.contact(jobtitle="CIO"), made.contact(jobtitle="CIO")
        await made.start()
        forbid(made, "WriteContact")
        privileges = forbid(made, "WriteLead")
        await made.apply(update(lead, jobtitle=("CIO", "CTO")))

        async def lane() -> None:
            async with made.in_hand.hold({"p-2", "p-3"}):
                await made.apply(
                    *(update(h, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate(contacts, 2))
                )

        carrying_out = asyncio.create_task(lane())
        await until(lambda: made.clients[0].trouble is not None)
        assert len(made.applier.waiting) == 2
        async with trying_again(made):
            made.instance.privileges = privileges
            await until(lambda: lead.values["jobtitle"] == "CTO")
            await carrying_out
        assert {*made.applier.waiting.persons()} == {"p-2", "p-3"}


async def test_a_create_that_waits_is_tried_again_while_its_possible_twin_waits_for_room_in_a_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By one e-mail address one create looks for twins at a time; who waits for room would wait for itself."""
    monkeypatch.setattr(waiting, "WAITING_MAX", 1)
    async with scene(policy=with_dedupe(default_policy())) as made:
        await made.start()
        fields = {"lastname": "Lovelace", "emailaddress1": "ada@example.com"}
        first, second = (create(person, fields=fields, dedupe="email") for person in ("p-1", "p-2"))
        end_of_all = made.answer_instead("leads(", FORBIDDEN, writes=True)
        await made.apply(first)

        async def lane() -> None:
            async with made.in_hand.hold({"p-2"}):
                await made.apply(second)

        carrying_out = asyncio.create_task(lane())
        await until(lambda: made.clients[0].trouble is not None)
        end_of_all()
        made.answer_instead(second.record.id, FORBIDDEN, writes=True)
        async with trying_again(made):
            await until(lambda: [each.answer for each in made.journal.results] == ["created", "linked"])
            await carrying_out
        assert {*made.instance.records} == {first.record.id} and not made.applier.waiting


async def test_a_create_that_waits_is_announced_once() -> None:
    """The log keeps for ever what is told, and it may wait for days."""
    async with scene() as made:
        await made.start()
        privileges = forbid(made, "CreateLead")
        await made.apply(create())
        for _ in range(3):
            await made.applier.try_again()
        assert len(made.applier.waiting) == 1
        made.instance.privileges = privileges
        await made.applier.try_again()
        assert [each.change.kind for each in made.journal.changes] == ["linked", "created"]


async def test_an_answer_in_nobodys_words_is_waited_for_and_told() -> None:
    """A 4xx without Dataverse's own error says nothing of the record: it is asked again, and not at once."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        end = made.answer_instead(held.id, Answer(400, b""), writes=True)
        applying = asyncio.create_task(made.apply(update(held, jobtitle=("CIO", "CTO"))))
        await until(lambda: made.clients[0].trouble is not None)
        assert "HTTP 400" in (made.clients[0].trouble or "") and not applying.done()
        end()
        await applying
        assert held.values["jobtitle"] == "CTO" and made.clients[0].trouble is None


async def test_who_was_taken_over_meanwhile_tries_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """People may have changed since what its successor wrote."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        await made.read()  # what it holds is known, so nothing is told before the write
        privileges = forbid(made, "WriteLead")
        waiting_one = Given(update(held, person="p-1", jobtitle=("CIO", "CTO")), place=Place(PLACE, 4))
        await made.journal.write(Entry(taken=(Place(PLACE, 4),)))
        await made.journal.write(await made.applier.apply([waiting_one], Priority.FIRST))
        made.instance.privileges = privileges

        async def refuses(entry: Entry) -> None:
            if entry:
                raise TakenOver("another connector for dynamics has started")

        with monkeypatch.context() as patched:
            patched.setattr(made.journal, "write", refuses)
            with pytest.raises(TakenOver):
                await made.applier.try_again()
        assert held.values["jobtitle"] == "CIO"
        await made.applier.try_again()
        assert held.values["jobtitle"] == "CTO"
        assert made.journal.progress.still_open([Place(PLACE, 4)]) == ()
