"""People written straight into the changelogs: they must be what the worker would have made of them."""

from __future__ import annotations

import secrets

import pytest

from schemas.topics import PARTITIONS
from streams.bench.at_rest import TABLES, PeopleAtRest, entries, write_people_at_rest
from streams.bench.load import Load
from streams.bench.message import Shown, message_of
from streams.bench.stage import Stage, stage
from streams.bench.systems import Systems
from streams.bench.wire import Wire
from streams.intake import person_of, resolve_change
from streams.lane.partitions import murmur2
from streams.settings import Settings
from streams.sync.person import PersonState, encode_person
from streams.sync.step import step
from streams.topics import changelog_topic
from tests.lane.broker import read_committed

FEW = Load(people=12)


def folded(load: Load) -> tuple[Systems, dict[tuple[str, bytes], bytes]]:
    """The same people from their first row on, through the pure core, and what the tables hold then."""
    systems, policy = Systems(load), load.policy()
    tables: dict[tuple[str, bytes], bytes] = {}
    for first in list(systems.new_leads()):
        state: PersonState | None = None
        due = [first]
        while due:
            shown = due.pop(0)
            place = f"{shown.system}-links", shown.stream.encode()
            resolved = resolve_change(shown.stream, shown.change, tables.get(place), policy)
            tables[place] = resolved.link
            for change in resolved.changes:
                outcome = step(state, change, policy)
                state = outcome.state
                due += [word for word in map(systems.carry_out, outcome.commands) if isinstance(word, Shown)]
        assert state is not None
        tables["people", person_of(resolved.link).encode()] = encode_person(state)
    return systems, tables


@pytest.mark.parametrize("fields", [3, 25, 100])
def test_states_and_links_are_those_of_people_who_were_folded(fields: int) -> None:
    """Byte for byte."""
    load = Load(people=30, fields=fields)
    _, tables = folded(load)
    assert {(each.table, each.key): each.value for each in entries(load, range(30))} == tables


def test_both_systems_know_of_them_what_they_would_know() -> None:
    """Values, versions, revisions and keys of both records; so the next edit is like any other."""
    systems, _ = folded(FEW)
    written = PeopleAtRest(FEW, range(FEW.people))
    for one, other in zip(systems.people, written.people, strict=True):
        assert {name: getattr(one, name) for name in one.__slots__} == {
            name: getattr(other, name) for name in other.__slots__
        }


def test_nobody_enters_what_somebody_holds_at_rest() -> None:
    """Of all people, not only of those who are edited: an edit that changes nothing would be waited for in vain."""
    load = Load(people=2_000)
    held = {value for person in PeopleAtRest(load, range(2_000)).people for value in person.held["marketo"].values()}
    systems = PeopleAtRest(load, range(0, 2_000, 100))
    for person in systems.people:
        for rule in systems.edited:
            shown = systems.edit(person, "marketo", rule)
            assert held.isdisjoint((shown.change.fields or {}).values())


def test_what_is_entered_is_valid_however_much_is_entered() -> None:
    """Three million edits: the shortest field takes twenty characters, and a value that is refused commands nothing."""
    systems = PeopleAtRest(FEW, range(1))
    (person,) = systems.people
    postal_code = next(rule for rule in systems.edited if rule.name == "postal_code")
    systems._last_value += 3_000_000
    shown = systems.edit(person, "marketo", postal_code)
    assert all(len(str(value)) <= 20 for value in (shown.change.fields or {}).values())


async def from_changelogs(here: Stage) -> dict[tuple[str, int], dict[bytes, bytes]]:
    """What stands in the tables' changelogs, by table and partition."""
    found: dict[tuple[str, int], dict[bytes, bytes]] = {}
    for table in TABLES:
        for record in await read_committed(here.settings.bootstrap_servers, changelog_topic(here.settings, table)):
            found.setdefault((table, record.partition), {})[record.key] = record.value
    return found


@pytest.mark.kafka
async def test_a_worker_that_brings_people_to_rest_writes_the_same_bytes_to_the_same_partitions(kafka: str) -> None:
    """The whole worker, from new leads until nothing more is commanded."""
    async with stage(Settings(kafka, f"test-{secrets.token_hex(4)}."), FEW, PARTITIONS) as here:
        await here.worker("at-rest-1").start()
        async with Wire(here.settings) as wire:
            systems = Systems(FEW)
            words = list(systems.new_leads())
            while words:
                await wire.write(map(message_of, words))
                await wire.release()
                await wire.folded()
                words = [systems.carry_out(each) for each in await wire.commands(await wire.wave())]
            by_worker = await from_changelogs(here)
    async with stage(Settings(kafka, f"test-{secrets.token_hex(4)}."), FEW, PARTITIONS) as here:
        sizes = await write_people_at_rest(here.settings, FEW, range(FEW.people), PARTITIONS, lambda _: None)
        written = await from_changelogs(here)
    assert written == by_worker
    assert sum(sizes.values()) == sum(
        len(key) + len(value) for table in written.values() for key, value in table.items()
    )
    assert all((murmur2(key) & 0x7FFFFFFF) % PARTITIONS == n for (_, n), table in written.items() for key in table)
