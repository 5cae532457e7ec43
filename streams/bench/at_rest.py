"""Many people at rest without waiting for them: their states and links written straight into the changelogs.

To bring a million people to rest through the worker would take minutes and measure nothing. So their states are made here
and encoded by the core's own encoder: for the people of `systems.py`, byte for byte what the worker writes when it brings
them there (a test does both and compares). What differs is the way there: each state stands in its changelog once, as after
a compaction, in large batches without transactions. `restart.py` and `growth.py` say what small ones change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.bench.load import Load
from streams.bench.systems import VALUES, Person, Systems, own_name
from streams.intake import link_to
from streams.lane.partitions import murmur2
from streams.settings import Settings
from streams.sync.messages import Value
from streams.sync.person import Link, PersonState, SystemState, encode_person
from streams.sync.policy import FieldRule
from streams.sync.values import to_system
from streams.topics import changelog_topic

BATCH_BYTES = 900_000
BATCHES_ON_THE_WAY = 256
RECORDS_MAX = 100_000  # of a batch; its bytes are less than so many take
SAY_EVERY = 100_000
RECORD_TYPE_SHOWN: Mapping[str, Value] = {"microsoftType": "Lead"}
FIRST_EDIT = 2_000_000
"""Above everybody's number, so that nobody enters what a person at rest holds; and short, for postal codes of 20 characters."""
TABLES = ("people", "dynamics-links", "marketo-links")

FIRST_VERSION, ROW_VERSION, FEED_VERSION, REVISION, CREATION = 1, 2, 1, 1, 1
"""At rest: the lead was created and then given its key, the person was created; one command to each system."""


class Entry(NamedTuple):
    """A record of one of the worker's tables."""

    table: str
    key: bytes
    value: bytes


class PeopleAtRest(Systems):
    """Both systems, with people who came to rest before: those of these numbers."""

    def __init__(self, load: Load, numbers: Iterable[int]) -> None:
        super().__init__(replace(load, people=0))
        rules = load.rules()
        self.people = [person_at_rest(rules, number) for number in numbers]
        self._by_key = {person.key: person for person in self.people}
        self._last_value = FIRST_EDIT


def values_of(rules: Iterable[FieldRule], number: int) -> dict[str, Value]:
    """What both records of this person hold, in canonical form."""
    return {rule.name: VALUES[rule.type](rule, number) for rule in rules}


def person_at_rest(rules: list[FieldRule], number: int) -> Person:
    """The records of a person, as they show themselves when all has landed."""
    values = values_of(rules, number)
    person = Person(number, _held(rules, values, DYNAMICS))
    person.held[MARKETO] = {**_held(rules, values, MARKETO), **RECORD_TYPE_SHOWN}
    person.versions = {MARKETO: FEED_VERSION, DYNAMICS: ROW_VERSION}
    person.revisions = {MARKETO: REVISION, DYNAMICS: REVISION}
    person.creation = {MARKETO: CREATION, DYNAMICS: 0}
    return person


def _held(rules: Iterable[FieldRule], values: dict[str, Value], system: System) -> dict[str, Value]:
    return {own_name(rule, system): to_system(rule, system, values[rule.name]) for rule in rules}


def entries(load: Load, numbers: Iterable[int]) -> Iterator[Entry]:
    """What the worker's tables hold of these people."""
    rules = load.rules()
    for number in numbers:
        person = Person(number, {})
        yield Entry("people", person.key.encode(), encode_person(_state(person, values_of(rules, number))))
        link = link_to(person.key, FIRST_VERSION)
        yield Entry("dynamics-links", person.lead.id.encode(), link)
        yield Entry("marketo-links", person.marketo.id.encode(), link)


def _state(person: Person, values: dict[str, Value]) -> PersonState:
    return PersonState(
        SystemState(Link("person", person.marketo.id, FEED_VERSION, REVISION, CREATION), None, REVISION, CREATION),
        SystemState(Link("lead", person.lead.id, ROW_VERSION, REVISION), None, REVISION),
        "lead",
        None,
        {"microsoft_type": "Lead", **values},
    )


async def write_people_at_rest(
    settings: Settings,
    load: Load,
    numbers: Iterable[int],
    partitions: int,
    say: Callable[[str], None],
    batch_records: int = RECORDS_MAX,
) -> dict[str, int]:
    """Put these people into the changelogs, which must be empty; returns the bytes of keys and values by table."""
    producer: Any = AIOKafkaProducer(
        **settings.client("bench-at-rest"), max_batch_size=BATCH_BYTES, max_request_size=2 * BATCH_BYTES
    )
    await producer.start()
    try:
        return await _write(producer, settings, entries(load, numbers), partitions, say, batch_records)
    finally:
        await producer.stop()


async def _write(
    producer: Any,
    settings: Settings,
    found: Iterable[Entry],
    partitions: int,
    say: Callable[[str], None],
    batch_records: int,
) -> dict[str, int]:
    sizes = dict.fromkeys(TABLES, 0)
    batches: dict[tuple[str, int], Any] = {}
    deliveries: list[asyncio.Future[Any]] = []
    for count, (table, key, value) in enumerate(found, 1):
        sizes[table] += len(key) + len(value)
        place = changelog_topic(settings, table), (murmur2(key) & 0x7FFFFFFF) % partitions
        batch = batches.get(place) or producer.create_batch()
        if batch.record_count() >= batch_records or batch.append(timestamp=None, key=key, value=value) is None:
            deliveries.append(await producer.send_batch(batch, place[0], partition=place[1]))
            batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value)
        batches[place] = batch
        if len(deliveries) > BATCHES_ON_THE_WAY:  # what is not delivered yet is memory
            await asyncio.gather(*deliveries)
            deliveries.clear()
        if count % (SAY_EVERY * len(TABLES)) == 0:
            say(f"{count // len(TABLES):,} people at rest are written")
    for (topic, partition), batch in batches.items():
        deliveries.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*deliveries)
    return sizes
