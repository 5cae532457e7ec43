"""A table partition in memory: read back whole from its changelog whenever the partition comes to this process."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any

from streams.lane.batch import Count, Record
from streams.lane.stores.store import ChangelogFacts, Writes


class MemoryStore:
    """A dict. The table of every batch is one and the same view of it."""

    lasting = False
    counted = None

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self._view = MappingProxyType(self.values)

    def begin(self, facts: ChangelogFacts) -> int:
        return facts.beginning

    def follow(self, records: Sequence[Any]) -> None:
        values = self.values
        for record in records:
            if record.value is None:
                values.pop(record.key, None)
            else:
                values[record.key] = record.value

    async def complete(self, end: int) -> None:
        """Nothing is left to do."""

    def table(self, records: Sequence[Record]) -> Mapping[bytes, bytes]:
        return self._view

    def keep(self, writes: Writes, counted: int, next_offset: int | None, at: float) -> None:
        values = self.values
        for key, value in writes.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.values.items())

    def __len__(self) -> int:
        return len(self.values)

    def close(self) -> None:
        """Nothing lasts."""


class MemoryStores:
    """Nothing to share, nothing to fight over."""

    def claim(self) -> AbstractContextManager[None]:
        return nullcontext()

    def store(self, table: str, partition: int, count: Count | None) -> MemoryStore:
        return MemoryStore()
