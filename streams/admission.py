"""Whether a message that reads well may come in: what hangs on its topic and key, and what no schema says of its members.

Each refusal names what was found and what is allowed; the message then goes to `dead-letter` as a whole.
"""

from __future__ import annotations

from schemas.limits import ID_CHARACTERS_MAX, PERSON_KEY_CHARACTERS_MAX, REVISION_MAX
from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.codec import Unreadable
from streams.sync.messages import ApplyResult, PersonChange, Record, SourceChange

WITH_RULES = frozenset({"converted", "merged", "requested"})
"""Kinds that only some records can be of, or that put another record into one's place, which must be one that can."""


def key_of(key: bytes | None) -> str:
    """A message's key as text. Raises Unreadable."""
    if not key:
        raise Unreadable("no_key", "the message has no key")
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise Unreadable("no_key", "the key is not UTF-8")
    if len(text) > ID_CHARACTERS_MAX:
        raise Unreadable("no_key", f"the key has {len(text)} characters; allowed are {ID_CHARACTERS_MAX}")
    return text


def of_its_stream(change: SourceChange, stream: str, system: System) -> SourceChange:
    """The change, if it belongs to this stream of this system. Raises Unreadable."""
    record = change.record
    if record.system != system:
        raise Unreadable("invalid", f"record.system is {record.system!r}; on this topic it is {system!r}")
    if record.type != "contact" and record.id != stream:
        raise Unreadable("wrong_key", f"the key is {stream!r}; the stream of {record.type} {record.id!r} is its id")
    if change.person_key is not None and len(change.person_key) > PERSON_KEY_CHARACTERS_MAX:
        _refuse_person_key(change.person_key)
    if change.revision is not None and change.revision > REVISION_MAX:
        _refuse_revision(change.revision)
    if change.kind in WITH_RULES:
        _check_its_records(change, record)
    return change


def of_its_command(result: ApplyResult, key: str, system: System) -> ApplyResult:
    """The result, if it is of this person and this system. Raises Unreadable."""
    row = result.row
    if result.person_key != key:
        raise Unreadable("wrong_key", f"the key is {key!r} and person_key is {result.person_key!r}; they are the same")
    named = [system, result.system, *(each.system for each in (result.record, row and row.record) if each)]
    if len(set(named)) > 1:
        raise Unreadable("invalid", f"system is {result.system!r}; on this topic everything is of {system!r}")
    if len(result.person_key) > PERSON_KEY_CHARACTERS_MAX:
        _refuse_person_key(result.person_key)
    if row is not None and row.revision is not None and row.revision > REVISION_MAX:
        _refuse_revision(row.revision)
    return result


def of_its_person(change: PersonChange, key: bytes | None) -> PersonChange:
    """The change, if it is of the person of its key, and of one system. Raises Unreadable."""
    record = change.record
    if change.person_key.encode() != key:
        raise Unreadable("wrong_key", f"the key is {key_of(key)!r} and person_key is {change.person_key!r}")
    if len(change.person_key) > PERSON_KEY_CHARACTERS_MAX:
        _refuse_person_key(change.person_key)
    if change.revision is not None and change.revision > REVISION_MAX:
        _refuse_revision(change.revision)
    if record is not None:
        if record.system != change.system:
            raise Unreadable("invalid", f"system is {change.system!r} and record.system is {record.system!r}")
        if change.kind in WITH_RULES:
            _check_its_records(change, record)
    return change


def _check_its_records(change: SourceChange | PersonChange, record: Record) -> None:
    contact, winner = change.contact, change.winner
    if change.kind == "converted" and contact is not None and (record.system, contact.type) != (DYNAMICS, "contact"):
        said = f"{record.system} {record.type} into a {contact.system} {contact.type}"
        raise Unreadable("invalid", f"converted is a {said}; it is a dynamics lead into a dynamics contact")
    if change.kind == "merged" and winner is not None and winner.system != record.system:
        raise Unreadable("invalid", f"winner.system is {winner.system!r}; it is the record's, {record.system!r}")
    if change.action == "sync_person" and change.kind == "requested" and record.system != MARKETO:
        raise Unreadable(
            "invalid", f"sync_person is asked for a {record.system} {record.type}; it is for a marketo person"
        )


def _refuse_person_key(person_key: str) -> None:
    allowed = f"allowed are {PERSON_KEY_CHARACTERS_MAX}, so that the key with its number fits into a record's field"
    raise Unreadable("invalid", f"person_key has {len(person_key)} characters; {allowed}")


def _refuse_revision(revision: int) -> None:
    raise Unreadable("invalid", f"revision is {revision}; ours are at most {REVISION_MAX}")
