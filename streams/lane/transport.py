"""Faust's consumer, handing on whole chunks instead of single messages.

What is replaced, and why:
- fetching: one Faust event per chunk of one partition, in place of four tasks and a queue per message;
- acknowledging and committing: nothing, because offsets are committed in the lane's transactions;
- waiting for streams to be empty, at a rebalance or a stop: the batch in hand, and nothing that only waits;
- the aiokafka consumer behind it: it reads committed records only and does not hold fetches for 1.5 seconds.

The consumer lives in Faust's own thread with a loop of its own. Records are taken and positions are changed only there,
and each in one step without an await: that is why the epoch that goes with the records is exact.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.errors import ConsumerStoppedError, InvalidSessionTimeoutError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from faust.types.transports import TPorTopicSet
from mode import Service
from mode.types import ServiceT

from streams.lane.batch import LaneError
from streams.lane.fetching import AS_PARSED, Taken
from streams.lane.lanes import Chunk, Partition, SupersededError
from streams.lane.loops import new_event_loop
from streams.lane.membership import Membership
from streams.lane.positions import starts

if TYPE_CHECKING:
    from streams.lane.app import LaneApp

T = TypeVar("T")
POLL_SECONDS = 0.5
# While a lane is full, its partition is left out of the request; look again soon whether it has room.
POLL_WHEN_FULL_SECONDS = 0.02
LAG_SECONDS = 1.0
WATCH_SECONDS = 1.0
SESSION_SETTINGS = "its group.min.session.timeout.ms and group.max.session.timeout.ms say which it takes"


class LaneConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread of the aiokafka consumer. Methods that begin with `_in_thread` run on its loop."""

    app: "LaneApp"
    _epoch = 0

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        settings = self.app.lane_settings
        self._assignor = self.app.assignor
        self._membership = Membership(settings.group_instance_id)
        return AIOKafkaConsumer(
            **settings.client("consumer"),
            group_id=settings.app_id,
            group_instance_id=settings.group_instance_id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            # Only for a position that is lost while running: at an assignment we seek by ourselves.
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=settings.max_partition_fetch_bytes,
            fetch_max_wait_ms=settings.fetch_max_wait_ms,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            rebalance_timeout_ms=settings.rebalance_timeout_ms,
            max_poll_interval_ms=settings.max_poll_interval_ms,
            metadata_max_age_ms=settings.metadata_max_age_ms,
            key_deserializer=AS_PARSED,
        )

    async def on_thread_stop(self) -> None:
        """A worker that was asked to stop leaves the group, so that its partitions need not wait for its session's end.

        aiokafka lets a static member never leave. Staying is for one that is killed, or that ends to be started again.
        """
        asked = not (self.app.lanes.failed.is_set() or self.app._crashed.is_set())
        if asked and self._consumer is not None and self._consumer._coordinator is not None:
            self._consumer._coordinator._group_instance_id = None
        await super().on_thread_stop()

    async def run_in_thread(self, call: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine that runs on the thread's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self.thread_loop))

    async def take(
        self, partitions: Collection[Partition], timeout_seconds: float, max_records: int
    ) -> tuple[int, Mapping[TopicPartition, Taken]]:
        """Fetched records, and the epoch of the positions they follow."""
        return await self.run_in_thread(self._in_thread_take(partitions, timeout_seconds, max_records))

    async def _in_thread_take(
        self, partitions: Collection[Partition], timeout_seconds: float, max_records: int
    ) -> tuple[int, Mapping[TopicPartition, Taken]]:
        tps = (TopicPartition(*partition) for partition in partitions)
        records = await self._ensure_consumer().getmany(
            *tps, timeout_ms=int(timeout_seconds * 1000), max_records=max_records
        )
        # No await between the taking of the records, inside getmany, and this line.
        return self._epoch, records

    async def put_at(self, positions: Mapping[Partition, int | None], epoch: int) -> Mapping[Partition, int]:
        """Put each partition to its offset, else to its commit, else to its beginning; mark what is taken from now on."""
        return await self.run_in_thread(self._in_thread_seek(positions, epoch))

    async def _in_thread_seek(self, positions: Mapping[Partition, int | None], epoch: int) -> Mapping[Partition, int]:
        consumer = self._ensure_consumer()
        known = {at: offset for at, offset in positions.items() if offset is not None}
        asked = await starts(consumer, [TopicPartition(*at) for at in positions.keys() - known.keys()])
        offsets = {**known, **asked}
        # The answer waits behind a request to join: by then the partitions may be others, and these are for the next to seek.
        if not offsets.keys() <= consumer.assignment():
            raise SupersededError
        # Together, without an await: records are of the old epoch before this and of the new one after it.
        for at, offset in offsets.items():
            consumer.seek(TopicPartition(*at), offset)
        self._epoch = epoch
        return offsets

    async def refuse_group_errors(self) -> None:
        """Raise what ended the membership: not authorised, another way of assigning, a worker of our instance id, and the like."""
        await self.run_in_thread(self._in_thread_refuse_group_errors())

    async def _in_thread_refuse_group_errors(self) -> None:
        consumer = self._ensure_consumer()
        coordinator = consumer._coordinator
        # aiokafka leaves the group when nothing was fetched for `max_poll_interval_ms`, and does not come back before
        # something is: never, for whoever holds no partition, or reads a table for that long. The interval is for a main
        # loop that hangs, and this is asked from there.
        consumer._subscription._last_fetch_ended = monotonic()
        if coordinator is not None:  # it is made when the first topics are subscribed to
            try:
                coordinator.check_errors()
            except InvalidSessionTimeoutError:
                milliseconds = self.app.lane_settings.session_timeout_ms
                raise LaneError(
                    f"the broker takes no session time-out of {milliseconds} ms; {SESSION_SETTINGS}"
                ) from None
            self._membership.refuse_twin(coordinator.generation, coordinator.member_id)

    async def lags(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """How far the end of each partition is from what was taken of it."""
        return await self.run_in_thread(self._in_thread_lags([TopicPartition(*partition) for partition in partitions]))

    async def _in_thread_lags(self, tps: Collection[TopicPartition]) -> Mapping[Partition, int]:
        """The broker is asked: the end that came with the last fetch is old where a lane was full and nothing was fetched."""
        consumer = self._ensure_consumer()
        held = [tp for tp in tps if tp in consumer.assignment()]
        if not held:  # who holds nothing asks something too: only so does it know whether anybody answers
            await consumer._client.coordinator_lookup(CoordinationType.GROUP, consumer._group_id)
            return {}
        ends = await consumer.end_offsets(held)
        return {(tp.topic, tp.partition): max(0, end - await consumer.position(tp)) for tp, end in ends.items()}


class LaneConsumer(driver.Consumer):
    """Drains chunks into the conductor, and leaves committing to the lanes."""

    app: "LaneApp"
    _thread: LaneConsumerThread

    def _new_consumer_thread(self) -> LaneConsumerThread:
        return LaneConsumerThread(self, loop=self.loop, thread_loop=new_event_loop(), beacon=self.beacon)

    def _get_tasks(self) -> Iterable[Any]:
        yield self._watch_group  # and no commits by interval

    @Service.task
    async def _watch_group(self) -> None:
        """aiokafka keeps an error of the group to itself until the next fetch, and a worker without partitions has none."""
        with self.app.ending("membership of the group"):
            while True:
                await self.sleep(WATCH_SECONDS)
                if self.should_stop:
                    return
                await self._thread.refuse_group_errors()

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            with self.app.ending("reading"):
                while not (self.should_stop or fetcher.should_stop):
                    if self.flow_active:
                        await self._drain_once()
                    else:
                        await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # an asyncio.Event serves too
        except (asyncio.CancelledError, ConsumerStoppedError):
            if not (self.app.should_stop or fetcher.should_stop):
                raise

    async def _drain_once(self) -> None:
        lanes, limit = self.app.lanes, 2 * self.app.lane_settings.batch_records
        partitions = lanes.hungry()
        if not partitions:
            await lanes.wait_for_room()
            return
        all_hungry = len(partitions) == len(lanes.held)
        timeout = POLL_SECONDS if all_hungry else POLL_WHEN_FULL_SECONDS
        epoch, fetched = await self._thread.take(partitions, timeout, limit)
        for tp, records in fetched.items():
            if epoch == lanes.epoch:
                await self.callback(self._chunk_message(tp, records, epoch))

    def _chunk_message(self, tp: TopicPartition, records: Taken, epoch: int) -> ConsumerMessage:
        last = records[-1]
        chunk: Any = Chunk(epoch, tp.topic, tp.partition, records, records.bytes)
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            headers=None,
            key=None,
            value=chunk,
            checksum=None,
            tp=TP(tp.topic, tp.partition),
            time_in=monotonic(),
            generation_id=self.app.consumer_generation_id,
        )

    def ack(self, message: Message) -> bool:
        """The lane has the chunk; what became of it shows in its commit."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def commit(self, topics: TPorTopicSet | None = None, start_new_transaction: bool = True) -> bool:
        """Offsets are committed in the transactions, and nowhere else."""
        return False

    async def wait_empty(self) -> None:
        """Faust asks for this before partitions are given up: the batch in hand is finished, the rest is dropped."""
        await self.app.lanes.halt()

    async def put_at(self, positions: Mapping[Partition, int | None], epoch: int) -> Mapping[Partition, int]:
        return await self._thread.put_at(positions, epoch)

    async def lags(self) -> Mapping[Partition, int]:
        """Per held partition: what is neither committed nor known to be empty of records."""
        waiting = {(lane.topic, lane.partition): lane.waiting_records for lane in self.app.lanes.held}
        behind = await self._thread.lags(waiting.keys())
        return {partition: behind.get(partition, 0) + count for partition, count in waiting.items()}


class LaneTransport(driver.Transport):
    """The transport that brings the consumer above."""

    Consumer = cast(Any, LaneConsumer)
