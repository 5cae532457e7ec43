"""What Kafka shows of the workers while they run: in which partitions of a table a transaction is open, which is to say, who is in mid-batch."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from streams.demo.wire import partitions_of, plain_consumer
from streams.settings import Settings
from streams.topics import changelog_topic


class Probe:
    """Looks at the changelog of `people`: its partition is that of the event log whose changes are being folded."""

    def __init__(self, settings: Settings) -> None:
        self._places = partitions_of(settings, [changelog_topic(settings, "people")])
        self._ends = plain_consumer(settings, "demo-probe", "read_uncommitted")
        self._stable = plain_consumer(settings, "demo-probe", "read_committed")

    async def start(self) -> None:
        """Connect."""
        await asyncio.gather(self._ends.start(), self._stable.start())

    async def stop(self) -> None:
        """Disconnect."""
        await asyncio.gather(self._ends.stop(), self._stable.stop())

    async def open(self) -> set[int]:
        """The partitions with an open transaction; none while the broker does not answer."""
        try:
            stable = await self._stable.end_offsets(self._places)
            ends = await self._ends.end_offsets(self._places)
            again = await self._stable.end_offsets(self._places)
        except KafkaError:
            return set()
        # What is stable is asked for before and after: a transaction that began and ended in between is none that is open.
        return {place.partition for place in self._places if stable[place] == again[place] < ends[place]}
