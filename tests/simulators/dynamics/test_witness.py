"""What the witness is told of what comes by REST, and when: the oracle of the demo relies on it."""

from __future__ import annotations

import aiohttp
import pytest

from schemas.vocabulary import OURSELVES
from streams.simulators.dynamics.directory import API_USER, user_id_of
from streams.sync.messages import ApplyCommand
from tests.simulators.dynamics.organisation import LEAD_ID, QUALIFY, organisation
from tests.simulators.dynamics.test_batch import batch, part

QUALIFY_LEAD = "Microsoft.Dynamics.CRM.QualifyLead"


async def test_a_write_with_our_revision_is_a_commands_write() -> None:
    """Person and creation come from the key; our two columns are no fields of it."""
    async with organisation() as org:
        lead_id = await org.synced_lead(jobtitle="CTO")
        body = {"jobtitle": "CEO", "new_leadsynckey": "p-1#1", "new_leadsyncrevision": 2}
        assert (await org.ask("PATCH", f"leads({lead_id})", body, If_Match="*")).status == 204
        ((_, _, created),) = org.told.of("created")
        ((_, _, landed),) = org.told.of("landed")
        assert isinstance(created, ApplyCommand) and isinstance(landed, ApplyCommand)
        assert (created.operation, created.person_key, created.creation, created.revision) == ("create", "p-1", 1, 1)
        assert created.fields == {"lastname": "Lovelace", "jobtitle": "CTO"}
        assert (landed.operation, landed.revision, landed.fields) == ("update", 2, {"jobtitle": "CEO"})
        held = org.instance.records[lead_id]
        assert (held.who, held.key, held.revision, held.person_key) == (OURSELVES, "p-1#1", 2, "p-1")
        assert org.told.of("entered") == []


async def test_the_key_that_a_record_holds_already_need_not_be_sent_again() -> None:
    """The revision alone makes it a command's write then."""
    async with organisation() as org:
        lead_id = await org.synced_lead()
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CEO", "new_leadsyncrevision": 2})
        ((_, _, landed),) = org.told.of("landed")
        assert landed.key == "p-1#1" and org.instance.records[lead_id].revision == 2


async def test_a_bound_owner_of_a_new_record_is_the_commands_owner() -> None:
    """Not one of its fields."""
    async with organisation() as org:
        ada = next(iter(sorted(org.instance.saving.owners)))
        await org.synced_lead(**{"ownerid@odata.bind": f"/systemusers({user_id_of(ada)})"})
        ((_, _, created),) = org.told.of("created")
        assert created.owner == ada and "ownerid" not in created.fields
        assert org.instance.records[LEAD_ID].values["ownerid"] == ada


async def test_every_other_write_is_a_users() -> None:
    """Also one that tampers with our columns."""
    async with organisation() as org:
        lead_id = await org.lead(jobtitle="CTO")
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CEO", "new_leadsynckey": "p-9#3"})
        assert org.told.facts == [("created", lead_id, None), ("entered", lead_id, {"jobtitle": "CEO"})]
        held = org.instance.records[lead_id]
        assert (held.who, held.key, held.revision) == (API_USER, "p-9#3", None)
        version = held.version
        await org.ask("PATCH", f"leads({lead_id})", {"new_leadsynckey": None})
        assert held.key is None and held.version > version
        await org.ask("PATCH", f"leads({lead_id})", {"new_leadsynckey": "no key of ours"})
        assert held.key is None and held.keyed_person() is None
        assert (await org.ask("GET", f"leads({lead_id})")).row["new_leadsynckey"] == "no key of ours"


async def test_an_update_that_changes_nothing_leaves_the_version_alone_unless_it_is_ours() -> None:
    """A command's write always lands."""
    async with organisation() as org:
        lead_id = await org.synced_lead(jobtitle="CTO")
        version = org.instance.records[lead_id].version
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"})
        assert org.instance.records[lead_id].version == version
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO", "new_leadsyncrevision": 2})
        assert org.instance.records[lead_id].version == version + 1 and len(org.told.of("landed")) == 1


async def test_qualifying_and_deleting_are_told_as_what_they_are() -> None:
    """The application user qualifies as leadsync does, another user as themselves."""
    async with organisation() as org:
        ours, theirs = await org.lead(), await org.lead()
        ada = next(iter(sorted(org.instance.saving.owners)))
        (contact,) = (await org.ask("POST", f"leads({ours})/{QUALIFY_LEAD}", QUALIFY)).row["value"]
        assert org.instance.records[contact["contactid"]].who == OURSELVES
        (other,) = (
            await org.ask("POST", f"leads({theirs})/{QUALIFY_LEAD}", QUALIFY, MSCRMCallerID=user_id_of(ada))
        ).row["value"]
        assert org.instance.records[other["contactid"]].who == ada
        await org.ask("DELETE", f"contacts({other['contactid']})")
        assert [fact[0] for fact in org.told.facts[2:]] == ["converted", "converted", "deleted"]


async def test_a_row_that_leaves_the_system_is_told_as_shown() -> None:
    """By id, in a page of change tracking, as the answer to a write, in a batch; with the version that it shows."""
    async with organisation() as org:
        lead_id = await org.lead()
        held = org.instance.records[lead_id]
        assert not held.shown
        await org.ask("GET", f"leads({lead_id})")
        assert held.shown and org.told.of("shown") == [("shown", lead_id, held.version)]
        await org.changes("leads?$select=lastname")
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"}, Prefer="return=representation")
        await org.batch(batch(part(f"GET leads({lead_id})")))
        assert [fact[2] for fact in org.told.of("shown")[1:]] == [1001, 1002, 1002]


async def test_what_shows_no_row_is_not_told_as_shown() -> None:
    """A write without its row, a deletion, a row that is closed, a 304, one property."""
    async with organisation() as org:
        lead_id = await org.lead()
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"})
        await org.ask("GET", f"leads({lead_id})", If_None_Match='W/"1002"')
        await org.ask("GET", f"leads({lead_id})/jobtitle")
        await org.ask("POST", f"leads({lead_id})/{QUALIFY_LEAD}", QUALIFY)
        await org.ask("GET", f"leads({lead_id})")
        await org.changes("leads?$select=lastname")
        gone = await org.lead()
        await org.ask("DELETE", f"leads({gone})")
        await org.changes("leads?$select=lastname")
        assert org.told.of("shown") == []


async def test_reads_can_be_kept_from_the_witness() -> None:
    """Where a client that reads by id makes nothing of the row; change tracking and writes are told as ever."""
    async with organisation(reads_show=False) as org:
        lead_id = await org.lead()
        await org.ask("GET", f"leads({lead_id})")
        await org.ask("GET", "leads")
        assert org.told.of("shown") == []
        await org.changes("leads?$select=lastname")
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"}, Prefer="return=representation")
        assert len(org.told.of("shown")) == 2


async def test_an_answer_that_is_lost_shows_nothing() -> None:
    """The write it answered is told, the row is not."""
    async with organisation({"dropped_after": 1.0}) as org:
        held = org.instance.create("lead", "tim", {"lastname": "L"}, org.clock[0])
        for method, body in (("GET", None), ("PATCH", {"jobtitle": "CTO"})):
            with pytest.raises(aiohttp.ClientError):
                await org.ask(method, f"leads({held.id})", body, Prefer="return=representation")
        assert [fact[0] for fact in org.told.facts] == ["created", "entered"]


async def test_a_row_is_shown_before_somebody_edits_the_record() -> None:
    """So that the edit is made in sight of what was read."""
    async with organisation({"edited_between": 1.0}) as org:
        lead_id = await org.lead()
        await org.ask("GET", f"leads({lead_id})")
        assert [fact[0] for fact in org.told.facts] == ["created", "shown", "entered"]


async def test_the_witness_dates_a_save_as_its_row_does() -> None:
    """By the second: an edit of Marketo's within that second is no earlier one to whoever reads the row."""
    async with organisation() as org:
        lead_id = await org.lead()
        org.clock[0] += 0.7
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CTO"})
        assert org.instance.records[lead_id].time == "2026-09-21T14:13:20Z"
        assert (await org.ask("GET", f"leads({lead_id})")).row["modifiedon"] == "2026-09-21T14:13:20Z"
