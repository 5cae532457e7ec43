"""What an onlooker is told of REST: a write with our revision is a command's, any other a user's."""

from __future__ import annotations

from typing import Any

from streams.demo.oracle.follow import Oracle
from streams.demo.oracle.verdict import differences
from streams.demo.stock import stock_saving
from streams.policy import default_policy
from streams.sync.messages import Record
from tests.simulators.marketo.served import served


async def test_a_write_with_our_revision_is_the_landing_of_a_command() -> None:
    """Person key and creation come from the key, the fields are the rest."""
    async with served() as stage:
        held = stage.person()
        record = {"id": int(held.id), "jobTitle": "CTO", "leadsyncKey": "p-1#0", "leadsyncRevision": 3}
        await stage.connector.sync("updateOnly", "id", record)
        fact, record_id, command = stage.witness.told[-1]
        assert (fact, record_id, command.record) == ("landed", held.id, held.record)
        assert (command.person_key, command.key, command.creation, command.revision) == ("p-1", "p-1#0", 0, 3)
        assert command.fields == {"jobTitle": "CTO"}
        assert (held.key, held.revision, held.person_key, held.who) == ("p-1#0", 3, "p-1", "leadsync")


async def test_the_key_may_stand_in_the_record_already() -> None:
    """Then the revision is enough."""
    async with served() as stage:
        await stage.connector.sync("createOnly", "leadsyncKey", {"leadsyncKey": "p-1#2", "leadsyncRevision": 1})
        (held,) = stage.instance.records.values()
        await stage.connector.sync("updateOnly", "id", {"id": int(held.id), "fax": "1", "leadsyncRevision": 2})
        fact, _, command = stage.witness.told[-1]
        assert (fact, command.key, command.creation, command.revision) == ("landed", "p-1#2", 2, 2)


async def test_a_create_with_our_fields_is_a_commands() -> None:
    """And made once, however often it is sent."""
    async with served() as stage:
        record = {"leadsyncKey": "p-1#1", "leadsyncRevision": 1, "lastName": "Lovelace"}
        for _ in range(2):
            await stage.connector.sync("createOnly", "leadsyncKey", record)
        ((fact, record_id, entered, command),) = stage.witness.told
        assert (fact, entered, command.operation, command.person_key) == ("created", {}, "create", "p-1")
        held = stage.instance.records[record_id]
        assert held.person_key == "p-1" and stage.instance.by_key == {"p-1#1": record_id}


async def test_any_other_write_is_a_users() -> None:
    """Under the name of the API's user; what does not change is not told."""
    async with served() as stage:
        await stage.user.sync("createOnly", "email", {"email": "ada@x.example", "jobTitle": "CTO"})
        (held,) = stage.instance.records.values()
        await stage.user.sync("updateOnly", "id", {"id": int(held.id), "jobTitle": "CTO", "fax": "1"})
        created, entered = stage.witness.told
        assert created == ("created", held.id, {"email": "ada@x.example", "jobTitle": "CTO"}, None)
        assert entered == ("entered", held.id, {"fax": "1"}) and held.who == stage.user.credentials.user


async def test_a_key_without_a_revision_says_whom_the_record_stands_for() -> None:
    """As a bootstrap writes it; the feed lists it."""
    async with served() as stage:
        held = stage.person()
        await stage.connector.sync("updateOnly", "id", {"id": int(held.id), "leadsyncKey": "p-9#0"})
        assert stage.witness.told[-1] == ("linked", held.id, "p-9") and held.person_key == "p-9"
        activities, _ = await stage.user.changes(await stage.user.since(), "leadsyncKey")
        assert activities[-1]["fields"][0]["newValue"] == "p-9#0"


async def test_what_appliers_announce_in_process_is_the_connectors_job_here() -> None:
    """Only what people ask to be tried again is left to whoever runs the demo."""
    async with served() as stage:
        held = stage.person()
        other = Record("dynamics", "lead", "6f0e0000-0000-0000-0000-000000000001")
        stage.instance.announce_link(held.id, "p-2", other, stage.clock.now)
        assert stage.witness.told[-1] == ("linked", held.id, "p-2") and not stage.instance.announced
        stage.instance.retry(held.id, stage.clock.now)
        assert [each.change.action for each in stage.instance.announced] == ["retry"]


async def test_an_oracle_finds_nothing_wrong_with_what_a_connector_writes() -> None:
    """One person made in Marketo over REST, edited by a user, written by a command."""
    policy = default_policy()
    oracle = Oracle(policy, stock_saving(policy, rewriting=False))
    async with served() as stage:
        stage.instance.witness = oracle
        await stage.user.sync("createOnly", "email", {"email": "ada@x.example", "jobTitle": "CTO", "lastName": "L"})
        (held,) = stage.instance.records.values()
        stage.instance.edit(held.id, "m", {"jobTitle": "CEO"}, stage.clock.now)
        record: dict[str, Any] = {"id": int(held.id), "leadsyncKey": f"{held.person_key}#0", "leadsyncRevision": 1}
        await stage.connector.sync("updateOnly", "id", {**record, "jobTitle": "CEO"})
        assert differences(oracle, {}) == []
