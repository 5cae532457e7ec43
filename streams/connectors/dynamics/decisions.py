"""What is to be done with a command, now that its record was read. Pure.

Dynamics hides what a write covers, so a write happens only where each commanded column holds what is expected, or the new value
already; the ETag of the row that was judged makes judging and writing one. (Design, "Sight, collisions, commands".)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.vocabulary import DYNAMICS
from streams.connectors.dynamics import answers
from streams.connectors.dynamics.columns import KEY, REVISION, Columns
from streams.connectors.dynamics.rows import GUID, Shown
from streams.sync.messages import ApplyCommand, ApplyResult, Record, Value
from streams.sync.policy import FieldRule, Policy
from streams.sync.values import canonical

LOOKUP_CODE, NO_COLUMN_CODE, NO_RECORD_CODE, OVERSIZED_CODE = "lookup", "no_such_column", "no_such_record", "oversized"


@dataclass(frozen=True)
class Write:
    """A write that may happen while the record's ETag is this one."""

    command: ApplyCommand
    etag: str
    body: dict[str, Any] = field(repr=False)


def impossible(command: ApplyCommand) -> ApplyResult | None:
    """The answer to a command for a record that Dynamics cannot have: whoever writes changes may have made its id up."""
    if command.record is not None and GUID.fullmatch(command.record.id):
        return None
    return answers.refused(command, NO_RECORD_CODE, "The command names no record by an id that Dynamics could have.")


def decide_update(
    command: ApplyCommand, shown: Shown | None, contact: Record | None, columns: Columns, policy: Policy
) -> ApplyResult | Write:
    """An update. `contact`: what the record became, where it is a qualified lead."""
    if shown is None:
        return answers.gone_deleted(command)
    if shown.standing != "open":
        return closed(command, shown, contact)
    if is_at(shown, command):
        return answers.superseded(command, shown.record)
    unwritable = first_unwritable(command, columns, shown.oversized)
    if unwritable is not None:
        return unwritable
    if not holds_what_is_expected(command, shown, policy):
        return answers.conflict(command, shown)
    return Write(command, shown.etag or f'W/"{shown.version}"', body_of(command))


def decide_found(command: ApplyCommand, shown: Shown, contact: Record | None) -> ApplyResult:
    """A create whose record is there: made by this command, or by an earlier one of the same number that was given up for lost."""
    if shown.standing != "open":
        return closed(command, shown, contact)
    return answers.superseded(command, shown.record) if is_at(shown, command) else answers.conflict(command, shown)


def closed(command: ApplyCommand, shown: Shown, contact: Record | None) -> ApplyResult:
    """Nothing is written to a closed record; a merge or a conversion closes it for good, a mere deactivation does not."""
    if shown.standing == "merged" or contact is not None:
        return answers.gone_closed(command)
    if shown.standing == "qualified":  # and the contact that it became is gone
        return answers.gone_deleted(command)
    return answers.refused_inactive(command, shown)


def is_at(shown: Shown, command: ApplyCommand) -> bool:
    """Whether the record shows the command's revision, or a later one."""
    return shown.revision is not None and shown.revision >= command.revision


def holds_what_is_expected(command: ApplyCommand, shown: Shown, policy: Policy) -> bool:
    """Whether each commanded column holds the expected value, or the new one already."""
    rules = policy.inbound[shown.record.type]
    expected = command.expected or {}
    return all(
        _canonical(rules.get(column), shown.fields.get(column))
        in (_canonical(rules.get(column), expected.get(column)), _canonical(rules.get(column), value))
        for column, value in (command.fields or {}).items()
    )


def first_unwritable(command: ApplyCommand, columns: Columns, oversized: Sequence[str] = ()) -> ApplyResult | None:
    """The answer to a command for a column that cannot be written. `oversized`: what it covers could be told to nobody."""
    for column in command.fields or {}:
        if column in columns.lookups:
            message = f"{column} points to another record; leadsync reads such columns, and writes none but a new lead's owner."
            return answers.refused(command, LOOKUP_CODE, message, column)
        if column in oversized:
            message = f"{column} holds a text that is longer than leadsync can carry."
            return answers.refused(command, OVERSIZED_CODE, message, column)
        if column not in columns.stated:
            message = f"The {columns.kind} has no column {column} in Dynamics."
            return answers.refused(command, NO_COLUMN_CODE, message, column)
    return None


def body_of(command: ApplyCommand, owner_id: str | None = None) -> dict[str, Any]:
    """Fields, key and revision, in one write."""
    body: dict[str, Any] = {column: _written(value) for column, value in (command.fields or {}).items()}
    body |= {KEY: command.key, REVISION: command.revision}
    if owner_id is not None:
        body["ownerid@odata.bind"] = f"/systemusers({owner_id})"
    return body


def _canonical(rule: FieldRule | None, value: Value) -> Value:
    found = value if rule is None else canonical(rule, DYNAMICS, value)
    return None if found == "" or found == () else found


def _written(value: Value) -> Any:
    """Null empties a column; a multi-select is spelled `1,3`."""
    if isinstance(value, (tuple, list)):
        return ",".join(value) or None
    return None if value == "" else value
