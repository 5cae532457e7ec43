"""Finding people by what a field holds: an index per field, made when the field is first asked for. Letter case does not count."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streams.demo.record import HeldRecord
from streams.sync.messages import Value

ValueOf = Callable[[HeldRecord, str], Value]


class Lookup:
    """`records`: every living record by id. `value_of`: what a record holds in a field."""

    def __init__(self, records: dict[str, HeldRecord], value_of: ValueOf) -> None:
        self._records, self._value_of = records, value_of
        self._by_field: dict[str, dict[str, dict[str, None]]] = {}

    def find(self, name: str, values: Iterable[str]) -> list[HeldRecord]:
        """The records whose field holds one of these values, by id."""
        if name == "id":
            found = {value: None for value in values if value in self._records}
        else:
            index = self._index(name)
            found = {record_id: None for value in values for record_id in index.get(value.casefold(), ())}
        return [self._records[record_id] for record_id in sorted(found, key=int)]

    def moved(self, record_id: str, name: str, old: Value, new: Value) -> None:
        """A record holds something else in this field."""
        index = self._by_field.get(name)
        if index is None:
            return
        if old is not None:
            index.get(str(old).casefold(), {}).pop(record_id, None)
        if new is not None:
            index.setdefault(str(new).casefold(), {})[record_id] = None

    def came(self, held: HeldRecord) -> None:
        """A new record."""
        for name in self._by_field:
            self.moved(held.id, name, None, self._value_of(held, name))

    def went(self, held: HeldRecord) -> None:
        """A record is no more."""
        for name in self._by_field:
            self.moved(held.id, name, self._value_of(held, name), None)

    def _index(self, name: str) -> dict[str, dict[str, None]]:
        if name not in self._by_field:
            self._by_field[name] = {}
            for held in self._records.values():
                self.moved(held.id, name, None, self._value_of(held, name))
        return self._by_field[name]
