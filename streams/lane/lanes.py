"""All source partitions this worker holds, and how they change hands.

`assume` is the order on which everything rests: fence, load, seek, and only then start. Each step is safe because of the
one before: after the fence nobody else can commit, so what is loaded and where we seek to cannot move any more.

A partition held before and after a rebalance keeps its producer, its store and its position, provided the two generations
follow each other: then nobody had it in between. Were that ever wrong, the producer would be fenced and its next commit
refused. The broker is not asked for the position: it answers a commit before the offset counts, and for some milliseconds
more it would put us before what we have committed. A fence waits until the commits before it count.
One that goes elsewhere leaves its store closed where it is, if it lasts, for a warm return.

The *epoch* rises whenever positions change. Records carry the epoch of the seek they were fetched after; those of an
older one are dropped, and were they to be needed, the seek has put them before us again. An `assume` that finds the
epoch changed under it has been superseded and gives up, so that no lane ever runs twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from aiokafka.errors import KafkaError

from streams.lane.batch import BatchAgent, LaneError, Record
from streams.lane.changelog import load_tables
from streams.lane.lane import Lane
from streams.lane.observer import Observer
from streams.lane.pace import Pace
from streams.lane.partitions import Partitioner
from streams.lane.settings import LaneSettings
from streams.lane.stores import MemoryStore, Store, stores_of
from streams.lane.transaction import Transactor

log = logging.getLogger(__name__)

Partition = tuple[str, int]
Seek = Callable[[Mapping[Partition, int | None], int], Awaitable[Mapping[Partition, int]]]
"""Put each partition to its offset, or to the group's commit where none is known; what is taken from then on is of the epoch
given. Returns where each was put."""

Load = Callable[[LaneSettings, Mapping[tuple[str, int], Store], Observer], Awaitable[None]]


class SupersededError(Exception):
    """Partitions were taken away while they were being assumed; the next assignment says what is ours."""


class Chunk(NamedTuple):
    """Fetched records of one source partition, and about how many bytes they are: the value of one Faust event."""

    epoch: int
    topic: str
    partition: int
    records: Sequence[Record]
    bytes: int


class Lanes:
    """The lanes of one worker. `failure` is set once, by whatever cannot go on first."""

    def __init__(
        self,
        settings: LaneSettings,
        agents: Sequence[BatchAgent],
        observer: Observer,
        *,
        transactor: Callable[[LaneSettings, Partitioner, str, str, int], Transactor] = Transactor,
        load: Load = load_tables,
    ) -> None:
        self._new_transactor, self._load_tables = transactor, load
        self.stores = stores_of(settings)
        self.epoch = 0
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()
        self.busy = False  # something was handled since whoever watches set it back
        self._settings, self._agents, self._observer = settings, agents, observer
        self._agent_of = {topic: agent for agent in agents for topic in agent.topics}
        self._partitioner = Partitioner()
        self._pace = Pace(settings)
        self._lanes: dict[Partition, Lane] = {}
        self._generation = 0
        self._ready_agents: set[str] = set()
        self._room = asyncio.Event()
        self._assuming = asyncio.Lock()

    @property
    def held(self) -> Collection[Lane]:
        return self._lanes.values()

    def table(self, table: str) -> dict[int, Store]:
        """The stores of a table by partition, as far as held here."""
        return {lane.partition: lane.store for lane in self.held if lane.table == table}

    def oldest_timestamps_ms(self) -> dict[Partition, int]:
        """Of each partition that has a record waiting, the timestamp of the oldest."""
        found = {(lane.topic, lane.partition): lane.oldest_timestamp_ms for lane in self.held}
        return {at: timestamp for at, timestamp in found.items() if timestamp is not None}

    # -- Records in ----------------------------------------------------------------------------------------------

    def accept(self, chunk: Chunk) -> None:
        """Hand records to their lane, unless they were fetched before the positions last changed."""
        lane = self._lanes.get((chunk.topic, chunk.partition))
        if lane is not None and chunk.epoch == self.epoch:
            self.busy = True
            lane.accept(chunk.records, chunk.bytes)

    def hungry(self) -> frozenset[Partition]:
        """The partitions to fetch from."""
        return frozenset(partition for partition, lane in self._lanes.items() if not lane.full)

    async def wait_for_room(self) -> None:
        """Return when a lane has handled a batch, or the assignment changed."""
        self._room.clear()
        await self._room.wait()

    # -- Changes of hands ------------------------------------------------------------------------------------------

    async def halt(self) -> None:
        """Stop all lanes after the batch in hand; from here on every record on its way is dropped."""
        self.epoch += 1
        self._room.set()
        self._observer.ready(False)
        await asyncio.gather(*(lane.halt() for lane in self.held))

    async def assume(self, partitions: Iterable[Partition], generation: int, seek: Seek) -> None:
        """Take over exactly these partitions. Until this returns, the flow of records is stopped.

        One that was given up for another may not be over yet: aiokafka keeps to itself that it was cancelled, while it stops
        a client. It still holds stores and producers, so the next waits until it has let go of them.
        """
        await self.halt()
        async with self._assuming:
            await self._assume(partitions, generation, seek)

    async def _assume(self, partitions: Iterable[Partition], generation: int, seek: Seek) -> None:
        wanted = {partition for partition in partitions if partition[0] in self._agent_of}
        released = self._release(wanted, follows=generation == self._generation + 1)
        self._generation = generation
        epoch = self.epoch
        _close_stores(released)
        await asyncio.gather(*(lane.transactor.close() for lane in released))
        fresh = {partition: self._new_lane(*partition) for partition in wanted - self._lanes.keys()}
        await self._open(fresh.values())
        self._lanes.update(fresh)
        self._refuse_if_superseded(epoch)
        positions = await seek({at: lane.position for at, lane in self._lanes.items()}, epoch)
        self._refuse_if_superseded(epoch)
        for at, lane in self._lanes.items():
            lane.position = positions[at]
            lane.start(self._fail)
        self._room.set()
        self._observer.assigned(frozenset(wanted))
        log.info("holding %d source partitions, %d of them new", len(wanted), len(fresh))

    def _refuse_if_superseded(self, epoch: int) -> None:
        if self.epoch != epoch:
            raise SupersededError

    async def _open(self, lanes: Collection[Lane]) -> None:
        """Fence, then load."""
        try:
            await asyncio.gather(*(lane.transactor.fence() for lane in lanes))
            await self._load(lanes)
            await self._await_agents()
        except BaseException:  # another rebalance, a stop, or Kafka is away: these are nobody's yet
            _close_stores(lanes)
            await asyncio.gather(*(lane.transactor.close() for lane in lanes), return_exceptions=True)
            raise

    def _release(self, wanted: set[Partition], *, follows: bool) -> list[Lane]:
        lost = [at for at, lane in self._lanes.items() if not follows or at not in wanted or lane.in_doubt]
        return [self._lanes.pop(partition) for partition in lost]

    def _new_lane(self, topic: str, partition: int) -> Lane:
        agent = self._agent_of[topic]
        table = agent.tables.get(topic)
        return Lane(
            agent,
            topic,
            partition,
            settings=self._settings,
            observer=self._observer,
            transactor=self._new_transactor(self._settings, self._partitioner, agent.name, topic, partition),
            on_room=self._room.set,
            pace=self._pace,
            store=MemoryStore() if table is None else self.stores.store(table, partition, agent.counts.get(topic)),
        )

    async def _load(self, lanes: Collection[Lane]) -> None:
        stores = {(lane.table, lane.partition): lane.store for lane in lanes if lane.table is not None}
        await self._load_tables(self._settings, stores, self._observer)

    async def _await_agents(self) -> None:
        for agent in self._agents:
            if agent.ready is not None and agent.name not in self._ready_agents:
                await agent.ready()
                self._ready_agents.add(agent.name)

    def _fail(self, lane: Lane, reason: BaseException) -> None:
        self.fail(f"{lane.agent.name} on {lane.topic}[{lane.partition}]", reason)

    def fail(self, what: str, reason: BaseException) -> None:
        """End the worker. An error of Kafka's or ours says all there is to say; of any other, where it came from helps."""
        traced = None if isinstance(reason, KafkaError | LaneError) else reason
        log.critical("%s cannot go on: %s: %s", what, type(reason).__name__, reason, exc_info=traced)
        if self.failure is None:
            self.failure = reason
        self.failed.set()

    async def close(self) -> None:
        """Stop and let go of everything."""
        await self.halt()
        lanes = self._release(set(), follows=True)
        _close_stores(lanes)
        await asyncio.gather(*(lane.transactor.close() for lane in lanes), return_exceptions=True)


def _close_stores(lanes: Iterable[Lane]) -> None:
    """At once, without an await: whoever cancels what is going on here may open the same stores next."""
    for lane in lanes:
        lane.store.close()
