"""Alternate keys: which record has which values, for look-ups by key and for the rule that no two records have the same."""

from __future__ import annotations

from collections.abc import Callable

from streams.demo.record import HeldRecord
from streams.simulators.dynamics.schema import Table
from streams.sync.messages import Value

Place = tuple[str, str, tuple[str, ...]]
"""Table, key, the values as text in small letters: Dataverse compares without regard to case."""


class KeyIndex:
    """Places by record and records by place. `value_of`: what a record holds in a column, our two among them."""

    def __init__(self, value_of: Callable[[HeldRecord, str], Value]) -> None:
        self._value_of = value_of
        self._ids: dict[Place, str] = {}
        self._places: dict[str, list[Place]] = {}

    def find(self, table: Table, key_name: str, values: tuple[Value, ...]) -> str | None:
        """The id of the record that has these values."""
        place = _place(table, key_name, values)
        return None if place is None else self._ids.get(place)

    def note(self, table: Table, held: HeldRecord) -> None:
        """A record was made or changed."""
        if not table.keys and held.id not in self._places:
            return
        self.forget(held.id)
        for key_name, columns in table.keys.items():
            place = _place(table, key_name, tuple(self._value_of(held, column) for column in columns))
            if place is not None:
                self._ids[place] = held.id
                self._places.setdefault(held.id, []).append(place)

    def forget(self, record_id: str) -> None:
        """A record is no more."""
        for place in self._places.pop(record_id, ()):
            self._ids.pop(place, None)


def _place(table: Table, key_name: str, values: tuple[Value, ...]) -> Place | None:
    """None where a value is missing: such a record has no key."""
    if any(value is None for value in values):
        return None
    return table.logical_name, key_name, tuple(str(value).casefold() for value in values)
