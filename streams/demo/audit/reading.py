"""Topics as they stand when all is quiet: what is committed, and everything that was ever written, attempts that were given up included."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import TopicPartition

from streams.demo.wire import partitions_of, plain_consumer, stand_at_beginning
from streams.operating.reading import POLL_MILLISECONDS, up_to_the_end
from streams.settings import Settings

FETCH_BYTES = 8 * 1_048_576
DIGEST_BYTES = 12


class Log:
    """Reads one topic after the other, each partition in its order. An async context manager. `read` counts records."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.read = 0
        self._committed: Any = _consumer(settings, "read_committed")
        self._everything: Any = _consumer(settings, "read_uncommitted")

    async def __aenter__(self) -> Log:
        await self._committed.start()
        await self._everything.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._committed.stop()
        await self._everything.stop()

    async def committed(self, topic: str) -> AsyncIterator[Any]:
        """Every committed record of a topic, by its name on the broker."""
        async for record in _records(self._committed, partitions_of(self.settings, [topic])):
            self.read += 1
            yield record

    async def everything(self, topic: str) -> AsyncIterator[Any]:
        """Every record, whatever became of its transaction."""
        async for record in _records(self._everything, partitions_of(self.settings, [topic])):
            yield record

    async def left_open(self, topics: Iterable[str]) -> list[TopicPartition]:
        """The partitions in which a transaction was left open: what follows is hidden from readers."""
        places = partitions_of(self.settings, topics)
        ends = await self._everything.end_offsets(places)
        stable = await self._committed.end_offsets(places)
        return [place for place in places if stable[place] < ends[place]]


def digest(key: bytes | None, value: bytes | None) -> bytes:
    """What a record says, in a few bytes."""
    return hashlib.blake2b((key or b"") + b"\0" + (value or b""), digest_size=DIGEST_BYTES).digest()


def _consumer(settings: Settings, isolation_level: str) -> Any:
    fetching = {"max_partition_fetch_bytes": FETCH_BYTES, "fetch_max_wait_ms": POLL_MILLISECONDS}
    return plain_consumer(settings, "demo-audit", isolation_level, **fetching)


async def _records(consumer: Any, places: list[TopicPartition]) -> AsyncIterator[Any]:
    await stand_at_beginning(consumer, places)
    async for record in up_to_the_end(consumer, places):
        yield record
