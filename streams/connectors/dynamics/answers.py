"""What is answered to a command. Ids follow from the command, the answer and the row it hangs on, so that a repeat is one. Pure."""

from __future__ import annotations

import re
from typing import Any

from schemas.identity import uuid5
from schemas.limits import NAME_CHARACTERS_MAX
from schemas.vocabulary import DYNAMICS, Answer
from streams.connectors.dynamics.rows import Shown, row_of
from streams.connectors.rest import Refused
from streams.sync.messages import ApplyCommand, ApplyResult, Record

OWNER_UNKNOWN = "owner_unknown"
READ_ONLY = "0x8004022e"
"""Dataverse's own code for a write to a record that is not active."""


def answer_to(command: ApplyCommand, answer: Answer, on: str = "", **members: Any) -> ApplyResult:
    """An answer. `on`: what tells it from another answer of the same kind to the same command."""
    members.setdefault("record", command.record)
    return ApplyResult(
        result_id=uuid5(f"result/{command.command_id}/{answer}/{on}"),
        command_id=command.command_id,
        person_key=command.person_key,
        system=DYNAMICS,
        answer=answer,
        **members,
    )


def created(command: ApplyCommand, record: Record) -> ApplyResult:
    """The record exists now."""
    return answer_to(command, "created", record.id, record=record)


def linked(command: ApplyCommand, twin: Shown, person_key: str) -> ApplyResult:
    """There is a twin, which stands for this person; nothing is created."""
    return answer_to(
        command, "linked", _version(twin), record=twin.record, row=row_of(twin), twin_person_key=person_key
    )


def superseded(command: ApplyCommand, record: Record) -> ApplyResult:
    """The record is at or above the command's revision; or the lead was qualified already."""
    return answer_to(command, "superseded", record.id, record=record)


def conflict(command: ApplyCommand, shown: Shown) -> ApplyResult:
    """It holds something else than expected."""
    return answer_to(command, "conflict", _version(shown), record=shown.record, row=row_of(shown))


def gone_deleted(command: ApplyCommand) -> ApplyResult:
    """There is no such record any more."""
    return answer_to(command, "gone", "deleted", gone="deleted")


def gone_closed(command: ApplyCommand) -> ApplyResult:
    """A merge or a conversion closed it."""
    return answer_to(command, "gone", "closed", gone="closed")


def refused(command: ApplyCommand, code: str, message: str, field: str | None = None) -> ApplyResult:
    """The system would not have it."""
    code = code[:NAME_CHARACTERS_MAX]
    return answer_to(command, "refused", f"{code}/{field}", code=code, field=field, message=message)


def refused_by(command: ApplyCommand, error: Refused) -> ApplyResult:
    """In Dataverse's own words, with the field that they name."""
    return refused(command, error.code, error.message, field_named(command, error.message))


def refused_inactive(command: ApplyCommand, shown: Shown) -> ApplyResult:
    """Deactivated, but neither merged nor converted: somebody may activate it again, so the command fails and may be retried."""
    kind = shown.record.type
    what = "it is disqualified" if kind == "lead" else "it is deactivated"
    return refused(command, READ_ONLY, f"The {kind} is read-only in Dynamics: {what}. Activate it there, then retry.")


def field_named(command: ApplyCommand, message: str) -> str | None:
    """The first of the command's columns that a message names."""
    columns = [*(command.fields or {}), *(["ownerid"] if command.owner is not None else [])]
    places = [
        (match.start(), column)
        for column in columns
        if (match := re.search(rf"(?<!\w){re.escape(column)}(?!\w)", message, re.IGNORECASE))
    ]
    return min(places)[1] if places else None


def _version(shown: Shown) -> str:
    return f"{shown.record.id}/{shown.version}"
