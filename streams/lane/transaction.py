"""One source partition's transactional producer: the owner of that partition, and the commit of its batches.

Starting the producer is what takes the partition over: the broker ends whatever an older producer of the same
transactional id had open and refuses it from then on. Each commit holds the outputs, the table's changelog records and
the input offset of one batch; either all of them become visible or none.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.lane.batch import LaneError, Output
from streams.lane.markers import heed_markers
from streams.lane.parcels import Parcel
from streams.lane.partitions import Partitioner
from streams.lane.settings import LaneSettings

Destination = tuple[str, int]

# Offset, timestamp and length fields of a record, each a varint at its longest, with the attributes byte.
RECORD_OVERHEAD_BYTES = 32
HEADER_OVERHEAD_BYTES = 10
ABORT_SECONDS = 1.0


def record_bytes(output: Output) -> int:
    """An upper bound of what an output takes on Kafka; to be kept within `LaneSettings.max_record_bytes`."""
    size = RECORD_OVERHEAD_BYTES + len(output.key or b"") + len(output.value or b"")
    return size + sum(len(name) * 4 + len(value) + HEADER_OVERHEAD_BYTES for name, value in output.headers)


class Transactor:
    """Sends and commits the batches of one source partition."""

    def __init__(
        self, settings: LaneSettings, partitioner: Partitioner, agent: str, topic: str, partition: int
    ) -> None:
        self._settings = settings
        self._partitioner = partitioner
        self._source = TopicPartition(topic, partition)
        self._role = f"{agent}-{topic}-{partition}"
        self._transactional_id = settings.transactional_id(agent, topic, partition)
        self._producer: Any = None
        # aiokafka gives a request up after the one, the broker a transaction after the other.
        self._seconds_max = (settings.request_timeout_ms + settings.transaction_timeout_ms) / 1000

    async def fence(self) -> None:
        """Take the partition over. Whoever had it is refused from here on, and what it had open is gone."""
        settings = self._settings
        self._producer = AIOKafkaProducer(
            **settings.client(self._role),
            transactional_id=self._transactional_id,
            transaction_timeout_ms=settings.transaction_timeout_ms,
            max_batch_size=settings.produce_batch_bytes,
            max_request_size=settings.max_record_bytes + settings.produce_batch_bytes,
            compression_type=settings.compression_type,
            linger_ms=0,
            **heed_markers(),
        )
        await self._producer.start()

    async def commit(
        self, outputs: Sequence[Output], changelog: str | None, writes: Mapping[bytes, bytes | None], offset: int
    ) -> int | None:
        """Commit a batch: its outputs, its table writes and `offset`, the next one to read.

        Gives the offset that follows the last of its changelog records; None without any, or where the broker does not say.
        Raises LaneError where neither comes about: when a broker is killed, aiokafka sometimes waits for ever for a request that
        was under way. Whether the commit holds is not known then; whoever fences this producer finds out.
        """
        committing = asyncio.create_task(self._commit(outputs, changelog, writes, offset))
        try:
            done, _ = await asyncio.wait([committing], timeout=self._seconds_max)
        except asyncio.CancelledError:
            committing.cancel()
            raise
        if done:
            return committing.result()
        where = waiting_place(committing)
        committing.cancel()
        raise LaneError(f"{self._role}: a commit has had no answer for {self._seconds_max:.0f} s; it waits in {where}")

    async def _commit(
        self, outputs: Sequence[Output], changelog: str | None, writes: Mapping[bytes, bytes | None], offset: int
    ) -> int | None:
        producer = self._producer
        await self._partitioner.learn((output.topic for output in outputs), producer.partitions_for)
        # Packed before the transaction begins, so that nothing of a batch with an oversized record is ever sent.
        parcels = self._packed(outputs, changelog, writes)
        await producer.begin_transaction()
        try:
            delivered = await self._send(parcels, offset)
            await producer.commit_transaction()
        except BaseException:
            await self._abort()
            raise
        written = parcels.get((changelog, self._source.partition)) if changelog is not None else None
        # Packed last, so what was delivered last is the last of them.
        return _follows(delivered[-1], written.batches[-1].record_count()) if written else None

    async def _send(self, parcels: Mapping[Destination, Parcel], offset: int) -> Sequence[Any]:
        """The metadata of each batch, in the order of the parcels."""
        deliveries = [
            await self._producer.send_batch(batch, topic, partition=partition)
            for (topic, partition), parcel in parcels.items()
            for batch in parcel.batches
        ]
        offsets = {self._source: offset}
        # The offset travels while the records do: both only have to be there before the commit.
        sending = self._producer.send_offsets_to_transaction(offsets, self._settings.app_id)
        _, *delivered = await asyncio.gather(sending, *deliveries)
        return delivered

    async def _abort(self) -> None:
        """Free readers from waiting for our time-out. Best effort: the next owner's fence does the same."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._producer.abort_transaction(), ABORT_SECONDS)

    def _packed(
        self, outputs: Iterable[Output], changelog: str | None, writes: Mapping[bytes, bytes | None]
    ) -> dict[Destination, Parcel]:
        """By destination, the changelog last."""
        place, create, limit = self._partitioner.partition, self._producer.create_batch, self._settings.max_record_bytes
        parcels: dict[Destination, Parcel] = {}
        for topic, key, value, headers, timestamp_ms in outputs:
            destination = (topic, place(topic, key))
            parcel = parcels.get(destination)
            if parcel is None:
                parcel = parcels[destination] = Parcel(topic, create, limit)
            # aiokafka's compiled builder takes a list and nothing else.
            parcel.add(key, value, headers if headers.__class__ is list else list(headers), timestamp_ms)
        if writes and changelog is not None:
            # The changelog partition is the source's, not the key's: a table's partition moves with its source partition.
            parcel = parcels[changelog, self._source.partition] = Parcel(changelog, create, limit)
            for key, value in writes.items():
                parcel.add(key, value, [], None)
        for parcel in parcels.values():
            parcel.close()
        return parcels

    async def close(self) -> None:
        """Close the connections. An open transaction is left to whoever fences us."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


def waiting_place(task: asyncio.Task[Any]) -> str:
    """The functions that a task is in, the outermost first."""
    names: list[str] = []
    waits: Any = task.get_coro()
    while waits is not None:
        names.append(getattr(waits, "__qualname__", type(waits).__qualname__))
        waits = getattr(waits, "cr_await", None)
    return ", ".join(names)


def _follows(delivered: Any, records: int) -> int | None:
    """The offset after a batch. The broker gives none for one that it had already when it was sent again."""
    return delivered.offset + records if delivered.offset >= 0 else None
