"""Messages for tests, with sensible defaults: only what a test is about needs to be said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.person_change import PersonKind
from schemas.source_change import SourceKind
from schemas.vocabulary import Answer, Operation
from streams.sync.messages import ApplyCommand, ApplyResult, PersonChange, Record, Row, SourceChange, Value

PERSON = "775"
LEAD = "6f0e2a51-8c3d-4b7e-9a10-52d1c0f4e775"
CONTACT = "c1b7d904-33aa-4e0f-8d25-7be60a91f775"
PERSON_KEY = "p-775"
POLICY = "0" * 64


def marketo(person: str = PERSON) -> Record:
    return Record("marketo", "person", person)


def lead(id: str = LEAD) -> Record:
    return Record("dynamics", "lead", id)


def contact(id: str = CONTACT) -> Record:
    return Record("dynamics", "contact", id)


def source_change(record: Record, version: int | None, kind: SourceKind, **members: Any) -> SourceChange:
    """Any change of any record; its id follows from the record and the version."""
    members.setdefault("change_id", f"{record.system}-{record.id}-{kind if version is None else version}")
    return SourceChange(record=record, version=version, kind=kind, **members)


def marketo_change(
    person: str = PERSON,
    version: int = 1,
    kind: SourceKind = "updated",
    *,
    revision: int | None = None,
    person_key: str | None = None,
    creation: int | None = None,
    time: str | None = None,
    who: str | None = None,
    **fields: Value,
) -> SourceChange:
    """What Marketo's feed says of one change: only the fields that changed."""
    shown = {"revision": revision, "person_key": person_key, "creation": creation, "time": time, "who": who}
    return source_change(marketo(person), version, kind, fields=fields, **shown)


def dynamics_row(
    lead: str | Record = LEAD,
    version: int = 1,
    kind: SourceKind = "updated",
    *,
    revision: int | None = None,
    person_key: str | None = None,
    creation: int | None = None,
    time: str | None = None,
    who: str | None = None,
    **fields: Value,
) -> SourceChange:
    """A row as Dynamics shows it when it is read: of a lead by its id, of a contact by its record."""
    record = Record("dynamics", "lead", lead) if isinstance(lead, str) else lead
    shown = {"revision": revision, "person_key": person_key, "creation": creation, "time": time, "who": who}
    return source_change(record, version, kind, scope="row", fields=fields, **shown)


def deleted(record: Record, version: int = 2) -> SourceChange:
    return source_change(record, version, "deleted")


def converted(lead: Record, contact: Record, version: int = 2) -> SourceChange:
    return source_change(lead, version, "converted", contact=contact)


def merged(loser: Record, winner: Record, winner_person_key: str, version: int = 2) -> SourceChange:
    return source_change(loser, version, "merged", winner=winner, winner_person_key=winner_person_key)


def linked(record: Record, person_key: str = PERSON_KEY, **members: Any) -> SourceChange:
    return source_change(record, None, "linked", person_key=person_key, **members)


def sync_person(person: str = PERSON, fields: Mapping[str, Value] | None = None, **members: Any) -> SourceChange:
    """Sync Person to Microsoft, with the person's selected fields where given."""
    return source_change(marketo(person), None, "requested", action="sync_person", fields=fields, **members)


def retry(record: Record, **members: Any) -> SourceChange:
    return source_change(record, None, "requested", action="retry", **members)


def person_change(
    kind: PersonKind = "updated", fields: Mapping[str, Value] | None = None, **members: Any
) -> PersonChange:
    """An entry of the event log, `fields` in canonical names; of Marketo's person unless a record is given."""
    defaults: dict[str, Any] = {"person_key": PERSON_KEY, "policy": POLICY, "record": marketo(), "version": 1}
    if kind in ("created", "updated"):
        fields = {} if fields is None else fields
    if kind in ("linked", "unlinked", "requested", "answered"):
        del defaults["version"]
    members = defaults | members
    members.setdefault("system", members["record"].system)
    members.setdefault("change_id", f"{members['system']}-{members['record'].id}-{members.get('version', kind)}")
    return PersonChange(kind=kind, fields=fields, **members)


def apply_command(
    operation: Operation = "update", fields: Mapping[str, Value] | None = None, **members: Any
) -> ApplyCommand:
    """A command to the Dynamics lead unless told otherwise."""
    defaults: dict[str, Any] = {
        "command_id": "command-1",
        "person_key": PERSON_KEY,
        "system": "dynamics",
        "revision": 1,
        "record": lead(),
        "key": f"{PERSON_KEY}#1",
        "creation": 1 if operation == "create" else None,
        "fields": {} if fields is None else fields,
    }
    return ApplyCommand(operation=operation, **defaults | members)


def row(record: Record | None = None, version: int = 1, **fields: Value) -> Row:
    return Row(record=record or lead(), version=version, fields=fields)


def apply_result(answer: Answer = "created", **members: Any) -> ApplyResult:
    """Dynamics' answer to `command-1` unless told otherwise."""
    defaults: dict[str, Any] = {"command_id": "command-1", "person_key": PERSON_KEY, "system": "dynamics"}
    members = defaults | members
    members.setdefault("result_id", f"{members['command_id']}-{answer}")
    return ApplyResult(answer=answer, **members)
