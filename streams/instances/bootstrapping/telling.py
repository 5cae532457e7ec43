"""What a bootstrap tells of each record: its row, its link, and what the connectors know of it afterwards. Pure.

A pair's two streams each get a `linked`, with the person, the other record, no revision and creation 0, so that it links by
itself. In which place, the core decides:

* Marketo's row comes before its `linked`: the row carries the person, and what it holds counts as known, so that fields in
  which both records are alike stay at rest.
* Dynamics' `linked` comes before its row: a row without a Marketo record beside it would make one.
* Where the filter says No, Dynamics' row comes first all the same and carries the person: a `linked` would send the record its
  key before anybody had read that No.

Ids follow from the records and versions, so whatever is told twice is told alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.identity import key_of, uuid5
from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics.rows import change_id_of, deletion_of
from streams.connectors.journal import StreamChange
from streams.connectors.known import KnownRecord
from streams.instances.bootstrapping.store import Pair, ReadRecord
from streams.sync.messages import Record, SourceChange

WHO = "bootstrap"
LINKED_CREATION = 0


class Winner(NamedTuple):
    """Of a merge, and whom it stands for."""

    record: Record
    person_key: str


class Told(NamedTuple):
    """What goes into a record's stream, and what is known of the record from then on."""

    changes: tuple[StreamChange, ...]
    known: KnownRecord


def told_of_marketo(
    person: ReadRecord,
    pair: Pair | None,
    other: Record | None,
    version: int,
    known: KnownRecord | None,
    shown_before: str | None = None,
) -> Told:
    """A Marketo person. `version`: of all rows of this bootstrap; `other`: the Dynamics record of the pair; `shown_before`: what
    the feed lists of it from before this time is in its row.
    """
    row = SourceChange(
        change_id=f"marketo/{person.id}/bootstrap/{version}",
        kind="created" if known is None else "updated",
        record=person.record,
        version=version,
        fields=person.fields,
        scope="row",
        revision=person.revision,
        person_key=person.person if pair is None else pair.person_key,
        creation=person.creation,
        time=person.time,
        who=person.who,
    )
    changes = [row] if pair is None or other is None else [row, linked(person.record, other, pair)]
    after = msgspec.structs.replace(_known(person, version, pair, known), shown_before=shown_before)
    return Told(_in_stream(person.id, changes), after)


def told_of_dynamics(
    record: ReadRecord, pair: Pair | None, other: Record | None, known: KnownRecord | None, *, kept_out: bool
) -> Told:
    """A living lead or contact. `other`: the Marketo person of the pair; `kept_out`: the filter says No."""
    inherited = pair.person_key if pair is not None and kept_out else record.person
    row = SourceChange(
        change_id=change_id_of(record.id, record.version),
        kind="created" if known is None else "updated",
        record=record.record,
        version=record.version,
        fields=record.fields,
        scope="row",
        revision=record.revision,
        person_key=inherited,
        creation=record.creation,
        time=record.time,
        who=record.who,
    )
    changes = [row]
    if pair is not None and other is not None:
        changes.insert(1 if kept_out else 0, linked(record.record, other, pair))
    return Told(_in_stream(record.stream, changes), _known(record, record.version, pair, known))


def told_of_closed(
    record: ReadRecord,
    known: KnownRecord | None,
    contacts: Sequence[ReadRecord] = (),
    winner: Winner | None = None,
) -> Told:
    """A record that is nobody's any more. `contacts`: what a qualified lead became; the row of the living one has been told before.

    `winner`: of the merge that it lost. Nobody is told of a merge who never knew the loser, nor of the end of a qualified lead
    whose contact is gone, which counts as deleted.
    """
    members: dict[str, Any] = {
        "change_id": change_id_of(record.id, record.version),
        "record": record.record,
        "version": record.version,
        "person_key": record.person,
        "creation": record.creation,
        "time": record.time,
        "who": record.who,
    }
    changes: list[SourceChange] = []
    living = [each.record for each in contacts if each.state == "living"]
    was_living = known is not None and known.state == "living"
    if len(living) == 1:
        changes.append(SourceChange(kind="converted", contact=living[0], **members))
    elif was_living and record.master is None and not contacts:
        changes.append(SourceChange(kind="deleted", **members))
    elif was_living and winner is not None:
        changes.append(
            SourceChange(kind="merged", winner=winner.record, winner_person_key=winner.person_key, **members)
        )
    return Told(_in_stream(record.stream, changes), _known(record, record.version, None, known, closed=True))


def told_of_gone(known: KnownRecord, version: int) -> Told:
    """A record that was known and is no more. `version`: of a Marketo person's change."""
    if known.record.system == DYNAMICS:
        change, after = deletion_of(known.record, known)
    else:
        held = known.key
        change = SourceChange(
            change_id=f"marketo/{known.record.id}/bootstrap/{version}/deleted",
            kind="deleted",
            record=known.record,
            version=version,
            person_key=None if held is None else known.person_key,
            creation=None if held is None else int(held.rpartition("#")[2]),
            who=WHO,
        )
        after = msgspec.structs.replace(known, version=version, state="deleted")
    return Told(_in_stream(known.stream, [change]), after)


def linked(record: Record, other: Record, pair: Pair) -> SourceChange:
    """The word that two records are one person."""
    return SourceChange(
        change_id=uuid5(f"bootstrap/linked/{record.system}/{record.id}/{other.id}/{pair.person_key}"),
        kind="linked",
        record=record,
        person_key=pair.person_key,
        creation=LINKED_CREATION,
        other=other,
        who=WHO,
    )


def foretold(
    marketo: ReadRecord | None, dynamics: ReadRecord | None, pair: Pair | None, *, kept_out: bool
) -> tuple[StreamChange, ...]:
    """Everything that would be told of a pair, or of one record alone, in the order in which it is written."""
    here = None if marketo is None else marketo.record
    there = None if dynamics is None else dynamics.record
    changes: tuple[StreamChange, ...] = ()
    if marketo is not None:
        changes += told_of_marketo(marketo, pair, there, 1, None).changes
    if dynamics is not None:
        changes += told_of_dynamics(dynamics, pair, here, None, kept_out=kept_out).changes
    return changes


def _in_stream(stream: str, changes: Sequence[SourceChange]) -> tuple[StreamChange, ...]:
    return tuple(StreamChange(stream, change) for change in changes)


def _known(
    record: ReadRecord, version: int, pair: Pair | None, known: KnownRecord | None, *, closed: bool = False
) -> KnownRecord:
    """A record that was linked is known by the key that it is about to get: it must be found by its person from now on."""
    person_key = record.person if pair is None else pair.person_key
    key = record.key or (None if person_key is None else key_of(person_key, LINKED_CREATION))
    return KnownRecord(
        record=record.record,
        stream=record.stream if known is None else known.stream,
        version=version,
        key=key or (None if known is None else known.key),
        state="closed" if closed else "living",
    )
