"""What a column makes of a JSON value: the value as it is stored, or a refusal with the documented code.

Formats (e-mail, phone, URL) are checked by forms only, never here; so are ApplicationRequired columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from streams.simulators.dynamics.answers import bad_payload, no_option, not_nullable, out_of_range, too_long
from streams.simulators.dynamics.columns import Column, ColumnType
from streams.simulators.dynamics.schema import Table
from streams.sync.messages import Value
from streams.sync.values import is_date

EDM_TYPES: Mapping[ColumnType, str] = {
    "String": "Edm.String",
    "Memo": "Edm.String",
    "MultiSelectPicklist": "Edm.String",
    "Integer": "Edm.Int32",
    "Picklist": "Edm.Int32",
    "State": "Edm.Int32",
    "Status": "Edm.Int32",
    "BigInt": "Edm.Int64",
    "Decimal": "Edm.Decimal",
    "Double": "Edm.Double",
    "Money": "Edm.Decimal",
    "Boolean": "Edm.Boolean",
    "DateTime": "Edm.DateTimeOffset",
    "Uniqueidentifier": "Edm.Guid",
}


def coerced(table: Table, column: Column, value: Any) -> Value:
    """The value as stored. Raises ApiError: wrong type, too long, out of range, no such option, not nullable."""
    if value is None:
        if column.required == "SystemRequired":
            raise not_nullable(column.name)
        return None
    return _COERCIONS[column.type](table, column, value)


def _text(table: Table, column: Column, value: Any) -> Value:
    if not isinstance(value, str):
        raise _not_of_type(table, column, value)
    if column.length_max is not None and len(value) > column.length_max:
        raise too_long(column.name, table.logical_name, column.length_max)
    return value


def _integer(table: Table, column: Column, value: Any) -> Value:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _not_of_type(table, column, value)
    return _ranged(table, column, value)


def _number(table: Table, column: Column, value: Any) -> Value:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _not_of_type(table, column, value)
    return _ranged(table, column, value)


def _boolean(table: Table, column: Column, value: Any) -> Value:
    if not isinstance(value, bool):
        raise _not_of_type(table, column, value)
    return value


def _option(table: Table, column: Column, value: Any) -> Value:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _not_of_type(table, column, value)
    if column.options is not None and value not in column.options:
        raise no_option(column.name, table.logical_name, value, tuple(column.options))
    return value


def _options(table: Table, column: Column, value: Any) -> Value:
    if not isinstance(value, str):
        raise _not_of_type(table, column, value)
    numbers = [part.strip() for part in value.split(",") if part.strip()]
    for number in numbers:
        if column.options is not None and (not number.lstrip("-").isdigit() or int(number) not in column.options):
            raise no_option(column.name, table.logical_name, number, tuple(column.options))
    return ",".join(numbers)


def _time(table: Table, column: Column, value: Any) -> Value:
    """A day, or an instant in UTC by the second."""
    if not isinstance(value, str):
        raise _not_of_type(table, column, value)
    if column.format == "DateOnly" and is_date(value):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _not_of_type(table, column, value) from None
    if column.format == "DateOnly":
        return moment.date().isoformat()
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def _identifier(table: Table, column: Column, value: Any) -> Value:
    return str(value).lower()


def _navigation(table: Table, column: Column, value: Any) -> Value:
    """A lookup is written by `<name>@odata.bind`."""
    raise bad_payload(
        table.entity_set,
        "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead. "
        f"({column.name})",
    )


def _ranged(table: Table, column: Column, value: float) -> Value:
    is_low = column.minimum is not None and value < column.minimum
    if is_low or (column.maximum is not None and value > column.maximum):
        raise out_of_range(column.name, table.logical_name, value, column.minimum, column.maximum)
    return value


def _not_of_type(table: Table, column: Column, value: Any) -> Exception:
    wanted = EDM_TYPES.get(column.type, column.type)
    return bad_payload(
        table.entity_set,
        f"InnerException : Microsoft.OData.ODataException: Cannot convert the literal '{value}' to the expected type "
        f"'{wanted}' ({column.name}).",
    )


_COERCIONS: Mapping[ColumnType, Callable[[Table, Column, Any], Value]] = {
    "String": _text,
    "Memo": _text,
    "Integer": _integer,
    "BigInt": _integer,
    "Decimal": _number,
    "Double": _number,
    "Money": _number,
    "Boolean": _boolean,
    "DateTime": _time,
    "Picklist": _option,
    "State": _option,
    "Status": _option,
    "MultiSelectPicklist": _options,
    "Uniqueidentifier": _identifier,
    "Lookup": _navigation,
    "Owner": _navigation,
    "Customer": _navigation,
}
