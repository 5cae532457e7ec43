"""What a connector knows of its system's records: where each one's changes stand, the last version told, what became of it.

It is kept in the compacted topic `<system>.records`, written by the journal in one transaction with the changes it stands
behind, and read to its end before anything else. In memory it is one small struct a record.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import ValidationError

from schemas.checkpoint import Checkpoint
from schemas.identity import person_key_of
from schemas.known_record import RecordState
from schemas.limits import TEXT_CHARACTERS_MAX
from schemas.vocabulary import System
from streams.checking import check_records, check_times
from streams.codec import Unreadable, reader_of
from streams.operating.reading import Reader
from streams.settings import Settings
from streams.sync.messages import Id, Record, Time, Version

log = logging.getLogger(__name__)


class KnownRecord(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="contract", tag="known-record/1"
):
    """schemas.known_record.KnownRecord, as it is read and kept."""

    record: Record
    stream: Id
    version: Version = 0
    key: Id | None = None
    state: RecordState = "living"
    shown_before: Time | None = None

    @property
    def person_key(self) -> str:
        """For whom it stands: the person of its key, else the one that follows from its stream."""
        if self.key is not None:
            return self.key.rpartition("#")[0]
        return person_key_of(self.record.system, self.stream)


def _check(known: KnownRecord) -> None:
    check_records(known, "record")
    check_times(known, "shown_before")


read_known_record = reader_of(KnownRecord, _check)


class KnownRecords:
    """By id, by key and by person. Changed only by `learn`, which the journal calls after its commit."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._by_id: dict[str, KnownRecord] = {}
        self._by_key: dict[str, str] = {}
        self._by_person: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[KnownRecord]:
        return iter(self._by_id.values())

    def get(self, record_id: str) -> KnownRecord | None:
        """The record of this id."""
        return self._by_id.get(record_id)

    def is_gone(self, record_id: str) -> bool:
        """Whether it was deleted, or closed by a merge or a conversion."""
        known = self._by_id.get(record_id)
        return known is not None and known.state != "living"

    def is_gone_as_nobodys(self, record_id: str) -> bool:
        """Whether it is gone, and no key ever said for whom it stood."""
        return self.is_gone(record_id) and self._by_id[record_id].key is None

    def of_key(self, key: str) -> KnownRecord | None:
        """The record that holds, or held, this key."""
        record_id = self._by_key.get(key)
        return None if record_id is None else self._by_id.get(record_id)

    def of_person(self, person_key: str) -> KnownRecord | None:
        """The living record that stands for this person."""
        record_id = self._by_person.get(person_key)
        return None if record_id is None else self._by_id.get(record_id)

    def learn(self, known: KnownRecord) -> None:
        """Take it in place of what was known of the record."""
        record_id, before = known.record.id, self._by_id.get(known.record.id)
        if before is not None and self._by_person.get(before.person_key) == record_id:
            del self._by_person[before.person_key]
        self._by_id[record_id] = known
        if known.key is not None and (known.state == "living" or not self._is_held_by_living(known.key)):
            self._by_key[known.key] = record_id
        if known.state == "living":
            self._by_person[known.person_key] = record_id

    def newest(self, known: KnownRecord) -> KnownRecord:
        """What was learned last of this record: a word that is older than what is known adds a key at the most."""
        there = self._by_id.get(known.record.id)
        if there is None or there.version <= known.version:
            return known
        return there if there.key is not None else msgspec.structs.replace(there, key=known.key)

    def _is_held_by_living(self, key: str) -> bool:
        """A merge may hand a key on: it finds the record that lives."""
        holder = self.of_key(key)
        return holder is not None and holder.key == key and holder.state == "living"


async def read_standing(settings: Settings, system: System) -> tuple[KnownRecords, Checkpoint | None]:
    """Everything that is known, and how far the feeds were read; None where the connector never ran.

    To be read after the journal has fenced whoever wrote before, so that nothing is still to come.
    """
    known, checkpoint = KnownRecords(system), None
    async with Reader(settings) as reader:
        async for message in reader.records(settings.topic(f"{system}.records")):
            if (told := known_record_of(message, system)) is not None:
                known.learn(told)
        async for message in reader.records(settings.topic("checkpoints")):
            checkpoint = checkpoint_of(message, system) or checkpoint
    return known, checkpoint


def known_record_of(message: Any, system: System) -> KnownRecord | None:
    """What a message on `<system>.records` says; None where no journal can have written it, and the log says so."""
    if message.value is None:
        return None
    try:
        known = read_known_record(message.value)
    except Unreadable as error:
        _pass_over(message, str(error))
        return None
    if known.record.system != system or known.record.id.encode() != message.key:
        _pass_over(message, f"it is of {known.record.system} {known.record.id!r}")
        return None
    return known


def checkpoint_of(message: Any, system: System) -> Checkpoint | None:
    """What a message on `checkpoints` says of this system; None likewise, and where it is of the other system."""
    if message.key != system.encode() or message.value is None:
        return None
    try:
        checkpoint = Checkpoint.model_validate_json(message.value)
    except ValidationError as error:
        _pass_over(message, str(error))
        return None
    if checkpoint.system != system:
        _pass_over(message, f"it is of {checkpoint.system}")
        return None
    return checkpoint


def _pass_over(message: Any, why: str) -> None:
    """These topics are the connector's own: what somebody else put there must neither stop it nor be believed."""
    place = f"{message.topic}[{message.partition}] at {message.offset}"
    log.error("%s: passed over a message that no connector wrote: %s", place, why[:TEXT_CHARACTERS_MAX])
