"""Change tracking, read from a simulated organisation: what is told, once, in whose stream."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics import feed as feeds
from streams.connectors.dynamics.verdict import DELTA_EXPIRED
from streams.connectors.known import KnownRecord
from streams.connectors.options import Options
from streams.connectors.rest import Refused
from streams.policy.files import default_policy_text, default_rule_texts
from streams.policy.reading import read_policy
from streams.settings import SettingsError
from streams.sync.messages import Record
from tests.connectors.dynamics.scene import BEGINNING, PACE, SAM, SECRET, create, qualify, scene, update


def small_pages(monkeypatch: pytest.MonkeyPatch, rows: int = 3) -> None:
    """Many pages for few rows."""
    monkeypatch.setattr(feeds, "PREFER", feeds.PREFER.replace("1000", str(rows)))


async def test_every_row_is_told_once_and_then_only_what_changes() -> None:
    """Whole rows, with whoever changed them last; a reading of nothing writes nothing down."""
    async with scene() as made:
        first, second = made.lead(jobtitle="CIO"), made.contact()
        await made.start()
        assert [(change.kind, change.record.id) for change in await made.read()] == [
            ("created", first.id),
            ("created", second.id),
        ]
        entries = len(made.journal.entries)
        assert await made.read() == [] and len(made.journal.entries) == entries
        made.edit(first, jobtitle="CTO")
        [change] = await made.read()
        assert (change.kind, change.who, change.fields["jobtitle"]) == ("updated", SAM, "CTO")
        assert change.version == first.version and change.scope == "row"
        await made.read()
        assert made.instance.is_caught_up()


async def test_a_restart_goes_on_where_it_was_committed() -> None:
    """Even where the last link was not written down, no row is told twice."""
    async with scene() as made:
        held = made.lead()
        await made.start()
        await made.read()
        made.edit(held, jobtitle="CTO")
        await made.restart()
        assert [change.kind for change in await made.read()] == ["updated"]
        committed = made.journal
        await made.restart()
        made._left_at = None
        assert await made.read() == []
        assert committed.checkpoint is not None


async def test_a_first_reading_is_resumed_at_the_page_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is one entry, with the link of the next."""
    small_pages(monkeypatch)
    async with scene() as made:
        leads = [made.lead(jobtitle=str(n)) for n in range(10)]
        await made.start()
        told = 0
        made.journal.write, write = None, made.journal.write

        async def dies_later(entry: object) -> None:
            nonlocal told
            told += 1
            if told == 3:
                raise ConnectionError("killed")
            await write(entry)

        made.journal.write = dies_later
        with pytest.raises(ConnectionError):
            await made.read()
        assert len(made.journal.changes) == 6
        before = made.journal.changes
        pages = made.instance.calls["GET leads delta"]
        await made.restart()
        after = await made.read()
        assert {change.record.id for _, change in before} | {c.record.id for c in after} == {held.id for held in leads}
        assert len(before) + len(after) == 10
        assert made.instance.calls["GET leads delta"] - pages == 2


@pytest.mark.parametrize("start_from", ["beginning", "now"])
async def test_a_first_reading_whose_link_has_expired_begins_anew(
    monkeypatch: pytest.MonkeyPatch, start_from: str
) -> None:
    """It was left for too long: nothing is told twice, and what has gone meanwhile is told."""
    small_pages(monkeypatch)
    async with scene() as made:
        leads = [made.lead() for _ in range(7)]
        made.options = replace(BEGINNING, start_from=start_from)
        await made.start()
        positions = {"leads": f"{made.address}/api/data/v9.2/leads?$deltatoken=1", "leads.first": "tell"}
        positions["leads.select"] = (await made.organisation.columns())["lead"].digest
        if start_from == "now":
            positions["leads.first"] = "learn"
        await made.read()
        made.delete(leads[0])
        made._left_at = Checkpoint(system=DYNAMICS, positions=positions)
        made.journal.entries.clear()
        await made.restart()
        told = await made.read()
        assert [change.kind for change in told] == (["deleted"] if start_from == "beginning" else [])


@pytest.mark.parametrize("start_from", ["beginning", "now"])
async def test_what_we_created_and_somebody_deleted_before_the_first_reading_is_told_as_deleted(
    start_from: str,
) -> None:
    """A first reading shows whoever is there, and no deletions."""
    async with scene() as made:
        there = made.lead()
        made.options = replace(BEGINNING, start_from=start_from)
        await made.start()
        command = create()
        await made.apply(command)
        made.delete(made.held(command.record.id))
        told = [(change.kind, change.record.id) for change in await made.read()]
        assert told == [("deleted", command.record.id), *([("created", there.id)] if start_from == "beginning" else [])]
        assert await made.read() == []


@pytest.mark.parametrize("start_from", ["beginning", "now"])
async def test_the_contact_that_our_lead_became_and_somebody_deleted_before_the_first_reading_is_told_as_deleted(
    start_from: str,
) -> None:
    """It holds no key of ours yet, and stands for the lead's person all the same."""
    async with scene() as made:
        made.options = replace(BEGINNING, start_from=start_from)
        await made.start()
        lead = create().record
        await made.apply(create())
        [answer] = await made.apply(qualify(lead))
        made.delete(made.held(answer.record.id))
        assert [(change.kind, change.record) for change in await made.read()] == [("deleted", answer.record)]
        assert made.journal.changes[-1].stream == lead.id and await made.read() == []


async def test_starting_now_tells_nothing_but_learns_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is told as an update, in the right stream; also after a restart in the middle."""
    small_pages(monkeypatch)
    async with scene() as made:
        leads = [made.lead() for _ in range(7)]
        contact = made.instance.qualify(leads[0].id, SAM, time.time())
        made.options = replace(BEGINNING, start_from="now")
        await made.start()
        assert await made.read() == []
        assert len(made.journal.known) == 8
        assert made.journal.known.get(contact.id).stream == leads[0].id
        assert made.journal.known.get(leads[0].id).state == "closed"
        made.edit(contact, jobtitle="CTO")
        await made.restart()
        assert [change.kind for change in await made.read()] == ["updated"]
        assert made.journal.changes[-1].stream == leads[0].id


async def test_it_does_not_begin_on_its_own_authority() -> None:
    """Somebody says where: the bootstrap, or an option."""
    async with scene() as made:
        made.options = Options(PACE)
        with pytest.raises(SettingsError, match=r"leadsync bootstrap.*--start-from"):
            await made.start()


async def test_an_expired_link_leads_to_a_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenario 61: only real differences become changes, and absent rows become deletions."""
    small_pages(monkeypatch)
    async with scene() as made:
        leads = [made.lead(jobtitle=str(n)) for n in range(8)]
        contact = made.contact()
        await made.start()
        await made.read()
        made.edit(leads[1], jobtitle="CTO")
        made.delete(leads[2])
        made.delete(contact)
        fresh = made.lead()
        made.faults.plan.shares["expired_delta"] = 1.0
        told = await made.read()
        assert [(change.kind, change.record.id) for change in told] == [
            ("updated", leads[1].id),
            ("created", fresh.id),
            ("deleted", leads[2].id),
            ("deleted", contact.id),
        ]
        assert made.instance.calls["batch GET leads(id)"] == 1  # only what is absent is asked for
        made.faults.plan.shares["expired_delta"] = 0.0
        assert await made.read() == []


async def test_a_comparison_whose_link_has_expired_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """It took too long: what was told stays told, and nothing is taken for absent."""
    small_pages(monkeypatch)
    async with scene() as made:
        leads = [made.lead() for _ in range(10)]
        await made.start()
        await made.read()
        made.faults.plan.shares["expired_delta"] = 1.0
        made.edit(leads[0], jobtitle="CTO")
        made.delete(leads[9])
        page, asked = made.clients[0].page, 0

        async def expires_once(link: str, **members: object) -> object:
            nonlocal asked
            asked += "skiptoken" in link
            if asked == 2:
                asked += 1
                raise Refused(DELTA_EXPIRED, "Version stamp associated with the client has expired.", 400)
            return await page(link, **members)

        made.clients[0].page = expires_once
        told = await made.read()
        assert [(change.kind, change.record.id) for change in told] == [
            ("updated", leads[0].id),
            ("deleted", leads[9].id),
        ]
        made.faults.plan.shares["expired_delta"] = 0.0
        assert await made.read() == [] and made.instance.is_caught_up()


async def test_a_record_that_was_only_announced_is_not_absent() -> None:
    """Its create may still be under way: a deletion would be a lie."""
    async with scene() as made:
        held = made.lead()
        await made.start()
        await made.read()
        announced = Record(DYNAMICS, "lead", "11111111-0000-0000-0000-000000000001")
        made.journal.known.learn(KnownRecord(record=announced, stream=announced.id, key="p-1#1"))
        made.faults.plan.shares["expired_delta"] = 1.0
        assert await made.read() == [] and held.state == "open"


async def test_a_record_that_shows_again_when_it_is_asked_for_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may pass over a record that was written while it was read: only a read by id confirms a deletion."""
    async with scene() as made:
        held = made.lead()
        await made.start()
        await made.read()
        made.faults.plan.shares["expired_delta"] = 1.0
        page = made.feed._client.page

        async def without_rows(*arguments: object, **options: object):
            found = await page(*arguments, **options)
            return replace(found, rows=()) if "leads?" in str(arguments[0]) else found

        monkeypatch.setattr(made.feed._client, "page", without_rows)
        made.edit(held, jobtitle="CTO")
        assert [change.kind for change in await made.read()] == ["updated"]
        assert made.journal.known.get(held.id).state == "living"


async def test_other_columns_than_the_link_was_made_for_lead_to_a_comparison() -> None:
    """A new policy asks for another row; what is not newer is not told again."""
    async with scene() as made:
        shipped, held = made.policies.in_force, made.lead(jobtitle="CIO")
        text = default_policy_text().replace("  job_title:      {marketo: jobTitle, dynamics: jobtitle}\n", "")
        made.policies.in_force = read_policy(text, default_rule_texts())
        await made.start()
        [change] = await made.read()
        assert "jobtitle" not in change.fields
        made.policies.in_force = shipped
        assert await made.read() == []
        made.edit(held, lastname="Byron")
        [change] = await made.read()
        assert (change.fields["lastname"], change.fields["jobtitle"]) == ("Byron", "CIO")


async def test_a_column_that_is_deleted_in_dynamics_is_left_out_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    """Scenario 24, milder: one warning names it, and the other fields go on."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        await made.read()
        made.instance.schema.tables["lead"].remove("jobtitle")
        made.edit(held, lastname="Byron")
        [change] = await made.read()
        assert "jobtitle" not in change.fields and change.fields["lastname"] == "Byron"
        assert await made.read() == []
    assert [r.message for r in caplog.records if "jobtitle" in r.message] == [
        "lead has no column jobtitle, which the policy names: it is not synced"
    ]


async def test_the_sync_filters_word_is_stated_as_it_stands() -> None:
    """Scenario 40: absent, null, Yes, No; it is for the core to say what follows."""
    async with scene() as made:
        filtered = [made.lead(new_synctomkto=value) for value in (None, True, False)]
        await made.start()
        told = {change.record.id: change.fields for change in await made.read()}
        assert [told[held.id]["new_synctomkto"] for held in filtered] == [None, True, False]
    async with scene() as made:
        made.instance.schema.tables["lead"].remove("new_synctomkto")
        made.lead()
        await made.start()
        [change] = await made.read()
        assert "new_synctomkto" not in change.fields


async def test_a_qualified_lead_is_told_as_converted_and_its_contact_in_its_stream() -> None:
    """Scenario 44's rows: the contact is found by a query, since it was never seen before."""
    async with scene() as made:
        lead = made.lead(jobtitle="CTO")
        await made.start()
        await made.read()
        made.instance.edit_ours(lead, SAM, {"revision": 7}, False, time.time())
        contact = made.instance.qualify(lead.id, SAM, time.time())
        converted, created = await made.read()
        assert (converted.kind, converted.record.id, converted.contact) == ("converted", lead.id, contact.record)
        assert converted.revision == 7  # which landed on the lead, and so on the contact
        assert (created.kind, created.record, created.person_key) == ("created", contact.record, None)
        assert [stream for stream, _ in made.journal.changes] == [lead.id] * 3
        made.delete(contact)
        [deleted] = await made.read()
        assert (deleted.kind, deleted.record.type) == ("deleted", "contact")
        assert made.journal.changes[-1].stream == lead.id


async def test_a_merged_loser_names_the_winner_and_for_whom_it_stands() -> None:
    """By what is known of the winner, or by its row where nothing is."""
    async with scene() as made:
        loser, winner, other, unseen = (made.lead() for _ in range(4))
        made.instance.edit_ours(winner, SAM, {"key": "p-9#1"}, False, time.time())
        await made.start()
        await made.read()
        made.instance.merge(loser.id, winner.id, SAM, time.time())
        [merged] = [change for change in await made.read() if change.kind == "merged"]
        assert (merged.record.id, merged.winner, merged.winner_person_key) == (loser.id, winner.record, "p-9")
        assert made.instance.calls["batch GET leads(id)"] == 0  # it is known
        made.instance.edit_ours(unseen, SAM, {"key": "p-8#1"}, False, time.time())
        made.journal.known._by_id.pop(unseen.id)
        made.instance.merge(other.id, unseen.id, SAM, time.time())
        merged = next(change for change in await made.read() if change.kind == "merged")
        assert merged.winner_person_key == "p-8"


async def test_a_disqualified_lead_is_a_row_like_any_other() -> None:
    """Somebody may open it again."""
    async with scene() as made:
        lead = made.lead()
        await made.start()
        await made.read()
        made.edit(lead, statecode=2, statuscode=4)
        [change] = await made.read()
        assert (change.kind, change.fields["statecode"]) == ("updated", 2)
        assert made.journal.known.get(lead.id).state == "living"


async def test_a_deleted_record_that_dynamics_restores_is_passed_over_and_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its person may have another record by then; but whoever restored it must be able to learn why nothing happens."""
    async with scene() as made:
        held = made.lead(jobtitle="CIO")
        await made.start()
        await made.read()
        made.delete(held)
        assert [change.kind for change in await made.read()] == ["deleted"] and "is back" not in caplog.text
        back = made.instance.create_under("lead", held.id, SAM, {"lastname": "Lovelace"}, time.time())
        assert await made.read() == []
        made.edit(back, jobtitle="CEO")
        assert await made.read() == []
        told = [record.message for record in caplog.records if "is back in Dynamics" in record.message]
        assert len(told) == 1 and told[0].startswith(f"lead {held.id} was deleted")


async def test_what_was_created_and_deleted_between_two_readings_is_told_as_deleted() -> None:
    """Domain, D12: in its own stream; nobody's person takes notice. A second tombstone is no news."""
    async with scene() as made:
        await made.start()
        await made.read()
        held = made.lead()
        made.delete(held)
        [deleted] = await made.read()
        assert (deleted.kind, deleted.version, deleted.record) == ("deleted", 1, held.record)
        await made.restart()
        made._left_at = None
        assert await made.read() == []


async def test_a_qualified_lead_whose_contact_is_gone_is_told_as_deleted() -> None:
    """Both happened between two readings: nobody can say which contact it was, but the person has no record any more."""
    async with scene() as made:
        lead = made.lead()
        await made.start()
        await made.read()
        contact = made.instance.qualify(lead.id, SAM, time.time())
        made.delete(contact)
        told = await made.read()
        assert [(change.kind, change.record) for change in told] == [
            ("deleted", lead.record),
            ("deleted", contact.record),
        ]
        [answer] = await made.apply(update(lead, jobtitle=(None, "CTO")))
        assert (answer.answer, answer.gone) == ("gone", "deleted")


async def test_nothing_secret_and_no_value_stands_in_what_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Ids and names of columns only."""
    caplog.set_level(logging.DEBUG)
    async with scene({"server_5xx_after": 0.3, "expired_delta": 0.5}) as made:
        leads = [made.lead(jobtitle="a value of somebody's") for _ in range(3)]
        await made.start()
        for turn in range(5):
            made.edit(leads[0], jobtitle=f"a value of somebody's {turn}")
            await made.read()
    assert SECRET not in caplog.text and "a value" not in caplog.text


async def test_a_link_that_only_moves_on_is_written_down_now_and_then() -> None:
    """It stays valid for days; one entry a minute is enough."""
    now = [0.0]
    async with scene() as made:
        await made.start()
        await made.read()
        made.feed._clock = lambda: now[0]
        made.feed._written_at = 0.0
        made.instance.clock = lambda: time.time() + now[0]
        for now[0] in (1.0, 59.0, 61.0, 62.0):
            await made.read()
            written = len(made.journal.entries)
            assert written == (2 if now[0] < 60 else 3)
