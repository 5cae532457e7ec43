"""One person as `leadsync person --json` tells them: the same keys for everybody, whatever is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import msgspec

import schemas
from schemas.identity import key_of
from schemas.vocabulary import SYSTEMS, System
from streams.codec import Unreadable, decode_activity, encode
from streams.operating.display import note, plural
from streams.operating.open_errors import open_errors
from streams.operating.people import Person
from streams.operating.reading import Reader, partition_of
from streams.operating.standing import FieldStanding, Standing, field_standings, fields_at_rest
from streams.sync.messages import Activity
from streams.sync.person import PersonState
from streams.sync.policy import Policy


async def activities_of(reader: Reader, key: str) -> list[Activity]:
    """The person's activities in the order of the log, which is the order in which their causes were folded."""
    topic, name = reader.settings.topic("activity-log"), key.encode()
    activities, unreadable = [], 0
    async for record in reader.records(topic, partition_of(name, reader.partitions(topic))):
        if record.key != name:
            continue
        try:
            activities.append(decode_activity(record.value))
        except Unreadable:
            unreadable += 1
    if unreadable:
        note(f"{topic}: passed over {plural(unreadable, 'entry', 'entries')} of another kind")
    return activities


def summary(person: Person, policy: Policy, activities: Sequence[Activity]) -> dict[str, Any]:
    """What `--json` prints: the same keys for everybody."""
    key, state = person
    moving = field_standings(state, policy)
    by_state: dict[str, Any] = {"at_rest": fields_at_rest(state, policy)}
    for standing in get_args(Standing):
        by_state[standing] = [_members(each) for each in moving if each.standing == standing]
    return {
        "person_key": key,
        "record_type": state.record_type,
        "syncable": state.syncable,
        "records": {system: _record(key, state, system) for system in SYSTEMS},
        "closed_records": {system: [list(each) for each in state.system(system).closed] for system in SYSTEMS},
        "commands_in_flight": {system: _flight(state, system) for system in SYSTEMS},
        "fields": by_state,
        "errors": [msgspec.to_builtins(each) for each in open_errors(key, state)],
        "activities": [_with_every_member(each) for each in activities],
    }


def _with_every_member(activity: Activity) -> dict[str, Any]:
    return schemas.Activity.model_validate_json(encode(activity)).model_dump(mode="json")


def _members(standing: FieldStanding) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(standing)
    del members["standing"]
    return members


def _record(key: str, state: PersonState, system: System) -> dict[str, Any] | None:
    link = state.system(system).link
    if link is None:
        return None
    return {
        "type": link.type,
        "id": link.id,
        "version": None if link.version < 0 else link.version,
        "revision": link.revision,
        "key": key_of(key, link.creation),
        "key_number": link.creation,
    }


def _flight(state: PersonState, system: System) -> dict[str, Any] | None:
    flight = state.system(system).flight
    if flight is None:
        return None
    return {
        "command_id": flight.command_id,
        "revision": flight.revision,
        "operation": flight.operation,
        "lane": flight.lane,
        "fields": sorted(flight.fields),
        "causes": list(flight.causes),
    }
