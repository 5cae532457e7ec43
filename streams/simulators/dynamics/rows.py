"""A record as a row: each column as the Web API spells it, with the annotations that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from schemas.vocabulary import RecordType
from streams.demo.record import HeldRecord
from streams.simulators.dynamics.answers import no_property
from streams.simulators.dynamics.call import Call
from streams.simulators.dynamics.columns import KEY_COLUMN, REVISION_COLUMN, Column
from streams.simulators.dynamics.directory import Directory
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.option_labels import CLOSED_STATUSES
from streams.simulators.dynamics.schema import Table

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"

Reader = Callable[[DynamicsInstance, HeldRecord], Any]


def etag_of(held: HeldRecord) -> str:
    """The version as an ETag."""
    return f'W/"{held.version}"'


def row_of(
    instance: DynamicsInstance, table: Table, held: HeldRecord, columns: list[Column], annotations: str | None
) -> dict[str, Any]:
    """The record's row: ETag, the columns, the id in any case."""
    row: dict[str, Any] = {"@odata.etag": etag_of(held)}
    for column in columns:
        name = column.property_name
        row[name] = value = _reader(column)(instance, held)
        if annotations is not None and value is not None:
            _annotate(row, name, column, value, annotations, instance)
    row[table.primary_id] = held.id
    return row


def directory_row(
    directory: Directory, row_id: str, columns: list[Column], annotations: str | None, instance: DynamicsInstance
) -> dict[str, Any]:
    """The row of a user or account."""
    whole = directory.row(row_id)
    row: dict[str, Any] = {"@odata.etag": 'W/"1000"'}
    for column in columns:
        value = row[column.property_name] = whole.get(column.property_name)
        if annotations is not None and value is not None:
            _annotate(row, column.property_name, column, value, annotations, instance)
    row[f"{directory.logical_name}id"] = row_id
    return row


def selected(table: Table, call: Call) -> list[Column]:
    """The columns that `$select` names; all of them without one. Raises ApiError for one that the table lacks."""
    return selected_names(table, call.query.get("$select"))


def selected_names(table: Table, names: str | None) -> list[Column]:
    """The columns that are named, with commas between them."""
    if not names:
        return list(table.columns.values())
    columns = {}
    for name in (part.strip() for part in names.split(",")):
        column = table.column_of(name)
        if column is None:
            raise no_property(name, table.logical_name)
        columns[column.name] = column
    return list(columns.values())


def context_of(call: Call, table: Table, suffix: str = "") -> str:
    """`@odata.context` of rows of this table."""
    names = call.query.get("$select")
    return f"{call.base}$metadata#{table.entity_set}{f'({names})' if names else ''}{suffix}"


def full_name(held: HeldRecord) -> str | None:
    """First and last name."""
    parts = (held.values.get("firstname"), held.values.get("lastname"))
    return " ".join(part for part in parts if isinstance(part, str)) or None


def _reader(column: Column) -> Reader:
    found = _READERS.get(column.name)
    if found is not None:
        return found
    return _lookup(column.name) if column.is_lookup else _stored(column.name)


@lru_cache(maxsize=1_024)
def _stored(name: str) -> Reader:
    def read(instance: DynamicsInstance, held: HeldRecord) -> Any:
        value = held.values.get(name)
        return ",".join(map(str, value)) if isinstance(value, tuple) else value

    return read


@lru_cache(maxsize=64)
def _lookup(name: str) -> Reader:
    def read(instance: DynamicsInstance, held: HeldRecord) -> Any:
        directory = instance.accounts if name == "parentcustomerid" else instance.users
        return directory.id_of(held.values.get(name))

    return read


def _id(instance: DynamicsInstance, held: HeldRecord) -> str:
    return held.id


def _state(instance: DynamicsInstance, held: HeldRecord) -> Any:
    closed = CLOSED_STATUSES.get((_kind(held), held.state))
    return held.values.get("statecode", 0) if closed is None else closed[0]


def _status(instance: DynamicsInstance, held: HeldRecord) -> Any:
    closed = CLOSED_STATUSES.get((_kind(held), held.state))
    return held.values.get("statuscode", 1) if closed is None else closed[1]


def _kind(held: HeldRecord) -> RecordType:
    return "contact" if held.record.type == "contact" else "lead"


def _owner(instance: DynamicsInstance, held: HeldRecord) -> Any:
    return instance.users.id_of(held.values.get("ownerid")) or _made_by(instance, held)


def _made_by(instance: DynamicsInstance, held: HeldRecord) -> str:
    return instance.users.add(instance.made.get(held.id, (held.who, ""))[0])


def _made_on(instance: DynamicsInstance, held: HeldRecord) -> str:
    stored = held.values.get("createdon")
    return stored if isinstance(stored, str) else instance.made.get(held.id, ("", held.time))[1]


def _master(instance: DynamicsInstance, held: HeldRecord) -> str | None:
    winner = instance.closed_by.get(held.id)
    return winner.id if held.state == "deactivated" and winner is not None else None


def _annotate(
    row: dict[str, Any], name: str, column: Column, value: Any, annotations: str, instance: DynamicsInstance
) -> None:
    for annotation in _wanted(annotations):
        text = _ANNOTATIONS[annotation](column, value, instance)
        if text is not None:
            row[f"{name}@{annotation}"] = text


@lru_cache(maxsize=64)
def _wanted(annotations: str) -> tuple[str, ...]:
    patterns = [part.strip() for part in annotations.split(",")]
    return tuple(name for name in _ANNOTATIONS if any(fnmatchcase(name, pattern) for pattern in patterns))


def formatted(column: Column, value: Any, instance: DynamicsInstance) -> str | None:
    """The value as a person reads it; None where that says nothing more."""
    if column.is_lookup:
        return _name_of(column, value, instance)
    if column.options is not None:
        return _option_text(column.options, value)
    return _FORMATS[column.type](column, value) if column.type in _FORMATS else None


def _option_text(options: Mapping[int, str], value: Any) -> str | None:
    if isinstance(value, str):
        labels = [options.get(int(part)) for part in value.split(",") if part.strip().isdigit()]
        return "; ".join(label for label in labels if label is not None) or None
    return options.get(int(value)) if isinstance(value, (int, float)) else None


def _name_of(column: Column, row_id: Any, instance: DynamicsInstance) -> str | None:
    held = instance.records.get(row_id)
    if held is not None:
        return full_name(held)
    return instance.users.name_of(row_id) or instance.accounts.name_of(row_id)


def _target(column: Column, row_id: Any, instance: DynamicsInstance) -> str | None:
    held = instance.records.get(row_id) if column.is_lookup else None
    return None if not column.is_lookup else column.targets[0] if held is None else held.record.type


def _time_text(column: Column, value: Any) -> str:
    moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
    day = f"{moment.month}/{moment.day}/{moment.year}"
    return day if column.format == "DateOnly" else f"{day} {moment.hour % 12 or 12}:{moment:%M %p}"


_FORMATS: Mapping[str, Callable[[Column, Any], str]] = {
    "DateTime": _time_text,
    "Integer": lambda column, value: f"{value:,}",
    "Decimal": lambda column, value: f"{value:,.2f}",
    "Double": lambda column, value: f"{value:,.2f}",
    "Money": lambda column, value: f"${value:,.2f}",
    "BigInt": lambda column, value: str(value),
}

_ANNOTATIONS: Mapping[str, Callable[[Column, Any, DynamicsInstance], str | None]] = {
    FORMATTED: formatted,
    LOOKUP_TABLE: _target,
    NAVIGATION: lambda column, value, instance: column.name if column.is_lookup else None,
}

_READERS: Mapping[str, Reader] = {
    "leadid": _id,
    "contactid": _id,
    "fullname": lambda instance, held: full_name(held),
    "statecode": _state,
    "statuscode": _status,
    "ownerid": _owner,
    "owninguser": _owner,
    "createdby": _made_by,
    "createdon": _made_on,
    "modifiedby": lambda instance, held: instance.users.add(held.who),
    "modifiedon": lambda instance, held: held.time,
    "versionnumber": lambda instance, held: held.version,
    "merged": lambda instance, held: held.state == "deactivated",
    "masterid": _master,
    "originatingleadid": lambda instance, held: instance.lead_of.get(held.id),
    KEY_COLUMN: lambda instance, held: instance.value_of(held, KEY_COLUMN),
    REVISION_COLUMN: lambda instance, held: instance.value_of(held, REVISION_COLUMN),
}
"""Columns that are not simply what somebody entered."""
