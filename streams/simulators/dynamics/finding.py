"""Which record an address means: by its id, or by an alternate key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.demo.record import HeldRecord
from streams.simulators.dynamics.answers import ApiError, bad_query, not_found, stale
from streams.simulators.dynamics.call import Call, Segment
from streams.simulators.dynamics.coercion import coerced
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.rows import etag_of
from streams.simulators.dynamics.schema import Table
from streams.sync.messages import Value


@dataclass(frozen=True)
class Place:
    """What an address names: a record or nothing yet; `key`: the values that its alternate key gives to a new record."""

    held: HeldRecord | None
    record_id: str | None
    key: Mapping[str, Value]

    def needed(self, table: Table) -> HeldRecord:
        """The record. Raises ApiError where there is none."""
        if self.held is None:
            raise not_found(table.logical_name, self.record_id or ", ".join(map(str, self.key.values())))
        return self.held


def place_of(instance: DynamicsInstance, table: Table, segment: Segment) -> Place:
    """The place that `leads(...)` means. Raises ApiError for a key that the table lacks."""
    if segment.id is not None:
        return Place(_of_table(instance, table, segment.id), segment.id, {})
    named = dict(segment.key or {})
    if set(named) == {table.primary_id}:
        record_id = named[table.primary_id].lower()
        return Place(_of_table(instance, table, record_id), record_id, {})
    for key_name, columns in table.keys.items():
        if set(columns) == set(named):
            values = {column: _key_value(table, column, named[column]) for column in columns}
            found = instance.keys.find(table, key_name, tuple(values.values()))
            return Place(instance.records.get(found or ""), found, values)
    raise bad_query(f"The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.{table.logical_name}'. Ensure that the names "
                    "and number of key properties match an alternate key.")  # fmt: skip


def check_version(table: Table, held: HeldRecord, call: Call) -> None:
    """Raise ApiError where `If-Match` names another version. `*` fits every one."""
    wanted = call.header("if-match")
    if wanted is None or wanted == "*":
        return
    if not table.checks_versions:
        raise ApiError(400, "0x80060881", f"Optimistic concurrency isn't enabled for entity type {table.logical_name}.")
    if wanted != etag_of(held):
        raise stale()


def _of_table(instance: DynamicsInstance, table: Table, record_id: str) -> HeldRecord | None:
    held = instance.records.get(record_id)
    return held if held is not None and held.record.type == table.logical_name else None


def _key_value(table: Table, column: str, text: str) -> Value:
    """A key's value from the address, in the column's own type."""
    found = table.columns[column]
    is_number = found.type in ("Integer", "BigInt", "Picklist") and text.lstrip("-").isdigit()
    return coerced(table, found, int(text) if is_number else text)
