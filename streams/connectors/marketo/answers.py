"""What is said of commands: results, the word that a record is ours, and what is known of it. Ids follow from the command."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from schemas.identity import uuid5
from schemas.known_record import RecordState
from schemas.limits import NAME_CHARACTERS_MAX
from schemas.source_change import SourceKind
from schemas.vocabulary import MARKETO, OURSELVES, Answer
from streams.connectors.journal import Entry, StreamChange
from streams.connectors.known import KnownRecord, KnownRecords
from streams.sync.messages import ApplyCommand, ApplyResult, Record, Row, SourceChange

_FIELD = re.compile(r"\bfield:? ['\"]([A-Za-z0-9_]{1,120})['\"]", re.IGNORECASE)
_WORDS = re.compile(r"[A-Za-z0-9_]+")


def person(record_id: str) -> Record:
    """A Marketo person."""
    return Record(MARKETO, "person", record_id)


def field_named(message: str, written: Iterable[str]) -> str | None:
    """The field that a refusal is about: the one that it names, else the only one of those written that stands in it."""
    fields = set(written)
    if (found := _FIELD.search(message)) is not None and found[1] in fields:
        return found[1]
    named = fields & {*_WORDS.findall(message)}
    return named.pop() if len(named) == 1 else None


def result(
    command: ApplyCommand,
    answer: Answer,
    record: Record | None = None,
    *,
    code: str | None = None,
    message: str | None = None,
    gone: Literal["deleted", "closed"] = "deleted",
    row: Row | None = None,
) -> ApplyResult:
    """A result. Its id follows from the command, the answer and what it hangs on, so that a repeat says the same."""
    record = record or command.record
    about = code or ("" if record is None else record.id)
    return ApplyResult(
        result_id=uuid5(f"result/{command.command_id}/{answer}/{about}"),
        command_id=command.command_id,
        person_key=command.person_key,
        system=MARKETO,
        answer=answer,
        record=record,
        code=None if code is None else code[:NAME_CHARACTERS_MAX],
        field=None if message is None else field_named(message, command.fields or {}),
        message=message,
        gone=gone,
        row=row,
    )


@dataclass
class Said:
    """What one wave of commands has to say, gathered."""

    known: KnownRecords
    changes: list[StreamChange] = field(default_factory=list)
    results: list[ApplyResult] = field(default_factory=list)
    records: list[KnownRecord] = field(default_factory=list)
    if_gone: dict[str, Entry] = field(default_factory=dict)
    written: int = 0

    def entry(self) -> Entry:
        """For the journal."""
        return Entry(
            changes=tuple(self.changes),
            results=tuple(self.results),
            records=tuple(self.records),
            if_gone=dict(self.if_gone),
        )

    def answer(self, command: ApplyCommand, answer: Answer, record: Record | None = None, **more: Any) -> None:
        """One result."""
        self.results.append(result(command, answer, record, **more))

    def gone(self, command: ApplyCommand, record_id: str) -> None:
        """The record is no more; a merge that was told has closed it, else it was deleted."""
        known = self.known.get(record_id)
        is_closed = known is not None and known.state == "closed"
        self.answer(command, "gone", person(record_id), gone="closed" if is_closed else "deleted")

    def linked(self, command: ApplyCommand, record_id: str) -> None:
        """The record carries this command's key: whatever its stream shows finds its person from now on.

        The feed may have told its end by the time when this is written, and not known whose it was; then so much is said too.
        """
        known = self.known.get(record_id)
        self._say(command, record_id, "linked", revision=command.revision)
        self._know(command, record_id, "living" if known is None else known.state)
        self.if_gone[record_id] = Entry(
            changes=self._life(command, record_id), results=(result(command, "gone", person(record_id)),)
        )

    def came_and_went(self, command: ApplyCommand, record_id: str) -> None:
        """The record was created by this command, which so has landed, and deleted before anybody knew: its stream says so."""
        self._say(command, record_id, "linked", revision=command.revision)
        self.changes += self._life(command, record_id)
        self._know(command, record_id, "deleted")
        self.answer(command, "gone", person(record_id))

    def _life(self, command: ApplyCommand, record_id: str) -> tuple[StreamChange, StreamChange]:
        """That it was there, which means that the create landed, and that it is not there any more."""
        known = self.known.get(record_id)
        version = 0 if known is None else known.version
        return (
            _change(command, record_id, "created", version=version, fields={}),
            _change(command, record_id, "deleted", version=version),
        )

    def _say(self, command: ApplyCommand, record_id: str, kind: SourceKind, **more: Any) -> None:
        self.changes.append(_change(command, record_id, kind, **more))

    def _know(self, command: ApplyCommand, record_id: str, state: RecordState) -> None:
        known = self.known.get(record_id) or KnownRecord(record=person(record_id), stream=record_id)
        self.records.append(msgspec.structs.replace(known, key=command.key, state=state))


def _change(command: ApplyCommand, record_id: str, kind: SourceKind, **more: Any) -> StreamChange:
    return StreamChange(
        record_id,
        SourceChange(
            change_id=f"{kind}/{command.command_id}",
            kind=kind,
            record=person(record_id),
            person_key=command.person_key,
            creation=command.creation,
            who=OURSELVES,
            **more,
        ),
    )
