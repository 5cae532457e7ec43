"""`$expand` of what a lookup points to, within a row: one level, with its own `$select`. Collections can't be expanded here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from streams.simulators.dynamics.answers import no_property
from streams.simulators.dynamics.call import Call
from streams.simulators.dynamics.columns import Column
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.rows import directory_row, row_of, selected_names
from streams.simulators.dynamics.schema import Table

_ITEM = re.compile(r"\s*(\w+)(?:\(([^()]*)\))?\s*(?:,|$)")


def expand(instance: DynamicsInstance, table: Table, row: dict[str, Any], ids: dict[str, Any], call: Call) -> None:
    """Add to a row what `$expand` asks for. `ids`: the row's lookups, by property name. Raises ApiError."""
    for navigation, select in _items(call.query.get("$expand", "")):
        column, target = _meant(table, navigation)
        row[navigation] = _found(instance, ids.get(column.property_name), target, select)


def needed(table: Table, call: Call) -> list[Column]:
    """The lookups that have to be read for it. Raises ApiError for a name that is no lookup of the table."""
    return [_meant(table, navigation)[0] for navigation, _ in _items(call.query.get("$expand", ""))]


def _items(text: str) -> Iterator[tuple[str, str | None]]:
    for match in _ITEM.finditer(text):
        options = dict(part.split("=", 1) for part in (match[2] or "").split(";") if "=" in part)
        yield match[1], options.get("$select")


def _meant(table: Table, navigation: str) -> tuple[Column, str | None]:
    """The lookup, and the table where the name says one: `parentcustomerid_account`."""
    column = table.columns.get(navigation)
    if column is not None and column.is_lookup:
        return column, None
    name, _, target = navigation.rpartition("_")
    column = table.columns.get(name)
    if column is None or target not in column.targets:
        raise no_property(navigation, table.logical_name)
    return column, target


def _found(instance: DynamicsInstance, row_id: Any, target: str | None, select: str | None) -> dict[str, Any] | None:
    held = instance.records.get(row_id)
    if held is not None and target in (None, held.record.type):
        table = instance.table_of(held)
        return row_of(instance, table, held, selected_names(table, select), None)
    for name, directory in (("systemuser", instance.users), ("account", instance.accounts)):
        if row_id in directory and target in (None, name):
            return directory_row(
                directory, row_id, selected_names(instance.schema.tables[name], select), None, instance
            )
    return None
