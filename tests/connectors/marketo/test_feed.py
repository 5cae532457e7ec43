"""The feed against a simulated instance: nothing lost, nothing twice, however it is cut, repeated or broken off."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from schemas.checkpoint import Checkpoint
from schemas.identity import person_key_of
from schemas.vocabulary import MARKETO, OURSELVES
from streams.connectors.journal import Entry as JournalEntry
from streams.connectors.lanes import Given
from streams.connectors.marketo import feed as feed_module
from streams.connectors.marketo import lagging
from streams.connectors.marketo import reading as reading_module
from streams.connectors.marketo.changes import Reading
from streams.connectors.marketo.lagging import LAG_SECONDS
from streams.connectors.marketo.names import REVISION_FIELD
from streams.connectors.options import Options
from streams.connectors.pacing import Priority
from streams.policy import default_policy
from streams.settings import SettingsError
from streams.sync.collision import seconds_of
from streams.sync.messages import SourceChange
from streams.sync.policy import compiled
from streams.sync.values import canonical
from tests.connectors.marketo.scene import PACE, PolicyHeld, Scene, create, kinds, scene, update
from tests.connectors.marketo.test_changes import AT, change

DAY_SECONDS = 86_400.0


def held_values(changes: list[SourceChange]) -> dict[str, dict[str, Any]]:
    """What each record holds by what was told, in canonical form."""
    policy, found = default_policy(), dict[str, dict[str, Any]]()
    for each in changes:
        if each.kind in ("deleted", "merged"):
            found.pop(each.record.id, None)
            continue
        row = found.setdefault(each.record.id, {})
        for name, value in (each.fields or {}).items():
            row[name] = canonical(policy.inbound["person"][name], MARKETO, value)
    return found


def assert_told_as_it_is(made: Scene, changes: list[SourceChange]) -> None:
    """What was told of every living person is what it holds, and what was told has rising versions and ids of its own."""
    policy = default_policy()
    rules = policy.inbound["person"]
    wanted = {
        held.id: {name: canonical(rule, MARKETO, held.values.get(name)) for name, rule in rules.items()}
        for held in made.instance.records.values()
    }
    assert held_values(changes) == wanted
    versions = [each.version for each in changes if each.version is not None]
    assert versions == sorted(set(versions))
    repeated = [name for name, count in Counter(each.change_id for each in changes).items() if count > 1]
    assert repeated == []


async def test_from_the_beginning_everybody_is_told_and_from_now_on_who_changes() -> None:
    """A connector that never ran has to be told which."""
    async with scene() as made:
        held = made.person(jobTitle="CIO")
        made.clock.now += 10
        await made.start()
        assert kinds(await made.read()) == ["created"]
    async with scene() as made:
        held = made.person(jobTitle="CIO")
        made.clock.now += 10
        made.options = Options(PACE, "now")
        await made.start()
        assert await made.read() == []
        made.clock.now += 10
        made.edit(held, jobTitle="CTO")
        created, updated = await made.read()
        assert (created.kind, created.fields["jobTitle"]) == ("created", "CIO")
        assert (updated.kind, updated.fields) == ("updated", {"jobTitle": "CTO"})


async def test_without_a_word_where_to_begin_it_does_not() -> None:
    """The line says what there is to do."""
    async with scene() as made:
        made.options = Options(PACE)
        with pytest.raises(SettingsError, match=r"leadsync bootstrap.*--start-from"):
            await made.start()
        assert made.journal.entries == []


async def test_the_place_where_it_began_is_written_down_at_once() -> None:
    """A crash before the first change must not begin somewhere else."""
    async with scene() as made:
        made.options = Options(PACE, "now")
        await made.start()
        made.clock.now += 1
        held = made.person()
        made.clock.now += 60
        await made.restart()
        assert [each.record.id for each in await made.read()] == [held.id]


async def test_a_history_is_told_as_it_was_under_every_fault() -> None:
    """Scenarios 62 and 63: pages that repeat, pages that are empty and go on; calls that are refused, lost or late."""
    shares = {
        "empty_page": 0.3,
        "repeated_activity": 0.3,
        "dropped_before": 0.1,
        "rate_606": 0.05,
        "token_602": 0.1,
        "edited_between": 0.5,
        "concurrency_615": 0.1,
    }
    async with scene(shares=shares) as made:
        rng, told = random.Random(3), list[SourceChange]()
        await made.start()
        for _ in range(60):
            made.clock.now += 1
            for _ in range(rng.randrange(4)):
                act(made, rng)
            if rng.random() < 0.5:
                told += await made.read()
            if rng.random() < 0.1:
                await made.restart()
        made.faults.plan = type(made.faults.plan)()
        told += await made.read()
        assert_told_as_it_is(made, told)
        assert made.faults.counts["repeated_activity"] and made.faults.counts["empty_page"]
        assert made.instance.is_caught_up()


def act(made: Scene, rng: random.Random) -> None:
    """Somebody does something."""
    living = list(made.instance.records.values())
    what = rng.random()
    if what < 0.3 or len(living) < 3:
        made.person(jobTitle=f"title {rng.random()}")
    elif what < 0.8:
        made.edit(rng.choice(living), jobTitle=f"title {rng.random()}", unsubscribed=rng.random() < 0.5, city=None)
    elif what < 0.9:
        made.delete(rng.choice(living))
    else:
        winner, loser = rng.sample(living, 2)
        made.instance.merge(loser.id, winner.id, "marketing", made.clock.now, ())


async def test_a_crash_before_the_commit_tells_the_same_again() -> None:
    """Scenario 64: ids, versions and all; what is not on Kafka has not been read."""
    async with scene() as made:
        held = made.person(jobTitle="CIO")
        await made.start()
        write, made.journal.write = made.journal.write, None
        with pytest.raises(TypeError):
            await made.feed.poll()
        made.journal.write = write
        lost = made.journal.changes
        await made.restart()
        made.edit(held, jobTitle="CTO")
        told = await made.read()
        assert lost == [] and [(each.kind, each.version) for each in told] == [("created", 1), ("updated", 2)]
        assert told[0].fields["jobTitle"] == "CIO"


async def test_versions_go_on_after_a_restart() -> None:
    """One counter over all records."""
    async with scene() as made:
        one, two = made.person(), made.person()
        await made.start()
        assert [each.version for each in await made.read()] == [1, 2]
        await made.restart()
        made.edit(one, city="Oslo")
        made.delete(two)
        assert [each.version for each in await made.read()] == [3, 4]


async def test_a_long_history_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in one entry with its checkpoint; a write that a part ends in is told whole, by the next."""
    monkeypatch.setattr("streams.connectors.marketo.client.PAGE_MAX", 5)
    monkeypatch.setattr(feed_module, "PAGES_TOLD_MAX", 2)
    async with scene() as made:
        people = [made.person(jobTitle="CIO") for _ in range(6)]
        for turn in range(5):
            for held in people:
                made.clock.now += 1
                made.edit(held, jobTitle=f"CTO {turn}", city=f"Oslo {turn}", state=f"{turn}")
        made.delete(people[0])
        await made.start()
        held_open = 0
        while not made.feed.is_read:
            entries = len(made.journal.entries)
            await made.feed.poll()
            assert len(made.journal.entries) == entries + 1
            held_open += bool(made.journal.checkpoint.held)
            if made.feed.is_read:
                break
            await made.restart()
        assert held_open
        told = [each.change for journal in made.journals for each in journal.changes]
        assert_told_as_it_is(made, told)
        edits = [each for each in told if each.kind == "updated"]
        assert all(len(each.fields or {}) == 3 for each in edits) and len(edits) == 6 * 5


async def test_ends_wait_for_the_changes_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pages these take."""
    monkeypatch.setattr("streams.connectors.marketo.client.PAGE_MAX", 2)
    monkeypatch.setattr(feed_module, "PAGES_TOLD_MAX", 2)
    async with scene() as made:
        held = made.person()
        await made.start()
        await made.read()
        for turn in range(20):
            made.clock.now += 1
            made.edit(held, jobTitle=f"CTO {turn}")
        made.delete(held)
        told = await made.read()
        assert kinds(told) == ["updated"] * 20 + ["deleted"]


async def test_a_row_never_shows_what_came_later() -> None:
    """Not even where it is edited between the reading of the feed and that of the row."""
    async with scene() as made:
        held = made.person(jobTitle="CIO", city="Oslo")
        await made.start()

        async def edit(_ids: Any) -> None:
            made.edit(held, jobTitle="CTO", city=None)

        before_rows(made, edit)
        created, updated = await made.read()
        assert (created.fields["jobTitle"], created.fields["city"]) == ("CIO", "Oslo")
        assert updated.fields == {"jobTitle": "CTO", "city": None} and held.values["city"] is None


async def test_an_edit_that_the_feed_lists_only_later_does_not_pass_for_what_we_made() -> None:
    """In our own row, with our revision, it would pass for something rewritten on save, and lose to an edit in Dynamics without a word."""
    async with scene(indexing_seconds=5.0) as made:
        await made.start()
        await made.apply(create("p-1", fields={"lastName": "Lovelace", "jobTitle": "CTO"}))
        other = made.person()
        [held] = made.of_key("p-1#1")
        made.clock.now += 4
        made.edit(held, jobTitle="CIO")
        made.clock.now += 2
        assert [each.record.id for each in await made.read()] == [other.id]  # who does not wait for anybody else
        made.clock.now += 5
        created, edited = await made.read()
        assert (created.kind, created.revision, (created.fields or {})["jobTitle"]) == ("created", 1, "CTO")
        assert (edited.fields, edited.revision, edited.who) == ({"jobTitle": "CIO"}, None, "marketing")


async def test_an_edit_in_the_very_second_of_our_creation_does_not_pass_for_what_we_made_either() -> None:
    """Times are in whole seconds: the creation is as young as its row, and what came after it in that second is yet to be listed."""
    async with scene(indexing_seconds=5.0) as made:
        await made.start()
        await made.apply(create("p-1", fields={"lastName": "Lovelace", "jobTitle": "CTO"}))
        [held] = made.of_key("p-1#1")
        made.clock.now += 0.6
        made.edit(held, jobTitle="CIO")
        made.clock.now += 4.7
        created, edited = await made.read()
        assert (created.revision, (created.fields or {})["jobTitle"]) == (1, "CTO")
        assert (edited.fields, edited.revision, edited.time) == ({"jobTitle": "CIO"}, None, created.time)


async def test_what_waits_for_the_feed_outlives_the_connector() -> None:
    """The position has gone on; the next life has the entries from the checkpoint, and reads the row again."""
    async with scene(indexing_seconds=5.0) as made:
        held = made.person(jobTitle="CTO")
        await made.start()
        made.clock.now += 4
        made.edit(held, jobTitle="CIO")
        made.clock.now += 2
        assert await made.read() == []
        await made.restart()
        assert await made.read() == []
        made.clock.now += 5
        told = await made.read()
        assert [(each.kind, (each.fields or {})["jobTitle"]) for each in told] == [
            ("created", "CTO"),
            ("updated", "CIO"),
        ]


async def test_an_update_that_is_never_listed_is_waited_for_a_minute_and_costs_no_call() -> None:
    """Of a field that is not mapped: it moves the person's time too."""
    async with scene() as made:
        held = made.person(jobTitle="CTO")
        await made.start()
        made.clock.now += 4
        made.instance._touch(held, "a campaign", made.clock.now)
        for _ in range(5):
            entries = len(made.journal.entries)
            assert await made.read() == []
            made.clock.now += LAG_SECONDS / 5 - 2
        assert made.calls.outcomes("leads") == ["success"] and len(made.journal.entries) == entries
        made.clock.now += 10
        assert kinds(await made.read()) == ["created"]
        assert made.calls.outcomes("leads") == ["success"]


@pytest.mark.parametrize("is_merged", [False, True])
async def test_who_ends_waits_no_longer(is_merged: bool) -> None:
    """What the feed has of them before their end is everything."""
    async with scene(indexing_seconds=5.0) as made:
        held, winner = made.person(jobTitle="CTO"), made.person()
        await made.start()
        made.clock.now += 4
        made.edit(held, jobTitle="CIO")
        made.clock.now += 2
        assert [each.record.id for each in await made.read()] == [winner.id]
        if is_merged:
            made.instance.merge(held.id, winner.id, "marketing", made.clock.now)
        else:
            made.delete(held)
        made.clock.now += 6
        told = [each for each in await made.read() if each.record.id == held.id]
        assert kinds(told) == ["created", "updated", "merged" if is_merged else "deleted"]
        assert (told[0].fields or {})["jobTitle"] == "CTO"


async def _merged_while_we_write(made: Scene) -> Any:
    """A winner that the feed shows as merged; its row shows our write as well, and the feed lists that five seconds later."""
    winner, loser = made.person(jobTitle="CTO"), made.person(phone="+1")
    await made.start()
    made.clock.now += 70
    await made.read()
    made.instance.merge(loser.id, winner.id, "marketing", made.clock.now, ("phone",))
    made.clock.now += 4
    await made.apply(update(winner, 1, person=person_key_of(MARKETO, winner.id), jobTitle="CIO"))
    made.clock.now += 2
    assert [(each.kind, each.record.id) for each in await made.read()] == [("merged", loser.id)]
    return winner


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_write_of_ours_does_not_pass_for_what_a_merge_brought(is_restarted: bool) -> None:
    """The winner's row showed it before the feed did. What happened to the loser is told at once, and once."""
    async with scene(indexing_seconds=5.0) as made:
        winner = await _merged_while_we_write(made)
        if is_restarted:
            await made.restart()
        calls = made.calls.outcomes("leads").count("success")
        assert await made.read() == []
        assert made.calls.outcomes("leads").count("success") == calls + is_restarted
        made.clock.now += 5
        taken, written, row = await made.read()
        assert (taken.revision, taken.fields) == (None, {"phone": "+1"})
        assert (written.revision, written.fields) == (1, {"jobTitle": "CIO"})
        assert (row.record.id, row.scope, row.revision) == (winner.id, "row", None)
        assert {**(row.fields or {}), "jobTitle": "CIO", "phone": "+1"} == row.fields
        made.clock.now += 70
        assert await made.read() == [] and made.journal.checkpoint.held == ()


async def test_a_winner_that_is_edited_while_much_comes_is_told_as_it_is_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edit was told in an earlier part of what came than the winner's row, which would undo it."""
    monkeypatch.setattr("streams.connectors.marketo.client.PAGE_MAX", 2)
    monkeypatch.setattr(feed_module, "PAGES_TOLD_MAX", 1)
    async with scene(indexing_seconds=5.0) as made:
        winner = await _merged_while_we_write(made)
        made.clock.now += 1
        made.edit(winner, city="Oslo")
        others = [made.person(city="Bonn") for _ in range(8)]
        made.clock.now += 10
        told = await made.read()
        made.clock.now += 70
        told += await made.read()
        assert {each.record.id for each in told} == {winner.id, *(each.id for each in others)}
        (row,) = [each for each in told if each.record.id == winner.id and each.scope == "row"]
        assert {**(row.fields or {}), "city": "Oslo", "jobTitle": "CIO"} == row.fields


async def test_a_winner_whose_row_shows_what_is_never_listed_waits_a_minute_whatever_else_comes() -> None:
    """Each reading may find it younger than the last one."""
    async with scene(indexing_seconds=5.0) as made:
        winner = await _merged_while_we_write(made)
        told = []
        for n in range(7):
            made.edit(winner, city=f"City {n}")
            made.clock.now += 10
            made.instance._touch(winner, "a campaign", made.clock.now)
            told += await made.read()
        (row,) = [each for each in told if each.scope == "row"]
        listed = [(each.fields or {})["city"] for each in told if set(each.fields or {}) == {"city"}]
        assert listed == [f"City {n}" for n in range(7)] and (row.fields or {})["city"] in listed[5:]


@pytest.mark.parametrize(("limit", "most"), [("WAITING_MAX", 2), ("WAITING_BYTES_MAX", 400)])
def test_so_many_entries_wait_and_whoever_is_one_more_is_told(
    limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand in the checkpoint."""
    monkeypatch.setattr(lagging, limit, most)
    entries = [change(n, lead=str(n), city=("Oslo", "Rome")) for n in range(3)]
    now = (seconds_of(AT) or 0.0) + 5.0
    read = {str(n): lagging.RowRead({}, now - 1.0, now, now) for n in range(3)}
    told, waiting = lagging.split_waiting(Reading(entries), read, now)
    assert ([each.guid for each in told.entries], [each.guid for each in waiting]) == (["2"], ["0", "1"])
    told, waiting = lagging.split_waiting(Reading(entries), read, now, [change(9, lead="9", city=("Oslo", "Rome"))])
    assert ([each.guid for each in told.entries], [each.guid for each in waiting]) == (["1", "2"], ["0", "9"])


def test_a_row_of_ours_that_is_read_anew_waits_for_its_own_second() -> None:
    """Whatever it has waited for before."""
    updated_at, entry = seconds_of(AT) or 0.0, change(1, city=("Oslo", "Rome"))
    row = lagging.RowRead({REVISION_FIELD: 7}, updated_at, updated_at + 5.0, updated_at - 20.0)
    assert not row.is_listed_by(entry, updated_at + 5.5)
    assert row.is_listed_by(entry, updated_at + 6.0)


def before_rows(made: Scene, act_once: Any) -> None:
    """Something happens between the reading of the feed and that of the rows."""
    leads_by, acts = made.connector.leads_by, [act_once]

    async def late(*arguments: Any) -> Any:
        if acts:
            await acts.pop()(arguments)
        return await leads_by(*arguments)

    made.connector.leads_by = late  # type: ignore[method-assign]


async def test_deleted_between_feed_and_row() -> None:
    """What it was made with nobody knows; what was edited is told, and then its end, a merge's too, once."""
    async with scene() as made:
        one, two, three = made.person(), made.person(), made.person()
        made.edit(one, city="Oslo")
        made.edit(two, city="Oslo")
        await made.start()

        async def end(_ids: Any) -> None:
            made.delete(one)
            made.instance.merge(two.id, three.id, "marketing", made.clock.now)

        before_rows(made, end)
        told = await made.read()
        assert [(each.kind, each.record.id) for each in told if each.record.id != three.id] == [
            ("updated", one.id),
            ("updated", two.id),
            ("merged", two.id),
            ("deleted", one.id),
        ]
        assert_told_as_it_is(made, told)


async def test_the_landing_of_a_create_stands_in_its_row() -> None:
    """With person, number and revision, though the answer may come later."""
    async with scene() as made:
        await made.start()
        [result] = await made.apply(create("p-1"))
        [created] = await made.read()
        assert result.record == created.record
        assert (created.kind, created.revision, created.person_key, created.creation) == ("created", 1, "p-1", 1)
        assert created.who == OURSELVES


async def test_an_answer_that_is_late_does_not_undo_what_the_feed_told() -> None:
    """The entry of a create may be written after the feed showed, and ended, its record."""
    async with scene() as made:
        await made.start()
        write, kept = made.journal.write, []

        async def later(entry: Any) -> None:
            kept.append(entry)

        made.journal.write = later
        await made.apply(create("p-1"))
        made.journal.write = write
        [held] = made.of_key("p-1#1")
        assert kinds(await made.read()) == ["created"]
        made.delete(held)
        await made.read()
        await made.journal.write(kept[0])
        known = made.journal.known.get(held.id)
        assert (known.state, known.key) == ("deleted", "p-1#1") and known.version > 0
        assert [each.answer for each in await made.apply(create("p-1"), maybe_done=True)] == ["gone"]


async def test_what_an_applier_writes_just_before_is_known_to_what_the_feed_tells() -> None:
    """A commit takes its time: whose the record is may have been written since the feed was read."""
    async with scene() as made:
        await made.start()
        write = made.journal.write
        answered = await made.applier.apply([Given(create("p-1"))], Priority.FIRST)
        [held] = made.of_key("p-1#1")
        made.delete(held)

        async def overtaken(entry: Any) -> None:
            made.journal.write = write
            await write(answered)
            await write(entry)

        made.journal.write = overtaken
        await made.read()
        told = [each.change for each in made.journal.changes]
        assert [(each.kind, each.person_key) for each in told] == [
            ("linked", "p-1"),
            ("created", "p-1"),
            ("deleted", "p-1"),
        ]
        known = made.journal.known.get(held.id)
        assert (known.state, known.key) == ("deleted", "p-1#1")


async def test_fields_follow_the_policy_in_force() -> None:
    """What is no longer mapped is no longer asked for."""
    async with scene() as made:
        held = made.person(jobTitle="CIO", city="Oslo")
        await made.start()
        await made.read()
        fields = default_policy().fields
        less = compiled("less", {name: rule for name, rule in fields.items() if name != "job_title"}, {})
        made.policies.in_force = less
        made.edit(held, jobTitle="CTO")
        made.edit(held, city="Rome")
        assert [each.fields for each in await made.read()] == [{"city": "Rome"}]


async def test_a_field_mapped_meanwhile_is_asked_for_in_what_was_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that were read for other fields are read again."""
    monkeypatch.setattr("streams.connectors.marketo.client.PAGE_MAX", 2)
    monkeypatch.setattr(feed_module, "PAGES_TOLD_MAX", 1)
    async with scene() as made:
        held = made.person()
        fields = default_policy().fields
        more, made.policies.in_force = (
            made.policies.in_force,
            compiled("less", {name: rule for name, rule in fields.items() if name != "job_title"}, {}),
        )
        await made.start()
        for turn in range(6):
            made.clock.now += 1
            made.edit(held, city=f"Oslo {turn}", jobTitle=f"CTO {turn}")
        await made.feed.poll()
        assert made.feed.changes.pages
        made.policies.in_force = more
        told = await made.read()
        assert [each.fields["jobTitle"] for each in told if "jobTitle" in each.fields][-1] == "CTO 5"


async def test_a_field_that_marketo_lacks_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Everything else goes on."""
    async with scene() as made:
        fields = dict(default_policy().fields)
        fields["score"] = msgspec.structs.replace(fields["job_title"], name="score", marketo="salesScore")
        made.policies = PolicyHeld(compiled("more", fields, {}))
        made.person(jobTitle="CIO")
        await made.start()
        assert "salesScore" not in (await made.read())[0].fields
        await made.read()
        assert [record.getMessage() for record in caplog.records if "salesScore" in record.getMessage()] == [
            "Marketo has no field salesScore, which the policy maps: it is left out"
        ]


async def test_without_our_fields_it_does_not_begin() -> None:
    """The line says who makes them."""
    async with scene(with_our_fields=False) as made:
        with pytest.raises(SettingsError, match="leadsync setup"):
            await made.start()


@pytest.mark.parametrize("token", ["not a token", "MFXXI===", ""])
async def test_a_place_that_marketo_does_not_know_any_more_is_no_place_to_go_on(token: str) -> None:
    """The line says what does."""
    async with scene() as made:
        made._checkpoint = Checkpoint(system=MARKETO, positions={"changes": token, "ends": token}, version=7)
        await made.start()
        with (
            pytest.raises(SettingsError, match="leadsync bootstrap") if token else pytest.raises(Exception, match="701")
        ):
            await made.feed.poll()


async def test_after_ninety_days_nobody_can_tell_what_is_missing() -> None:
    """Marketo prunes changes of values."""
    async with scene() as made:
        await made.start()
        await made.read()
        made.clock.now += 91 * DAY_SECONDS
        with pytest.raises(SettingsError, match=r"90 days.*leadsync bootstrap"):
            await made.restart()


async def test_an_idle_connector_keeps_its_place_fresh() -> None:
    """Else ninety quiet days would look like ninety days off."""
    async with scene() as made:
        await made.start()
        for _ in range(100):
            made.clock.now += DAY_SECONDS
            await made.feed.poll()
        await made.restart()
        made.person()
        assert kinds(await made.read()) == ["created"]


async def test_an_idle_day_costs_no_more_than_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 7,500 calls, tokens and descriptions included (domain, 1.10)."""
    async with scene() as made:
        made.options = Options(PACE, "now")
        await made.start()
        made.columns._clock = made.clock
        end = made.clock.now + DAY_SECONDS
        before = len(made.calls)

        class DayOver(Exception):  # noqa: N818
            pass

        async def rest(seconds: float) -> None:
            made.clock.now += seconds
            if made.clock.now >= end:
                raise DayOver

        monkeypatch.setattr(made.feed, "_rest", rest)
        with pytest.raises(DayOver):
            await made.feed.run()
        assert len(made.calls) - before <= 7_500
        assert made.calls.outcomes("activities").count("success") > 2_800


async def test_what_was_written_is_looked_for_soon() -> None:
    """A landing must not wait for an idle connector's next look."""
    async with scene() as made:
        made.options = Options(PACE, "beginning", busy_seconds=0.01, idle_seconds=600.0)
        await made.start()
        resting = asyncio.create_task(made.feed._rest(600.0))
        await asyncio.sleep(0)
        made.feed.expect()
        await asyncio.wait_for(resting, 5)


async def test_what_was_held_is_told_when_nothing_follows_it() -> None:
    """A part ended in a write, and that was the end of the feed."""
    async with scene() as made:
        held = made.person()
        await made.start()
        await made.read()
        entry = change(1, lead=held.id, city=(None, "Oslo"))
        left = made.journal.checkpoint.model_copy(update={"held": (msgspec.json.encode(entry).decode(),)})
        await made.journal.write(JournalEntry(checkpoint=left))
        await made.restart()
        assert [each.fields for each in await made.read()] == [{"city": "Oslo"}]
        assert made.journal.checkpoint.held == ()


async def test_values_of_rows_and_feeds_are_one_in_canonical_form() -> None:
    """Booleans, numbers, dates and times: told by the row first, then by the feed, then by another row."""
    values: dict[str, Any] = {
        "unsubscribed": True,
        "annualRevenue": 1250.5,
        "microsoftCreatedDate": "2026-09-01T09:14:07Z",
    }
    other: dict[str, Any] = {"unsubscribed": False, "annualRevenue": 12, "microsoftCreatedDate": "2026-10-02T00:00:00Z"}
    async with scene() as made:
        one, two = made.person(**values), made.person(**other)
        await made.start()
        told = await made.read()
        made.edit(one, **other)
        made.edit(two, **values)
        rows = held_values(told)
        swapped = held_values([*told, *await made.read()])
        assert {name: swapped[one.id][name] for name in values} == {name: rows[two.id][name] for name in values}
        assert {name: swapped[two.id][name] for name in values} == {name: rows[one.id][name] for name in values}


def test_repeats_are_dropped_within_a_reading_and_across() -> None:
    """By marketoGUID."""
    entries = [change(1), change(2), change(1), change(3)]
    assert [each.guid for each in reading_module.without_repeats(entries, ("3",))] == ["1", "2"]


async def test_an_edit_that_a_page_repeats_behind_a_merges_row_is_not_taken_out_of_that_row() -> None:
    """It was told before, and passed for one that came after the row: the winner's row undid it."""
    async with scene() as made:
        winner, loser, other = made.person(city="Bonn"), made.person(phone="+1"), made.person()
        await made.start()
        await made.read()
        made.clock.now += 5
        made.edit(winner, city="Oslo")
        await made.read()
        made.clock.now += 65
        made.instance.merge(loser.id, winner.id, "marketing", made.clock.now)

        async def edit(_ids: Any) -> None:
            made.faults.arrange("repeated_activity")
            made.edit(other, city="Rome")

        before_rows(made, edit)
        made.clock.now += 1
        told = await made.read()
        assert made.faults.counts["repeated_activity"] == 1
        assert [(each.fields or {})["city"] for each in told if each.scope == "row"] == ["Oslo"]


async def test_who_waits_and_comes_to_stand_for_another_person_is_told_as_they_are_then() -> None:
    """Their row was read when they were new; what a campaign has changed since would be lost with it."""
    async with scene() as made:
        held = made.person(jobTitle="CIO", email="ada@example.com")
        await made.start()
        made.clock.now += 2
        made.instance._touch(held, "a campaign", made.clock.now)  # an unmapped field, say
        assert kinds(await made.read()) == []
        made.clock.now += 3
        made.edit(held, jobTitle="CTO")
        made.clock.now += 2
        await made.apply(update(held, 1, person="heir"))
        told = await made.read()
        assert told[-1].person_key == "heir" and told[-1].fields is not None
        assert told[-1].scope == "row" and told[-1].fields["jobTitle"] == "CTO"
