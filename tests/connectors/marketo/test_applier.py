"""Commands against a simulated instance: each once, whatever is lost on the way, and every one answered or landed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from schemas.identity import key_of, person_key_of
from schemas.vocabulary import MARKETO, OURSELVES
from streams.connectors.journal import Entry
from streams.connectors.known import KnownRecord
from streams.connectors.marketo.answers import field_named
from streams.connectors.marketo.patience import Patience
from streams.connectors.marketo.sending import ALONE_TRIES_MAX, Rounds, Send, Verdict
from streams.connectors.pacing import Pacer
from streams.connectors.rest import OutcomeUnknown, Refused
from streams.simulators.faults import POISON_MARK, FaultPlan
from streams.simulators.marketo.limits import Limits
from streams.sync.messages import ApplyResult
from tests.connectors.marketo.scene import PACE, QUICK, Scene, create, delete, kinds, scene, update

LOST = ("timeout_604_after", "dropped_after", "dropped_before")
PLENTY = {"window_calls": 1_000_000, "daily_calls": 1_000_000}


def answers(results: list[ApplyResult]) -> list[tuple[str, str | None]]:
    return [(each.answer, each.code) for each in results]


def on_records(results: list[ApplyResult]) -> list[tuple[str, str | None]]:
    return [(each.answer, each.record and each.record.id) for each in results]


def landings(made: Scene, record_id: str) -> int:
    """How many writes of ours the record has seen."""
    return sum(
        told[0] in ("landed", "created") and told[1] == record_id and told[-1] is not None
        for told in made.stage.witness.told
    )


async def test_a_batch_is_one_call_and_each_record_has_its_own_answer() -> None:
    """Scenario 51: one is too long, one is not there, and the others are written."""
    async with scene() as made:
        people = [made.person(jobTitle="CIO") for _ in range(300)]
        commands = [update(held, 1, person=f"p-{held.id}", jobTitle="CTO") for held in people]
        commands[7] = update(people[7], 1, person="p-7", jobTitle="x" * 300)
        commands[9] = update("999", 1, person="p-9", jobTitle="CTO")
        await made.start()
        before = len(made.calls)
        refused, gone = await made.apply(*commands)
        assert (refused.answer, refused.code, refused.field, refused.person_key) == (
            "refused",
            "1003",
            "jobTitle",
            "p-7",
        )
        assert (gone.answer, gone.person_key) == ("gone", "p-9")
        assert len(made.calls) - before == 1
        assert sum(held.values["jobTitle"] == "CTO" and held.revision == 1 for held in people) == 298
        assert made.expected == 1


async def test_a_field_that_marketo_does_not_know_fails_its_own_record_only() -> None:
    """Scenario 51: whatever part of the batch it is; the answer names the field."""
    async with scene() as made:
        people = [made.person(jobTitle="CIO") for _ in range(300)]
        commands = [update(held, 1, person=f"p-{held.id}", jobTitle="CTO") for held in people]
        commands[150] = update(people[150], 1, person="p-150", nickname="Ada")
        await made.start()
        [refused] = await made.apply(*commands)
        assert (refused.answer, refused.code, refused.field, refused.person_key) == (
            "refused",
            "1006",
            "nickname",
            "p-150",
        )
        assert sum(held.values["jobTitle"] == "CTO" for held in people) == 299


async def test_what_somebody_did_to_our_fields_is_written_over_by_the_next_command() -> None:
    """Cleared, or another person's key: the record is the command's, and its revision counts for its own person only."""
    async with scene() as made:
        cleared, given_away = made.person(), made.person()
        await made.start()
        await made.apply(update(cleared, 1), update(given_away, 1, person="p-2"))
        await made.restart()
        for held, key in ((cleared, None), (given_away, "p-9#4")):
            body = [{"id": int(held.id), "leadsyncKey": key, "leadsyncRevision": 9 if key else None}]
            await made.connector.write_leads("updateOnly", "id", body)
        commands = update(cleared, 2, city="Oslo"), update(given_away, 2, person="p-2", city="Rome")
        assert await made.apply(*commands, maybe_done=True) == []
        assert [(each.key, each.revision, each.values["city"]) for each in (cleared, given_away)] == [
            ("p-1#0", 2, "Oslo"),
            ("p-2#0", 2, "Rome"),
        ]


async def test_key_and_revision_stand_in_the_same_write() -> None:
    """The feed shows all of it as one landing."""
    async with scene() as made:
        held = made.person(jobTitle="CIO")
        await made.start()
        await made.read()
        person = person_key_of(MARKETO, held.id)
        assert await made.apply(update(held, 3, person=person, jobTitle="CTO", city="Oslo")) == []
        [landing] = await made.read()
        assert (landing.revision, landing.person_key, landing.creation, landing.who) == (3, person, 0, OURSELVES)
        assert landing.fields == {"jobTitle": "CTO", "city": "Oslo"}


@pytest.mark.parametrize("fault", LOST)
async def test_an_update_of_which_nobody_knows_is_settled_by_reading(fault: str) -> None:
    """Scenario 56: no write is lost, and none that came through is repeated."""
    async with scene() as made:
        held = made.person(jobTitle="CIO")
        await made.start()
        made.faults.plan = FaultPlan({fault: 0.5})
        for revision in range(1, 30):
            results = await made.apply(update(held, revision, jobTitle=f"CTO {revision}"))
            assert answers(results) in ([], [("superseded", None)])
            assert held.revision == revision and landings(made, held.id) == revision
        assert made.faults.counts[fault] > 5


@pytest.mark.parametrize("fault", LOST)
async def test_a_create_of_which_nobody_knows_is_found_by_its_key(fault: str) -> None:
    """Scenario 30: one person, once, and its stream says whose it is."""
    async with scene() as made:
        await made.start()
        made.faults.plan = FaultPlan({fault: 0.5})
        for n in range(20):
            results = await made.apply(create(f"p-{n}"))
            [held] = made.of_key(key_of(f"p-{n}", 1))
            assert answers(results) in ([("created", None)], [("superseded", None)])
            assert results[0].record == held.record and landings(made, held.id) == 1
            linked = [each.change for each in made.journal.changes if each.change.person_key == f"p-{n}"]
            assert kinds(linked) == ["linked"]
            assert (linked[0].record, linked[0].creation, linked[0].revision) == (held.record, 1, 1)
            known = made.journal.known.of_key(key_of(f"p-{n}", 1))
            assert known.record == held.record and known.version == 0
        assert made.faults.counts[fault] > 3


async def test_a_created_record_that_a_bootstrap_read_meanwhile_stays_known_by_what_its_row_showed() -> None:
    """The feed may come to that only now."""
    async with scene() as made:
        await made.start()
        made.journal.write, write = _lost, made.journal.write
        await made.apply(create("p-1"))
        made.journal.write = write
        [held] = made.of_key("p-1#1")
        shown = KnownRecord(record=held.record, stream=held.id, version=9, shown_before="2026-09-01T09:14:07Z")
        await made.journal.write(Entry(records=(shown,)))
        assert answers(await made.apply(create("p-1"), maybe_done=True)) == [("superseded", None)]
        known = made.journal.known.get(held.id)
        assert (known.key, known.version, known.shown_before) == ("p-1#1", 9, shown.shown_before)


async def test_a_command_that_comes_again_after_a_crash_does_nothing() -> None:
    """Scenario 64: the entry was never written; what was done is found, and said, under the same ids."""
    async with scene() as made:
        held = made.person(jobTitle="CIO")
        await made.start()
        commands = [update(held, 1, jobTitle="CTO"), create("p-2")]
        write, made.journal.write = made.journal.write, _lost
        first = await made.apply(*commands)
        made.journal.write = write
        await made.restart()
        again = await made.apply(*commands, maybe_done=True)
        assert answers(first) == [("created", None)]
        assert answers(again) == [("superseded", None), ("superseded", None)]
        assert landings(made, held.id) == 1 and len(made.of_key("p-2#1")) == 1
        ids = [each.change.change_id for each in made.journal.changes]
        assert ids == ["linked/create-p-2-1"]


async def _lost(entry: Any) -> None:
    """A crash before the commit."""


async def test_a_repeat_in_one_life_needs_no_call() -> None:
    """What it wrote, it knows."""
    async with scene() as made:
        held = made.person()
        await made.start()
        await made.apply(update(held, 2, jobTitle="CTO"))
        before = len(made.calls)
        one, two = await made.apply(update(held, 2, jobTitle="CTO")), await made.apply(update(held, 1, jobTitle="CIO"))
        assert answers([*one, *two]) == [("superseded", None)] * 2 and len(made.calls) == before
        assert held.values["jobTitle"] == "CTO"


async def test_a_record_that_a_merge_handed_to_another_person_counts_anew() -> None:
    """Its revisions are that person's now; what the former one's number says is nobody's word."""
    async with scene(merge_takes_our_fields=True) as made:
        winner = made.person()
        await made.start()
        await made.apply(update(winner, 7, person="former", city="Oslo"))
        made.instance.enter(winner, "marketing", {"leadsyncKey": "heir#1", "leadsyncRevision": 7}, made.clock.now)
        await made.apply(update(winner, 2, person="heir", city="Rome"))
        assert (winner.values["city"], winner.revision) == ("Rome", 2)
        made.instance.enter(winner, "marketing", {"leadsyncKey": "other#1", "leadsyncRevision": 9}, made.clock.now)
        await made.restart()
        assert answers(await made.apply(update(winner, 3, person="heir", city="Paris"), maybe_done=True)) == []
        assert winner.values["city"] == "Paris"


async def test_commands_for_two_people_who_are_merged_meanwhile() -> None:
    """Scenario 45: the winner's lands, the loser's is gone; the loser's stream names the winner, and then nothing more."""
    async with scene() as made:
        winner, loser = made.person(city=None), made.person(city="Oslo")
        await made.start()
        await made.apply(update(winner, 1, person="p-w"), update(loser, 1, person="p-l"))
        await made.read()
        made.instance.merge(loser.id, winner.id, "marketing", made.clock.now, ("city",))
        commands = [update(winner, 2, person="p-w", jobTitle="CTO"), update(loser, 2, person="p-l", jobTitle="CIO")]
        [gone] = await made.apply(*commands)
        assert (gone.answer, gone.person_key, gone.gone) == ("gone", "p-l", "deleted")
        told = await made.read()
        assert [(each.kind, each.winner_person_key) for each in told if each.person_key == "p-l"] == [("merged", "p-w")]
        of_winner = [each for each in told if each.person_key == "p-w"]
        assert [(each.kind, each.revision) for each in of_winner if each.scope == "partial"] == [
            ("updated", None),
            ("updated", 2),
        ]
        assert of_winner[-1].scope == "row" and (of_winner[-1].fields or {})["city"] == "Oslo"
        [gone] = await made.apply(msgspec.structs.replace(commands[1], revision=3, command_id="again"))
        assert (gone.answer, gone.gone) == ("gone", "closed")
        assert await made.read() == [] and len(made.instance.records) == 1


async def test_what_is_gone_is_answered_with_why() -> None:
    """Deleted, or closed by a merge that the feed told."""
    async with scene() as made:
        deleted, merged, winner = made.person(), made.person(), made.person()
        await made.start()
        made.delete(deleted)
        made.instance.merge(merged.id, winner.id, "marketing", made.clock.now)
        await made.read()
        results = await made.apply(update(deleted, 1, person="a"), update(merged, 1, person="b"))
        assert [(each.answer, each.gone) for each in results] == [("gone", "deleted"), ("gone", "closed")]
        results = await made.apply(update(deleted, 1, person="a"), update(merged, 1, person="b"), maybe_done=True)
        assert [each.gone for each in results] == ["deleted", "closed"]


async def test_a_create_whose_record_was_deleted_is_gone() -> None:
    """It was there, the stream said so; a repeat makes no second one."""
    async with scene() as made:
        await made.start()
        await made.apply(create("p-1"))
        await made.read()
        made.delete(made.of_key("p-1#1")[0])
        await made.read()
        [result] = await made.apply(create("p-1"), maybe_done=True)
        assert (result.answer, result.gone) == ("gone", "deleted") and made.of_key("p-1#1") == []


@pytest.mark.parametrize("is_asked_for", [True, False])
@pytest.mark.parametrize("is_read", [True, False])
async def test_a_create_that_came_and_went_unseen_is_found_among_the_deletions(
    is_read: bool, is_asked_for: bool
) -> None:
    """Nobody knew the record: neither an entry of ours, nor a row; a Sync Person perhaps, and the deletion of somebody of that name."""
    async with scene() as made:
        await made.start()
        made.journal.write, write = _lost, made.journal.write
        await made.apply(create("p-1", fields={"firstName": "Ada", "lastName": "Lovelace"}))
        made.journal.write = write
        made.clock.now += 5
        [held] = made.of_key("p-1#1")
        if is_asked_for:
            await made.journal.write(Entry(records=(KnownRecord(record=held.record, stream=held.id),)))
        made.delete(held)
        if is_read:
            await made.read()
        await made.restart()
        [result] = await made.apply(create("p-1", fields={"firstName": "Ada", "lastName": "Lovelace"}), maybe_done=True)
        assert result.answer == "gone" and made.of_key("p-1#1") == []
        told = [each.change for each in made.journal.changes if each.change.person_key == "p-1"]
        assert kinds(told) == ["linked", "created", "deleted"]
        assert {each.record.id for each in told} == {held.id} and {each.creation for each in told} == {1}
        assert kinds(await made.read()) == []
        assert (await made.apply(create("p-1"), maybe_done=True))[0].answer == "gone"


@pytest.mark.parametrize("is_answered_first", [True, False])
async def test_a_record_that_was_deleted_while_its_create_was_under_way_does_not_leave_it_open(
    is_answered_first: bool,
) -> None:
    """The feed tells its end as nobody's, before the call is answered or before the answer is on Kafka."""
    async with scene() as made:
        await made.start()
        post, write = made.connector.write_leads, made.journal.write

        async def end() -> None:
            made.delete(made.of_key("p-1#1")[0])
            assert [(each.kind, each.person_key) for each in await made.read()] == [("deleted", None)]

        async def slow_post(*given: Any) -> Any:
            answer = await post(*given)
            await end()
            return answer

        async def slow_write(entry: Any) -> None:
            made.journal.write = write
            await end()
            await write(entry)

        if is_answered_first:
            made.journal.write = slow_write
        else:
            made.connector.write_leads = slow_post  # type: ignore[method-assign]
        await made.apply(create("p-1"))
        told = [each.change for each in made.journal.changes if each.change.person_key == "p-1"]
        assert kinds(told) == ["linked", "created", "deleted"]
        assert [each.answer for each in made.journal.results] == ["created", "gone"]
        known = made.journal.known.get(told[0].record.id)
        assert (known.state, known.key) == ("deleted", "p-1#1")
        assert [each.answer for each in await made.apply(create("p-1"), maybe_done=True)] == ["gone"]


async def test_a_key_that_is_taken_and_cannot_be_found_is_refused_in_the_end() -> None:
    """Marketo takes a comma for the end of a value; the other commands must not wait for it for ever."""
    async with scene() as made:
        await made.start()
        odd = create("Ada, & Söhne", fields={"lastName": "Lovelace"})
        made.journal.write, write = _lost, made.journal.write
        await made.apply(odd)
        made.journal.write = write
        await made.restart()
        results = await made.apply(odd, create("p-2"), maybe_done=True)
        assert sorted(answers(results)) == [("created", None), ("refused", "1005")]
        assert len(made.of_key("Ada, & Söhne#1")) == 1


async def test_what_came_and_went_is_found_however_long_nobody_was_there() -> None:
    """The deletions are read from when the connector before us was last at work."""
    async with scene() as made:
        await made.start()
        made.person()
        await made.read()
        made.journal.write, write = _lost, made.journal.write
        command = create("p-1", fields={"firstName": "Ada", "lastName": "Lovelace"})
        await made.apply(command)
        made.journal.write = write
        made.clock.now += 5
        made.delete(made.of_key("p-1#1")[0])
        made.clock.now += 5 * 86_400
        await made.restart()
        assert answers(await made.apply(command, maybe_done=True)) == [("gone", None)]


@pytest.mark.parametrize("dedupe", [None, "email"])
async def test_what_too_many_persons_hold_fails_its_own_create_only(dedupe: str | None) -> None:
    """Marketo shows 1,000 persons of one look-up; a key or an address may have been given to more of them by an import."""
    async with scene(limits=Limits(**PLENTY, matches=3)) as made:
        for n in range(4):
            held = made.person(email="info@example.com" if dedupe else f"{n}@example.com")
            made.instance.records[held.id].key = None if dedupe else "p-2#1"
        await made.start()
        commands = [create(f"p-{n}", dedupe=dedupe) for n in range(6)]
        commands[2] = create("p-2", dedupe=dedupe, fields={"lastName": "King", "email": "info@example.com"})
        results = await made.apply(*commands)
        assert sorted(answers(results)) == [("created", None)] * 5 + [("refused", "1003")]
        assert [each.person_key for each in results if each.answer == "refused"] == ["p-2"]


async def test_a_namesake_that_was_deleted_is_somebody_else() -> None:
    """Who was there before the first try, or is known to somebody, is not what the create made."""
    async with scene() as made:
        namesake = made.person(firstName="Ada")
        made.clock.now += 86_400
        await made.start()
        made.clock.now += 60
        made.delete(namesake)
        command = create("p-1", fields={"firstName": "Ada", "lastName": "Lovelace"})
        assert [each.answer for each in await made.apply(command, maybe_done=True)] == ["created"]


@pytest.mark.parametrize("is_the_persons_own", [True, False])
async def test_whom_a_marketer_typed_in_and_deleted_is_not_what_the_create_made(is_the_persons_own: bool) -> None:
    """Neither the person's own former record, edited in Dynamics since, nor a namesake; however short a time ago."""
    async with scene() as made:
        await made.start()
        typed_in = made.person(firstName="Ada", lastName="Lovelace")
        made.delete(typed_in)
        await made.read()
        person_key = person_key_of(MARKETO, typed_in.id) if is_the_persons_own else "p-1"
        command = create(person_key, fields={"firstName": "Ada", "lastName": "Lovelace"})
        assert [each.answer for each in await made.apply(command, maybe_done=True)] == ["created"]


async def test_a_record_with_the_key_and_an_older_revision_is_brought_up() -> None:
    """Linked and written, not made again."""
    async with scene() as made:
        await made.start()
        await made.apply(create("p-1", revision=1))
        [held] = made.of_key("p-1#1")
        assert await made.apply(create("p-1", revision=4, fields={"lastName": "King"})) == []
        assert (held.revision, held.values["lastName"]) == (4, "King") and len(made.of_key("p-1#1")) == 1


async def test_without_dedupe_a_twin_is_made_and_with_it_linked() -> None:
    """Scenario 35; the twin's row comes along, and one that stands for somebody already is no twin."""
    async with scene() as made:
        taken, twin = made.person(email="ada@example.com"), made.person(email="Ada@example.com", jobTitle="CTO")
        await made.start()
        await made.apply(update(taken, 1, person="somebody"))
        await made.read()
        fields = {"lastName": "Lovelace", "email": "ada@example.com"}
        [linked] = await made.apply(create("p-1", fields=fields, dedupe="email"))
        assert (linked.answer, linked.record) == ("linked", twin.record) and linked.row is not None
        assert linked.row.fields["jobTitle"] == "CTO" and linked.row.version == made.journal.known.get(twin.id).version
        assert (linked.row.revision, linked.row.creation, twin.key) == (1, 0, "p-1#0")
        assert [each.answer for each in await made.apply(create("p-2", fields=fields))] == ["created"]
        assert len(made.instance.records) == 3


async def test_who_is_about_to_get_somebodys_key_is_nobodys_twin() -> None:
    """A bootstrap has linked them; until the key is written, and while the sync filter says No, it is only known."""
    async with scene() as made:
        held = made.person(email="ada@example.com")
        await made.start()
        linked = KnownRecord(record=held.record, stream=held.id, version=9, key="somebody#0")
        await made.journal.write(Entry(records=(linked,)))
        fields = {"lastName": "Lovelace", "email": "ada@example.com"}
        assert [each.answer for each in await made.apply(create("p-1", fields=fields, dedupe="email"))] == ["created"]
        assert held.key is None
        [answer] = await made.apply(create("somebody", fields=fields, dedupe="email"))
        assert (answer.answer, answer.record, held.key) == ("linked", held.record, "somebody#0")


async def test_a_twin_goes_to_the_first_create_that_finds_it() -> None:
    """It gets our key at once, so that the next one who looks makes a person; a repeat finds its own again."""
    async with scene() as made:
        twin = made.person(email="ada@example.com")
        await made.start()
        fields = {"lastName": "Lovelace", "email": "ada@example.com"}
        commands = [create(f"p-{n}", fields=fields, dedupe="email") for n in (1, 2)]
        assert on_records(await made.apply(commands[0])) == [("linked", twin.id)]
        assert [each.answer for each in await made.apply(commands[1])] == ["created"]
        assert on_records(await made.apply(commands[0])) == [("linked", twin.id)] and twin.revision == 1


@pytest.mark.parametrize("fault", LOST)
async def test_a_twin_whose_claim_was_lost_is_looked_for_again(fault: str) -> None:
    """Whether our key was written or not: nobody is made beside it."""
    async with scene(shares={fault: 0.5}) as made:
        twins = [made.person(email=f"p-{n}@example.com") for n in range(12)]
        await made.start()
        told = [answer for n in range(12) for answer in await made.apply(create(f"p-{n}", dedupe="email"))]
        assert on_records(told) == [("linked", twin.id) for twin in twins] and made.faults.counts[fault]
        assert [twin.key for twin in twins] == [f"p-{n}#0" for n in range(12)]
        assert len(made.instance.records) == 12


async def test_a_twin_that_is_gone_when_it_is_claimed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the person is made."""
    async with scene() as made:
        twin = made.person(email="p-1@example.com")
        await made.start()
        write = made.connector.write_leads

        async def deleted_first(action: str, *more: Any) -> Any:
            if action == "updateOnly" and twin.id in made.instance.records:
                made.delete(twin)
            return await write(action, *more)

        monkeypatch.setattr(made.connector, "write_leads", deleted_first)
        [created] = await made.apply(create("p-1", dedupe="email"))
        assert created.answer == "created" and twin.id not in made.instance.records


async def test_who_is_given_to_somebody_else_comes_to_them_with_the_whole_row() -> None:
    """As it is after that write: later edits are told by themselves."""
    async with scene() as made:
        held = made.person(jobTitle="CIO", city="Oslo")
        await made.start()
        await made.read()
        assert await made.apply(update(held, 4, person="their-key")) == []
        made.edit(held, city="Rome")
        given, edit = await made.read()
        assert (given.person_key, given.scope, given.revision) == ("their-key", "row", 4)
        assert (given.fields["jobTitle"], given.fields["city"]) == ("CIO", "Oslo")
        assert (edit.fields, edit.person_key) == ({"city": "Rome"}, "their-key")


async def test_a_delete_is_carried_out_once() -> None:
    """Under the delete policy only, which the core decides."""
    async with scene(shares={"dropped_after": 0.5}) as made:
        people = [made.person() for _ in range(20)]
        await made.start()
        for held in people:
            assert answers(await made.apply(delete(held))) in ([], [("gone", None)])
        assert made.instance.records == {} and made.faults.counts["dropped_after"]


async def test_a_body_that_is_too_long_is_split() -> None:
    """By size, before it is sent, and where Marketo takes still less, by halves."""
    async with scene(limits=Limits(body_bytes=200_000, **PLENTY)) as made:
        people = [made.person() for _ in range(100)]
        await made.start()
        notes = "n" * 25_000
        commands = [update(held, 1, person=f"p-{held.id}", mktoPersonNotes=notes) for held in people]
        assert await made.apply(*commands) == []
        assert all(held.values["mktoPersonNotes"] == notes for held in people)
        assert "413" in made.calls.outcomes("leads/write")


async def yes() -> bool:
    """Marketo takes writes."""
    return True


def rounds_of(send: Send) -> Rounds:
    return Rounds(send, yes, Patience(random.Random(1), backoff=QUICK))


async def sent(people: int, send: Send) -> list[Verdict]:
    """One round of so many people."""
    return list((await rounds_of(send).sent({str(n): {"id": n} for n in range(people)})).values())


async def test_one_record_to_blame_does_not_hold_up_the_others() -> None:
    """A call that is refused as a whole is halved until it stands alone."""
    calls: list[int] = []

    async def send(records: Any) -> list[dict[str, Any]]:
        calls.append(len(records))
        if any(each["id"] == 6 for each in records):
            raise Refused("609", "Invalid JSON")
        return [{"id": each["id"], "status": "updated"} for each in records]

    verdicts = await sent(8, send)
    assert [each.outcome for each in verdicts] == ["done"] * 6 + ["refused", "done"]
    assert verdicts[6].code == "609" and len(calls) <= 7


@pytest.mark.parametrize("code", ["603", "610"])
async def test_what_no_record_is_to_blame_for_ends_it_and_loses_nothing(code: str) -> None:
    """The process ends with a clear line, and the commands come again."""

    async def send(records: Any) -> list[dict[str, Any]]:
        raise Refused(code, "Access denied")

    with pytest.raises(Refused, match=f"{code}: Access denied"):
        await sent(2, send)


async def test_answers_that_do_not_match_are_no_answers() -> None:
    """Whose they are, nobody can tell; nor what a record-level time-out did."""

    async def few(records: Any) -> list[dict[str, Any]]:
        return [{"id": 1, "status": "updated"}]

    async def late(records: Any) -> list[dict[str, Any]]:
        return [{"status": "skipped", "reasons": [{"code": "604", "message": "Request timed out"}]} for _ in records]

    async def lost(records: Any) -> list[dict[str, Any]]:
        raise OutcomeUnknown("dropped")

    for send in (few, late, lost):
        assert [each.outcome for each in await sent(2, send)] == ["unsure", "unsure"]


async def test_a_record_on_which_marketo_fails_each_time_soon_stands_alone() -> None:
    """Who was in doubt with it travels in ever smaller loads; nobody waits for more than a few rounds, and it is tried so often alone."""
    loads: list[int] = []

    async def send(records: Any) -> list[dict[str, Any]]:
        loads.append(len(records))
        if any(each["id"] == 77 for each in records):
            raise OutcomeUnknown("611: System error", "611")
        return [{"id": each["id"], "status": "updated"} for each in records]

    rounds, left, rested = rounds_of(send), {str(n): {"id": n} for n in range(300)}, 0
    while left:
        verdicts = await rounds.sent(left)
        left = {name: each for name, each in left.items() if verdicts[name].outcome == "unsure"}
        rested += len(left) > 1
    assert (verdicts["77"].outcome, verdicts["77"].code) == ("refused", "611")
    assert rested < 10 and loads.count(1) == ALONE_TRIES_MAX and len(loads) < 30


@pytest.mark.parametrize("kind", ["update", "create"])
async def test_a_poisonous_record_is_refused_and_everybody_else_is_written(kind: str) -> None:
    """611 for as long as it is in the call: design, 4.7, other people are not held up. Its sync error waits for a retry."""
    async with scene() as made:
        people = [made.person(lastName=f"n-{n}") for n in range(40)]
        await made.start()
        titles = [f"CTO {POISON_MARK}" if n == 7 else "CTO" for n in range(40)]
        if kind == "update":
            commands = [update(people[n], 1, person=f"p-{n}", jobTitle=titles[n]) for n in range(40)]
        else:
            commands = [create(f"p-{n}", fields={"lastName": f"n-{n}", "jobTitle": titles[n]}) for n in range(40)]
        refused = [each for each in await made.apply(*commands) if each.answer == "refused"]
        assert [(each.person_key, each.code) for each in refused] == [("p-7", "611")]
        assert "System error" in (refused[0].message or "")
        written = [held for held in made.instance.records.values() if held.values.get("jobTitle") == "CTO"]
        assert len(written) == 39 and all(landings(made, held.id) == 1 for held in written)


async def test_a_poisonous_record_that_is_the_only_one_stops_nothing_either() -> None:
    """What comes after it on the lane is not held up."""
    async with scene() as made:
        held = made.person(jobTitle="CIO")
        await made.start()
        [refused] = await made.apply(update(held, 1, jobTitle=f"CTO {POISON_MARK}"))
        assert (refused.answer, refused.code) == ("refused", "611")
        assert await made.apply(update(held, 2, jobTitle="CTO")) == [] and held.values["jobTitle"] == "CTO"


@pytest.mark.parametrize(("trouble_seconds", "outcome"), [(600.0, "done"), (3_600.0, "refused")])
async def test_one_who_is_alone_is_given_a_quarter_of_an_hour(trouble_seconds: float, outcome: str) -> None:
    """That a write for nobody is answered does not say that any other would be: ten minutes of trouble refuse nobody."""
    slept = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds

    async def send(records: Any) -> list[dict[str, Any]]:
        if slept < trouble_seconds:
            raise OutcomeUnknown("611: System error", "611")
        return [{"id": each["id"], "status": "updated"} for each in records]

    async def takes_writes() -> bool:
        return True

    rounds = Rounds(send, takes_writes, Patience(random.Random(3), sleep=sleep))
    while (verdict := (await rounds.sent({"1": {"id": 1}}))["1"]).outcome == "unsure":
        await rounds.pause()
    assert verdict.outcome == outcome and slept < 2_000


async def test_a_key_that_is_taken_and_not_found_yet_is_looked_for_ever_more_patiently() -> None:
    """The answer to a create was lost, and Marketo's index is half a minute late: nobody is told that it failed."""
    async with scene() as made:
        await made.start()
        slept = 0.0

        async def sleep(seconds: float) -> None:
            nonlocal slept
            slept += seconds

        look_up = made.connector.leads_by

        async def late(column: str, *given: Any) -> Any:
            rows = await look_up(column, *given)
            return rows if column == "id" or slept >= 30 else []

        made.connector.leads_by = late  # type: ignore[method-assign]
        made.applier._creating._patience = Patience(random.Random(3), sleep=sleep)
        made.faults.arrange("timeout_604_after")
        assert answers(await made.apply(create("p-1"))) == [("superseded", None)]
        assert len(made.instance.records) == 1


@pytest.mark.parametrize("people", [1, 40])
async def test_while_marketo_takes_no_writes_at_all_nobody_is_given_up(people: int) -> None:
    """However long it lasts; two calls a round are enough to see that it does, and then everybody travels in one."""
    async with scene() as made:
        held = [made.person(jobTitle="CIO") for _ in range(people)]
        await made.start()
        write, tries = made.connector.write_leads, 0

        async def away(*given: Any) -> Any:
            nonlocal tries
            tries += 1
            if tries <= 100:
                raise OutcomeUnknown("604: Request timed out", "604")
            return await write(*given)

        made.connector.write_leads = away  # type: ignore[method-assign]
        commands = [update(each, 1, person=f"p-{each.id}", jobTitle="CTO") for each in held]
        assert await made.apply(*commands) == []
        assert all(each.values["jobTitle"] == "CTO" for each in held) and tries == 101


def test_the_field_at_fault_is_read_off_the_message() -> None:
    """As Marketo spells it in several places; nothing is guessed."""
    written = ("jobTitle", "email")
    assert field_named("Value for field 'jobTitle' exceeds max length of 255", written) == "jobTitle"
    assert field_named("Field 'email' not found", written) == "email"
    assert field_named("Invalid value for jobTitle", written) == "jobTitle"
    assert field_named("Invalid data for field 'city'", written) is None
    assert field_named("jobTitle and email are wrong", written) is None


async def test_a_command_for_something_that_marketo_has_not_is_refused() -> None:
    """Rather than to end the process."""
    async with scene() as made:
        held = made.person()
        await made.start()
        odd = msgspec.structs.replace(update(held), operation="qualify")
        stray = update("not-a-number", 1, person="p-2")
        assert answers(await made.apply(odd, stray)) == [("refused", "id"), ("refused", "operation")]


async def test_commands_wait_while_marketo_is_away_and_then_go_out() -> None:
    """Scenario 57: nothing is lost, and nothing else of ours is asked."""
    async with scene(shares={"quota_607": 1.0}) as made:
        made.faults.plan = FaultPlan({})
        held = made.person(jobTitle="CIO")

        class Watch:
            now = 100.0

        async def sleep(seconds: float) -> None:
            Watch.now += seconds
            made.clock.now += seconds
            await asyncio.sleep(0)

        pacer = Pacer(PACE, lambda: Watch.now, sleep)
        await made.start(pacer=pacer, sleep=sleep, quota_pause_seconds_max=3_600.0)
        made.stage.meter.used_up_until = made.clock.now + 3_000.0
        began = made.clock.now
        assert await made.apply(update(held, 1, jobTitle="CTO")) == []
        assert made.clock.now - began >= 3_600.0
        assert Counter(outcome for _, outcome in made.calls)["607"] == 1


async def test_whatever_goes_wrong_every_command_is_done_once() -> None:
    """Everything at once, over several lives; a seeded history."""
    shares = {"dropped_before": 0.1, "dropped_after": 0.1, "timeout_604_after": 0.1, "token_602": 0.1, "rate_606": 0.05}
    async with scene(shares=shares) as made:
        rng = random.Random(5)
        people = [made.person(jobTitle="CIO") for _ in range(10)]
        await made.start()
        for revision in range(1, 15):
            commands = [update(held, revision, person=f"p-{held.id}", city=f"{revision}") for held in people]
            commands += [create(f"new-{revision}-{n}") for n in range(5)]
            rng.shuffle(commands)
            if rng.random() < 0.3:
                write, made.journal.write = made.journal.write, _lost
                await made.apply(*commands)
                made.journal.write = write
                await made.restart()
                await made.apply(*commands, maybe_done=True)
            else:
                await made.apply(*commands)
            await made.read()
        assert all(held.revision == 14 and landings(made, held.id) == 14 for held in people)
        keys = Counter(held.key for held in made.instance.records.values() if held.key is not None)
        assert set(keys.values()) == {1} and len(keys) == 10 + 14 * 5
        assert all(made.journal.known.of_key(key) is not None for key in keys)
        assert made.journal.system == MARKETO
