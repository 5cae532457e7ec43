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
from aiokafka.producer import sender

from streams.lane.batch import LaneError, Output
from streams.lane.partitions import Partitioner
from streams.lane.settings import LaneSettings

Parcels = dict[tuple[str, int], list[Any]]  # aiokafka's BatchBuilder, by destination

# Offset, timestamp and length fields of a record, each a varint at its longest, with the attributes byte.
RECORD_OVERHEAD_BYTES = 32
HEADER_OVERHEAD_BYTES = 10
# aiokafka sleeps this long when the broker is still writing the markers of the transaction before. Its own 20 ms are
# most of the delay of back-to-back transactions: 2 ms took their p99 from 30 to 5 ms.
MARKER_WAIT_SECONDS = 0.002
# Broker 4 refuses a record with NotEnoughReplicas while those markers are on their way to its partition: in up to 8 % of
# lone transactions that follow each other at once. aiokafka's own 100 ms would be their p99.
RETRY_MS = 20
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

    async def fence(self) -> None:
        """Take the partition over. Whoever had it is refused from here on, and what it had open is gone."""
        sender.BACKOFF_OVERRIDE = MARKER_WAIT_SECONDS
        settings = self._settings
        self._producer = AIOKafkaProducer(
            **settings.client(self._role),
            transactional_id=self._transactional_id,
            transaction_timeout_ms=settings.transaction_timeout_ms,
            max_batch_size=settings.produce_batch_bytes,
            max_request_size=settings.max_record_bytes + settings.produce_batch_bytes,
            compression_type=settings.compression_type,
            linger_ms=0,
            retry_backoff_ms=RETRY_MS,
        )
        await self._producer.start()

    async def commit(
        self, outputs: Sequence[Output], changelog: str | None, writes: Mapping[bytes, bytes | None], offset: int
    ) -> None:
        """Commit a batch: its outputs, its table writes and `offset`, the next one to read."""
        producer = self._producer
        await self._partitioner.learn((output.topic for output in outputs), producer.partitions_for)
        # Packed before the transaction begins, so that nothing of a batch with an oversized record is ever sent.
        parcels: Parcels = {}
        self._pack_outputs(parcels, outputs)
        if writes and changelog is not None:
            self._pack_writes(parcels, changelog, writes)
        await producer.begin_transaction()
        try:
            await self._send(parcels, offset)
            await producer.commit_transaction()
        except BaseException:
            await self._abort()
            raise

    async def _send(self, parcels: Parcels, offset: int) -> None:
        deliveries = [
            await self._producer.send_batch(batch, topic, partition=partition)
            for (topic, partition), batches in parcels.items()
            for batch in batches
        ]
        offsets = {self._source: offset}
        # The offset travels while the records do: both only have to be there before the commit.
        await asyncio.gather(self._producer.send_offsets_to_transaction(offsets, self._settings.app_id), *deliveries)

    async def _abort(self) -> None:
        """Free readers from waiting for our time-out. Best effort: the next owner's fence does the same."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._producer.abort_transaction(), ABORT_SECONDS)

    def _pack_outputs(self, parcels: Parcels, outputs: Iterable[Output]) -> None:
        place = self._partitioner.partition
        for topic, key, value, headers, timestamp_ms in outputs:
            self._pack(parcels, (topic, place(topic, key)), key, value, headers, timestamp_ms)

    def _pack_writes(self, parcels: Parcels, changelog: str, writes: Mapping[bytes, bytes | None]) -> None:
        # The changelog partition is the source's, not the key's: a table's partition moves with its source partition.
        destination = (changelog, self._source.partition)
        for key, value in writes.items():
            self._pack(parcels, destination, key, value, (), None)

    def _pack(
        self,
        parcels: Parcels,
        destination: tuple[str, int],
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        timestamp_ms: int | None,
    ) -> None:
        fields: list[tuple[str, bytes]] = list(headers)  # aiokafka's compiled builder takes nothing else
        batches = parcels.get(destination)
        if batches is None:
            batches = parcels[destination] = [self._producer.create_batch()]
        packed = batches[-1].append(timestamp=timestamp_ms, key=key, value=value, headers=fields)
        if packed is None:  # the batch is full; an empty one takes any record
            batches.append(self._producer.create_batch())
            packed = batches[-1].append(timestamp=timestamp_ms, key=key, value=value, headers=fields)
        if packed.size > self._settings.max_record_bytes:
            limit = self._settings.max_record_bytes
            raise LaneError(f"a record of {packed.size} bytes for {destination[0]} is above the limit of {limit}")

    async def close(self) -> None:
        """Close the connections. An open transaction is left to whoever fences us."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
