"""Intake: whose change is it, and what are its fields called here. Pure; the agent around it reads and writes the links.

The person is the one whose key the change carries (read off the record's key field), else the one whom the stream was
linked to earlier, else a new person whose key follows from system and stream. When a change carries another person than
the link, the old person lets go of the record in the same breath; unless it is older than the change that made the link,
which only a repeat can be: what is over does not come again. A request moves nothing: it comes by a way of its own, and its key
may be older or newer than what the stream has told. (Design, "Flow", "Contracts".)

A link is kept as bytes: the person key and, behind a NUL, the version of the change that made it, if that had one.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.identity import person_key_of, uuid5
from schemas.vocabulary import DYNAMICS, RecordKind, System
from streams.sync.messages import ApplyResult, Fields, PersonChange, Record, SourceChange, Value
from streams.sync.policy import Policy
from streams.sync.values import canonical

SPELT = (int, str)
"""How an option may be spelt; True is no 1."""


class Resolved(NamedTuple):
    """The changes of persons that one change of a record makes, and the link of its stream from now on."""

    changes: tuple[PersonChange, ...]
    link: bytes


def link_to(person_key: str, version: int | None = None) -> bytes:
    """The link to a person, made by a change of this version."""
    return b"%b\0%b" % (person_key.encode(), b"" if version is None else b"%d" % version)


def person_of(link: bytes) -> str:
    """The person key of a link."""
    return link.rpartition(b"\0")[0].decode()


def _version_of(link: bytes) -> int | None:
    version = link.rpartition(b"\0")[2]
    return int(version) if version else None


def resolve_change(stream: str, change: SourceChange, link: bytes | None, policy: Policy) -> Resolved:
    """Resolve a record's change to its person. `link`: that of its stream, if there is one."""
    record = change.record
    learned = None if link is None else person_of(link)
    said = None if change.kind == "requested" and learned is not None else change.person_key
    person_key = said or learned or person_key_of(record.system, stream)
    if link is None or learned is None:
        link = link_to(person_key, change.version)
    elif person_key != learned:
        since = _version_of(link)
        if change.version is not None and since is not None and change.version <= since:
            person_key = learned
        else:
            link = link_to(person_key, since if change.version is None else change.version)
    resolved = PersonChange(
        change_id=change.change_id,
        person_key=person_key,
        policy=policy.digest,
        kind=change.kind,
        system=record.system,
        record=record,
        version=change.version,
        fields=canonical_fields(change.fields, record.system, record.type, policy),
        scope=change.scope,
        syncable=_syncable(change.fields, record.system, policy),
        revision=change.revision,
        creation=change.creation,
        time=change.time,
        who=change.who,
        action=change.action,
        sync_as=change.sync_as,
        owner=change.owner,
        campaign=change.campaign,
        updated_at=change.updated_at,
        other=change.other,
        winner=change.winner,
        winner_person_key=change.winner_person_key,
        contact=change.contact,
        lead=stream if record.type == "contact" and stream != record.id else None,
    )
    if learned is None or learned == person_key:
        return Resolved((resolved,), link)
    return Resolved((_unlinked(stream, change, learned, policy), resolved), link)


def _unlinked(stream: str, change: SourceChange, person_key: str, policy: Policy) -> PersonChange:
    """The old person lets go of the whole stream: it names the lead of it, and the contact that the lead became, if it shows."""
    record, contact = change.record, None
    if record.type == "contact":
        record, contact = Record(record.system, "lead" if record.id != stream else "contact", stream), record
    return PersonChange(
        change_id=uuid5(f"unlinked/{person_key}/{change.change_id}"),
        person_key=person_key,
        policy=policy.digest,
        kind="unlinked",
        system=record.system,
        record=record,
        contact=contact,
        time=change.time,
        who=change.who,
    )


def resolve_result(result: ApplyResult, policy: Policy) -> PersonChange:
    """A result as a change of its person; where it brings a row, the row's members stand for the record's."""
    row = result.row
    record = result.record if row is None else row.record
    return PersonChange(
        change_id=result.result_id,
        person_key=result.person_key,
        policy=policy.digest,
        kind="answered",
        system=result.system,
        record=record,
        version=None if row is None else row.version,
        fields=None if row is None else canonical_fields(row.fields, result.system, row.record.type, policy),
        scope="partial" if row is None else "row",
        syncable=None if row is None else _syncable(row.fields, result.system, policy),
        revision=None if row is None else row.revision,
        creation=None if row is None else row.creation,
        time=result.time if row is None or row.time is None else row.time,
        who=None if row is None else row.who,
        command_id=result.command_id,
        answer=result.answer,
        twin_person_key=result.twin_person_key,
        gone=result.gone,
        code=result.code,
        field=result.field,
        message=result.message,
    )


def canonical_fields(
    fields: Fields | None, system: System, kind: RecordKind, policy: Policy
) -> dict[str, Value] | None:
    """The selected fields under their canonical names, in canonical form; what is not selected is not kept."""
    if fields is None:
        return None
    plain, inbound, options = policy.plain[kind], policy.inbound[kind], policy.options[kind]
    found: dict[str, Value] = {}
    for column, value in fields.items():
        named = plain.get(column)
        if named is not None and value.__class__ is named[1] and value != "":  # most of a row
            found[named[0]] = value
        elif (rule := inbound.get(column)) is not None:
            label = options[column].get(value) if column in options and value.__class__ in SPELT else None
            found[rule.name] = canonical(rule, system, value) if label is None else label
    return found


def _syncable(fields: Fields | None, system: System, policy: Policy) -> bool | None:
    """The sync filter's word, where the change states it: only a stated No holds a person back (domain, 1.5)."""
    if system != DYNAMICS or fields is None or policy.filter_column is None or policy.filter_column not in fields:
        return None
    return fields[policy.filter_column] not in (False, 0, "false", "0", "No", "no")
