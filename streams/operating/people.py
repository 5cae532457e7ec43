"""Finding people in the tables: by key, by a record's id, by an open error; and the streams in which they can be asked for.

A state is the last value of its key in the changelog of `people`; a stream's person is the last value of the stream in the
links' changelogs. What is kept in memory is what was asked for, not the table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.intake import person_of
from streams.operating.reading import Reader
from streams.operating.refused import Refused
from streams.sync.messages import Record
from streams.sync.person import PersonState, SystemState, decode_person
from streams.topics import changelog_topic

Streams = Mapping[str, int]
"""The streams that are linked to one person -> the partition of the source topic in which each stands, oldest link first."""


class Person(NamedTuple):
    """A person as the table `people` has it."""

    key: str
    state: PersonState


class Asking(NamedTuple):
    """Where a request about a person is to be put: the record, its stream, and the partition of that, where it is known."""

    record: Record
    stream: str
    partition: int | None


async def find_person(reader: Reader, name: str) -> Person:
    """The person of a KEY, `marketo:ID` or `dynamics:ID`. Raises Refused where nobody is known by it."""
    system, colon, record_id = name.partition(":")
    if colon and system in SYSTEMS:
        return await _of_record(reader, system, record_id)
    state = await _state(reader, name)
    if state is None:
        raise Refused(f"no person {name!r} is known; a record's is found by marketo:ID or dynamics:ID")
    return Person(name, state)


async def _of_record(reader: Reader, system: System, record_id: str) -> Person:
    link = await reader.latest(changelog_topic(reader.settings, f"{system}-links"), record_id.encode())
    if link is not None and (state := await _state(reader, key := person_of(link.value))) is not None:
        return Person(key, state)
    found = await _holding(reader, system, record_id)  # a contact's id is no stream where it came from a lead
    if found is None:
        raise Refused(f"no person with the record {record_id!r} in {system} is known")
    return found


async def _state(reader: Reader, key: str) -> PersonState | None:
    record = await reader.latest(changelog_topic(reader.settings, "people"), key.encode())
    return None if record is None else decode_person(record.value)


async def _holding(reader: Reader, system: System, record_id: str) -> Person | None:
    """The person whose linked record this is, found by looking at everybody; only states that hold the id are decoded."""
    found: dict[bytes, PersonState] = {}
    needle = record_id.encode()
    async for record in reader.records(changelog_topic(reader.settings, "people")):
        found.pop(record.key, None)
        if record.value is None or needle not in record.value:
            continue
        state = decode_person(record.value)
        link = state.system(system).link
        if link is not None and link.id == record_id:
            found[record.key] = state
    return next((Person(key.decode(), state) for key, state in found.items()), None)


async def people_in_error(reader: Reader) -> list[Person]:
    """Everybody for whom a sync error is open, by key."""
    open_now: dict[bytes, PersonState] = {}
    async for record in reader.records(changelog_topic(reader.settings, "people")):
        state = None if record.value is None else decode_person(record.value)
        if state is not None and state.errors:
            open_now[record.key] = state
        else:
            open_now.pop(record.key, None)
    return [Person(key.decode(), state) for key, state in sorted(open_now.items())]


async def streams_of(reader: Reader, system: System, keys: Collection[str]) -> Mapping[str, Streams]:
    """The streams of a system that are linked to each of these people, in one reading of the links."""
    wanted = set(keys)
    linked: dict[bytes, tuple[str, int]] = {}
    async for record in reader.records(changelog_topic(reader.settings, f"{system}-links")):
        linked.pop(record.key, None)
        if record.value is not None and (key := person_of(record.value)) in wanted:
            linked[record.key] = key, record.partition
    streams: dict[str, dict[str, int]] = defaultdict(dict)
    for stream, (key, partition) in linked.items():
        streams[key][stream.decode()] = partition
    return streams


def asking_of(state: PersonState, marketo: Streams, dynamics: Streams) -> Asking | None:
    """Under which record a person is asked for: the Marketo one if there is one, else the Dynamics one, else one that was."""
    if state.marketo.link is not None:
        return _as_marketo(state.marketo.link.id, marketo)
    link = state.dynamics.link
    if link is not None:
        stream = link.id if link.type == "lead" else _stream_of_contact(link.id, state.dynamics, dynamics)
        return Asking(Record(DYNAMICS, link.type, link.id), stream, dynamics.get(stream))
    if state.marketo.closed:
        return _as_marketo(state.marketo.closed[-1][0], marketo)
    return None


def _as_marketo(record_id: str, streams: Streams) -> Asking:
    return Asking(Record(MARKETO, "person", record_id), record_id, streams.get(record_id))


def _stream_of_contact(contact_id: str, state: SystemState, streams: Streams) -> str:
    """A contact goes on in the stream of the lead that it was; one that was never a lead has its own."""
    converted = [record_id for record_id, closure in reversed(state.closed) if closure == "converted"]
    supposed = [*converted, contact_id]
    return next((stream for stream in (*supposed, *reversed(list(streams))) if stream in streams), supposed[0])
