"""What a client's body says shall be written, checked against the table; nothing is changed here.

Our own two columns are held beside the values. A body with a revision is a command's write: its key names person and creation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.demo.record import HeldRecord
from streams.simulators.dynamics.answers import ApiError, bad_payload, duplicate, key_taken, not_found
from streams.simulators.dynamics.coercion import coerced
from streams.simulators.dynamics.columns import KEY_COLUMN, REVISION_COLUMN, Column
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.option_labels import STATUS_STATES
from streams.simulators.dynamics.schema import Table
from streams.sync.messages import Value

BIND = "@odata.bind"
KEY = re.compile(r"(.+)#(\d{1,6})")
_REFERENCE = re.compile(r"(?:.*/)?(\w+)\(([0-9a-fA-F-]{36})\)")


@dataclass
class Entered:
    """What a body gives: values by column, our columns under the names `key` and `revision`, and an id where it names one."""

    values: dict[str, Value] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    record_id: str | None = None


def entered(instance: DynamicsInstance, table: Table, body: Mapping[str, Any], creates: bool) -> Entered:
    """The body, checked. Columns that may not be written are passed over. Raises ApiError for whatever is wrong with it."""
    found = Entered()
    for name, value in body.items():
        if name.endswith(BIND):
            _bind(instance, table, name, value, creates, found)
        elif "@" not in name:
            _enter(table, name, value, creates, found)
    return found


def check_rules(instance: DynamicsInstance, table: Table, found: Entered, record_id: str | None) -> None:
    """Raise ApiError where a duplicate rule or an alternate key of another record stands in the way."""
    for name, value in found.values.items():
        if instance.saving.is_duplicate(name, value):
            raise duplicate()
    for key_name, columns in table.keys.items():
        if found.values.keys() & set(columns) or ("key" in found.ours and KEY_COLUMN in columns):
            _check_key(instance, table, key_name, columns, found, record_id)


def settle_status(table: Table, found: Entered, held: HeldRecord | None) -> None:
    """A state brings its first status reason along. Raises ApiError for a status reason of another state."""
    reasons = STATUS_STATES["contact" if table.logical_name == "contact" else "lead"]
    state = found.values.get("statecode", 0 if held is None else held.values.get("statecode") or 0)
    if found.values.get("statuscode") is not None:
        status = found.values["statuscode"]
        if reasons.get(status if isinstance(status, int) else -1) != state:
            raise ApiError(
                400,
                "0x80048408",
                f"{status} is not a valid status code for state code {table.schema_name}State.{state} on {table.logical_name}.",
            )
    elif "statecode" in found.values:
        found.values["statuscode"] = next(reason for reason, of in reasons.items() if of == state)


def check_same_email(instance: DynamicsInstance, table: Table, found: Entered, record_id: str | None) -> None:
    """The rules that come with Dynamics: no two leads, no two contacts with one e-mail address. A walk over all records."""
    email = found.values.get("emailaddress1")
    if not isinstance(email, str):
        return
    for held in instance.records.values():
        other = held.values.get("emailaddress1")
        is_rival = held.record.type == table.logical_name and held.state == "open" and held.id != record_id
        if is_rival and isinstance(other, str) and other.casefold() == email.casefold():
            raise duplicate()


def reference(value: Any, entity_set: str) -> tuple[str, str]:
    """Entity set and id of what a bind names. Raises ApiError where it can't be read."""
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise bad_payload(entity_set, f"Invalid reference '{value}'.")
    return match[1], match[2].lower()


def _enter(table: Table, name: str, value: Any, creates: bool, found: Entered) -> None:
    column = table.columns.get(name)
    if column is None:
        if table.column_of(name) is not None:
            return  # `_ownerid_value` and its like are there to be read
        raise bad_payload(
            table.entity_set,
            f"InnerException : Microsoft.OData.ODataException: The property '{name}' does not exist on type "
            f"'Microsoft.Dynamics.CRM.{table.logical_name}'. Make sure to only use property names that are defined by "
            "the type.",
        )
    if column.name == table.primary_id:
        found.record_id = None if value is None else str(value).lower()
    elif _may_write(column, creates):
        _store(found, column.name, coerced(table, column, value))


def _store(found: Entered, name: str, value: Value) -> None:
    if name == REVISION_COLUMN:
        found.ours["revision"] = value
    elif name == KEY_COLUMN and (value is None or KEY.fullmatch(str(value))):
        found.ours["key"] = value
    else:
        found.values[name] = value


def _bind(instance: DynamicsInstance, table: Table, name: str, value: Any, creates: bool, found: Entered) -> None:
    navigation = name.removesuffix(BIND)
    column = table.columns.get(navigation) or table.columns.get(navigation.rpartition("_")[0])
    if column is None or not column.is_lookup:
        raise bad_payload(
            table.entity_set,
            f"An undeclared property '{navigation}' which only has property annotations in the payload but no property "
            "value was found in the payload. In OData, only declared navigation properties and declared named streams "
            "can be represented as properties without values.",
        )
    if not _may_write(column, creates):
        return
    found.values[column.name] = None if value is None else _bound(instance, table, column, value)
    if value is None:
        coerced(table, column, None)


def _bound(instance: DynamicsInstance, table: Table, column: Column, value: Any) -> Value:
    """The name of the user or account that is bound; the id of a record."""
    entity_set, row_id = reference(value, table.entity_set)
    target = instance.schema.by_set.get(entity_set)
    if target is None or target.logical_name not in column.targets:
        raise bad_payload(table.entity_set, f"'{entity_set}' is no table that '{column.name}' points to.")
    if target.logical_name in ("lead", "contact"):
        if row_id not in instance.records:
            raise not_found(target.logical_name, row_id)
        return row_id
    directory = instance.users if target.logical_name == "systemuser" else instance.accounts
    found = directory.name_of(row_id)
    if found is None:
        raise not_found(target.logical_name, row_id)
    return found


def _check_key(
    instance: DynamicsInstance,
    table: Table,
    key_name: str,
    columns: tuple[str, ...],
    found: Entered,
    own_id: str | None,
) -> None:
    held = instance.records.get(own_id or "")
    values = tuple(_would_hold(instance, held, found, column) for column in columns)
    other = instance.keys.find(table, key_name, values)
    if other is not None and other != own_id:
        raise key_taken(columns, key_name)


def _would_hold(instance: DynamicsInstance, held: HeldRecord | None, found: Entered, column: str) -> Value:
    if column == KEY_COLUMN and "key" in found.ours:
        key: Value = found.ours["key"]
        return key
    if column in found.values:
        return found.values[column]
    return None if held is None else instance.value_of(held, column)


def _may_write(column: Column, creates: bool) -> bool:
    return column.creatable if creates else column.updatable
