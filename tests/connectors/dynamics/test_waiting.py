"""What Dynamics forbids for one record, or breaks over, waits; nothing else waits with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.connectors.dynamics import waiting
from streams.connectors.dynamics.batch import Part
from streams.connectors.lanes import Given
from streams.connectors.pacing import Priority
from streams.connectors.progress import Place
from streams.connectors.rest import Answer
from tests.connectors.dynamics.scene import Scene, create, delete, qualify, scene, update

BROKEN = Answer(500, b'{"error":{"code":"0x80040216","message":"An unexpected error occurred."}}')
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
        batch = made.clients[0].batch

        async def breaks(parts: Sequence[Part], **members: Any) -> list[Answer]:
            answers = await batch([part for part in parts if bad.id not in part.target or not part.writes], **members)
            there = iter(answers)
            return [BROKEN if bad.id in part.target and part.writes else next(there) for part in parts]

        made.clients[0].batch = breaks
        commands = [update(h, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate((bad, good))]
        assert await made.apply(*commands) == [] and len(made.applier.waiting) == 1
        assert (bad.values["jobtitle"], good.values["jobtitle"]) == ("CIO", "CTO")
        made.clients[0].batch = batch
        await made.applier.try_again()
        assert bad.values["jobtitle"] == "CTO" and not made.applier.waiting


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
