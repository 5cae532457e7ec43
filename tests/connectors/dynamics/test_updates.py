"""Updates: written only where the record holds what is expected, once, whatever becomes of the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from schemas.vocabulary import OURSELVES
from streams.connectors.rest import Answer
from streams.demo.record import HeldRecord
from tests.connectors.dynamics.scene import SAM, Scene, scene, update

MISSING = Answer(404, b'{"error":{"code":"0x80040217","message":"account With Id = 0a8b5d0e Does Not Exist"}}')


async def test_an_update_lands_and_its_row_is_told_at_once() -> None:
    """Fields, key and revision in one write, conditional on the row that was read; no answer is needed."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        await made.read()
        assert await made.apply(update(held, 3, jobtitle=("CIO", "CTO"))) == []
        assert (held.values["jobtitle"], held.key, held.revision, held.who) == ("CTO", "p-1#0", 3, OURSELVES)
        change = made.journal.changes[-1].change
        assert (change.revision, change.who, change.person_key, change.creation) == (3, "leadsync", "p-1", 0)
        assert change.fields["jobtitle"] == "CTO" and change.version == held.version
        assert await made.read() == []  # the feed shows it too, and is passed over


async def test_a_repeat_does_nothing() -> None:
    """At or above the revision: superseded, with no second write."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        command = update(held, 3, jobtitle=("CIO", "CTO"))
        await made.apply(command)
        version = held.version
        [first], [second] = await made.apply(command), await made.apply(update(held, 2, jobtitle=("CIO", "CFO")))
        assert (first.answer, second.answer) == ("superseded", "superseded")
        assert first.record == held.record and held.version == version


@pytest.mark.parametrize(
    ("holds", "expected", "new", "writes"),
    [
        ("CIO", "CIO", "CTO", True),
        ("CTO", "CIO", "CTO", True),
        ("CFO", "CIO", "CTO", False),
        (None, "", "CTO", True),
        (None, "CIO", None, True),
        ("CFO", None, "CTO", False),
    ],
)
async def test_a_field_is_written_over_only_where_it_holds_what_is_expected_or_the_new_value(
    holds: Any, expected: Any, new: Any, writes: bool
) -> None:
    """Null and empty are one value; otherwise it is a conflict, and the row goes along."""
    async with scene() as made:
        held = made.lead(jobtitle=holds, mobilephone="1")
        await made.start()
        answers = await made.apply(update(held, jobtitle=(expected, new), mobilephone=("1", "2")))
        if writes:
            assert answers == [] and held.values["jobtitle"] == (new or None)
        else:
            [answer] = answers
            assert (answer.answer, answer.row.version, answer.row.fields["jobtitle"]) == (
                "conflict",
                held.version,
                holds,
            )
            assert (held.values["jobtitle"], held.values["mobilephone"], held.revision) == (holds, "1", None)


async def test_values_are_compared_by_the_policys_rule_and_not_by_their_spelling() -> None:
    """12 is 12.0, an option is its number or its digits, and other fields do not matter."""
    async with scene() as made:
        held = made.lead(revenue=12.0, leadsourcecode=8, jobtitle="somebody's edit")
        await made.start()
        assert await made.apply(update(held, revenue=(12, 13.5), leadsourcecode=("8", 10))) == []
        assert (held.values["revenue"], held.values["leadsourcecode"]) == (13.5, 10)


async def test_an_edit_between_reading_and_writing_is_met_again() -> None:
    """Scenario 60: 412, read and judged again: an edit of this field is a conflict, one of another is not."""
    async with scene({"edited_between": 1.0}) as made:
        mine, other = made.lead(jobtitle="CIO"), made.lead(jobtitle="CIO")
        edits = iter([(mine, {"jobtitle": "CFO"}), (other, {"mobilephone": "2"})])

        def somebody_edits(held: HeldRecord) -> None:
            for each, values in edits:
                made.edit(each, **values)

        made.instance.on_read = somebody_edits
        await made.start()
        commands = [update(each, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, each in enumerate((mine, other))]
        [answer] = await made.apply(*commands)
        assert (answer.answer, answer.person_key, answer.row.fields["jobtitle"]) == ("conflict", "p-0", "CFO")
        assert other.values["jobtitle"] == "CTO" and other.values["mobilephone"] == "2"
        assert made.faults.counts["stale_412"] >= 1


async def test_edits_that_never_end_only_delay() -> None:
    """Somebody edits another field after every read: the write still gets its turn."""
    async with scene({"edited_between": 0.8}) as made:
        held = made.lead(jobtitle="CIO")
        count = iter(range(1_000))
        made.instance.on_read = lambda each: made.edit(each, mobilephone=str(next(count)))
        await made.start()
        assert await made.apply(update(held, jobtitle=("CIO", "CTO"))) == []
        assert held.values["jobtitle"] == "CTO"


@pytest.mark.parametrize("fault", ["dropped_before", "dropped_after", "server_5xx_after", "throttled_429"])
async def test_whatever_becomes_of_an_answer_each_write_happens_once(fault: str) -> None:
    """After an answer that says nothing, the record is read and its revision decides."""
    async with scene() as made:
        leads = [made.lead(jobtitle="CIO") for _ in range(30)]
        made.faults.plan.shares[fault] = 0.5  # type: ignore[index]
        await made.start()
        if fault == "throttled_429":
            made.faults.plan.shares[fault] = 0.2  # type: ignore[index]
        answers = await made.see_through(
            *[update(h, 5, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate(leads)]
        )
        assert {answer.answer for answer in answers} <= {"superseded"}
        assert all((held.values["jobtitle"], held.revision) == ("CTO", 5) for held in leads)
        assert len({held.version for held in leads}) == 30 and max(held.version for held in leads) == 1000 + 60
        landings = [change.record.id for _, change in made.journal.changes if change.revision == 5]
        assert sorted(landings) == sorted(held.id for held in leads)


async def test_one_bad_record_fails_alone_and_says_why() -> None:
    """Scenario 51: 299 of 300 succeed, and each answer is the right one's; the field is named."""
    async with scene() as made:
        leads = [made.lead(jobtitle="CIO") for _ in range(300)]
        await made.start()
        commands = [update(held, person=f"p-{n}", jobtitle=("CIO", f"CTO {n}")) for n, held in enumerate(leads)]
        commands[123] = update(leads[123], person="p-123", jobtitle=("CIO", "x" * 101), mobilephone=(None, "1"))
        [answer] = await made.apply(*commands)
        assert (answer.answer, answer.person_key, answer.record) == ("refused", "p-123", leads[123].record)
        assert (answer.code, answer.field) == ("0x80044331", "jobtitle")
        assert [held.values["jobtitle"] for n, held in enumerate(leads) if n != 123] == [
            f"CTO {n}" for n in range(300) if n != 123
        ]
        assert leads[123].values["jobtitle"] == "CIO" and leads[123].revision is None


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"leadsourcecode": (None, 77)}, "0x8004431A", "leadsourcecode"),
        ({"lastname": ("Lovelace", "Byron (duplicate)")}, "0x80040333", None),
        ({"ownerid": (SAM, "ada@sales.example")}, "lookup", "ownerid"),
        ({"new_unheard_of": (None, "x")}, "no_such_column", "new_unheard_of"),
    ],
)
async def test_each_refusal_has_its_code(values: dict[str, Any], code: str, field: str | None) -> None:
    """Scenario 50; and what cannot be written at all is not even tried."""
    async with scene() as made:
        held = made.lead()
        await made.start()
        [answer] = await made.apply(update(held, **values))
        assert (answer.answer, answer.code, answer.field) == ("refused", code, field)
        assert held.revision is None


async def test_a_404_that_is_not_about_the_record_is_a_refusal() -> None:
    """A plug-in points to something that was deleted: the record is there when it is read again, and the lane goes on."""
    async with scene() as made:
        bad, good = made.lead(jobtitle="CIO"), made.lead(jobtitle="CIO")
        await made.start()
        made.answer_instead(bad.id, MISSING, writes=True)
        commands = [update(h, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate((bad, good))]
        [answer] = await asyncio.wait_for(made.apply(*commands), 10)
        assert (answer.answer, answer.person_key, answer.code) == ("refused", "p-0", "0x80040217")
        assert (bad.values["jobtitle"], good.values["jobtitle"]) == ("CIO", "CTO") and not made.applier.waiting


async def test_what_could_be_told_to_nobody_is_not_written_over() -> None:
    """A text too long to carry: the command is refused, for a conflict would come again and again."""
    async with scene() as made:
        held = made.lead()
        made.edit(held, description="x" * 131_073)
        await made.start()
        [answer] = await made.apply(update(held, description=("before", "after")))
        assert (answer.answer, answer.code, answer.field) == ("refused", "oversized", "description")
        assert await made.apply(update(held, jobtitle=(None, "CTO"))) == []
        assert "description" not in made.journal.changes[-1].change.fields


async def test_nothing_is_written_to_a_record_that_is_gone_or_closed() -> None:
    """Deleted; converted; merged: it says which, and tells at once what closed it."""
    async with scene() as made:
        deleted, qualified, loser, winner = (made.lead(jobtitle="CIO") for _ in range(4))
        await made.start()
        await made.read()
        made.delete(deleted)
        contact = made.instance.qualify(qualified.id, SAM, 2.0e9)
        made.instance.merge(loser.id, winner.id, SAM, 2.0e9)
        doomed = (deleted, qualified, loser)
        answers = await made.apply(*[update(h, person=f"p-{n}", jobtitle=("CIO", "CTO")) for n, h in enumerate(doomed)])
        assert {answer.person_key: (answer.answer, answer.gone) for answer in answers} == {
            "p-0": ("gone", "deleted"),
            "p-1": ("gone", "closed"),
            "p-2": ("gone", "closed"),
        }
        kinds = {change.record.id: change.kind for _, change in made.journal.changes}
        assert (kinds[qualified.id], kinds[loser.id]) == ("converted", "merged")
        assert all(held.values["jobtitle"] == "CIO" for held in (*doomed, contact))


async def test_a_disqualified_lead_refuses_until_somebody_opens_it_again() -> None:
    """`gone` would wait for a conversion or a merge that never comes; a refusal can be tried again."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        made.edit(held, statecode=2, statuscode=4)
        await made.start()
        [answer] = await made.apply(update(held, jobtitle=("CIO", "CTO")))
        assert (answer.answer, answer.code) == ("refused", "0x8004022e") and held.values["jobtitle"] == "CIO"
        made.edit(held, statecode=0, statuscode=1)
        assert await made.apply(update(held, 2, jobtitle=("CIO", "CTO"))) == []


async def test_the_same_answer_has_the_same_id() -> None:
    """A replay of the lane writes one result, however often."""
    async with scene() as made:
        held = made.lead(jobtitle="CFO")
        await made.start()
        command = update(held, jobtitle=("CIO", "CTO"))
        [first], [again] = await made.apply(command), await made.apply(command)
        assert first == again
        made.edit(held, mobilephone="1")
        [later] = await made.apply(command)
        assert later.result_id != first.result_id


async def test_a_row_that_was_overtaken_is_passed_over() -> None:
    """The feed was quicker: versions in a stream only rise, and the newer row shows the revision as well."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        await made.read()
        tell = made.telling.tell

        async def later(rows: Any, *arguments: Any, **options: Any) -> int:
            made.telling.tell = tell
            made.edit(held, mobilephone="1")
            await made.feed.read_once()
            return await tell(rows, *arguments, **options)

        made.applier._updates._telling = _Telling(later)
        await made.apply(update(held, jobtitle=("CIO", "CTO")))
        versions = [change.version for _, change in made.journal.changes]
        assert versions == sorted(set(versions)) and made.journal.changes[-1].change.revision == 1
        assert made.journal.known.get(held.id).version == held.version


class _Telling:
    def __init__(self, tell: Any) -> None:
        self.tell = tell


async def test_feed_and_applier_side_by_side_never_turn_a_stream_back() -> None:
    """Edits, commands and readings at once: each version once, rising, in every stream."""
    async with scene({"edited_between": 0.3, "dropped_after": 0.1}) as made:
        leads = [made.lead(jobtitle="CIO") for _ in range(12)]
        await made.start()
        await _all_at_once(made, leads)
        await made.read()
        for held in leads:
            versions = [change.version for _, change in made.journal.changes if change.record.id == held.id]
            assert versions == sorted(set(versions)) and versions[-1] == held.version


async def _all_at_once(made: Scene, leads: list[HeldRecord]) -> None:
    async def reads() -> None:
        for _ in range(20):
            await made.feed.read_once()

    async def applies(revision: int) -> None:
        commands = [update(h, revision, person=f"p-{n}", mobilephone=(None, "1")) for n, h in enumerate(leads)]
        await made.apply(*commands)

    await asyncio.gather(reads(), applies(1), applies(2), reads())
