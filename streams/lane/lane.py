"""One source partition in the hands of its agent: what waits, the batch in hand, and the table's part.

The order in `_one_batch` is the whole of exactly-once on this side: decide, commit, and only then change the table.
"""

import asyncio
import inspect
from collections import Counter, deque
from collections.abc import Callable, Sequence
from time import monotonic, perf_counter, time

from streams.lane.batch import Batch, BatchAgent, BatchResult, Record
from streams.lane.observer import BatchDone, Observer
from streams.lane.pace import Pace
from streams.lane.settings import LaneSettings
from streams.lane.stores import MemoryStore, Store
from streams.lane.transaction import Transactor


class Lane:
    """Handles the records of one source partition, batch after batch, until it is halted."""

    def __init__(
        self,
        agent: BatchAgent,
        topic: str,
        partition: int,
        *,
        settings: LaneSettings,
        observer: Observer,
        transactor: Transactor,
        on_room: Callable[[], None],
        store: Store | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.agent, self.topic, self.partition = agent, topic, partition
        self.table = agent.tables.get(topic)
        self.transactor = transactor
        self.position: int | None = None  # the next offset to handle; None until it is known where to begin
        self.store: Store = MemoryStore() if store is None else store
        self.waiting_records = 0
        self._waiting_bytes = 0
        self._waiting: deque[Record] = deque()
        self._in_hand: Sequence[Record] = ()
        self._in_hand_bytes = 0
        self._arrived = asyncio.Event()
        self._settings, self._observer, self._on_room = settings, observer, on_room
        self._pace = pace or Pace(settings)
        self._changelog = settings.changelog_topic(self.table) if self.table is not None else None
        self._task: asyncio.Task[None] | None = None
        self._halting = self._committing = False
        self._heard_of_at = monotonic()  # when the broker last heard of the transactional id; a halt does not count

    @property
    def full(self) -> bool:
        """Twice a batch is enough to never wait for the fetcher."""
        settings = self._settings
        return self.waiting_records >= 2 * settings.batch_records or self._waiting_bytes >= 2 * settings.batch_bytes

    @property
    def in_doubt(self) -> bool:
        """A commit failed, and whether it holds only the broker knows: table and position may be behind it."""
        return self._committing

    @property
    def oldest_timestamp_ms(self) -> int | None:
        """Of the oldest record that was fetched and is not committed; None where there is none."""
        first = self._in_hand[0] if self._in_hand else self._waiting[0] if self._waiting else None
        return None if first is None else first.timestamp

    def accept(self, records: Sequence[Record], bytes_about: int) -> None:
        """Take records that follow the ones accepted before, about so many bytes of them."""
        self._waiting.extend(records)
        self.waiting_records += len(records)
        self._waiting_bytes += bytes_about
        self._arrived.set()

    def start(self, on_end: Callable[["Lane", BaseException], None]) -> None:
        """Begin to handle what arrives. `on_end` is told of the exception that ended it; there is no going on after one."""
        self._halting = False
        self._task = asyncio.create_task(self._run(), name=f"lane {self.agent.name} {self.topic}[{self.partition}]")

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (reason := task.exception()) is not None:
                on_end(self, reason)

        self._task.add_done_callback(ended)

    async def halt(self) -> None:
        """Finish the batch in hand if its transaction has begun, drop it whole if not; then stand still, empty."""
        self._halting = True
        if self._task is not None:
            if not self._committing:
                self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._waiting.clear()
        self._in_hand = ()
        self.waiting_records = self._waiting_bytes = 0

    async def _run(self) -> None:
        while not self._halting:
            if not await self._some():
                continue
            taken, seconds = await self._pace.begin(min(len(self._waiting), self._settings.batch_records)), None
            try:
                seconds = await self._one_batch(taken)
            finally:
                self._pace.end(taken, seconds)

    async def _one_batch(self, records_max: int) -> float | None:
        """Decide, commit, keep. How long that took; None where the agent had to wait for something."""
        self._in_hand = self._next_batch(records_max)
        began = perf_counter()
        batch = Batch(self.topic, self.partition, self._in_hand, self.store.table(self._in_hand))
        result = self.agent.handle(batch)
        if waited := inspect.isawaitable(result):
            result = await result
        handled = perf_counter()
        # From here to the change of the table nothing may come between: see `halt`.
        self._committing = True
        at = time()
        offset = batch.records[-1].offset + 1
        follows = await self.transactor.commit(result.outputs, self._changelog, result.writes, offset)
        if result.writes:
            self.store.keep(result.writes, result.counted, follows, at)
        self.position = offset
        self._committing, self._heard_of_at = False, monotonic()
        done = perf_counter()
        self._finish(batch, result, handled - began, done - handled)
        return None if waited else done - began

    async def _some(self) -> bool:
        """Wait until something waits. False: there is nothing, but it has waited for so long that it had to say that it is there."""
        if self._waiting:
            return True
        self._arrived.clear()
        try:
            async with asyncio.timeout(self._heard_of_at + self._settings.idle_commit_seconds - monotonic()):
                await self._arrived.wait()
        except TimeoutError:
            await self._commit_nothing_new()
        return bool(self._waiting)

    async def _commit_nothing_new(self) -> None:
        assert self.position is not None
        self._committing = True
        await self.transactor.commit((), None, {}, self.position)
        self._committing, self._heard_of_at = False, monotonic()

    def _next_batch(self, records_max: int) -> Sequence[Record]:
        """What waits, up to so many and to a batch's bytes; at least one record, however large."""
        waiting, bytes_about = self._waiting, self._waiting_bytes
        before, room = len(waiting), self._settings.batch_bytes
        if bytes_about <= room:  # so much for all of them; nobody need look at each
            records = [waiting.popleft() for _ in range(min(before, records_max))]
            self._in_hand_bytes = bytes_about * len(records) // before
            return records
        records, taken = [], 0
        while waiting and len(records) < records_max:
            size = _size(waiting[0])
            if records and taken + size > room:
                break
            taken += size
            records.append(waiting.popleft())
        self._in_hand_bytes = min(taken, bytes_about) if waiting else bytes_about
        return records

    def _finish(self, batch: Batch, result: BatchResult, handle_seconds: float, commit_seconds: float) -> None:
        records, self._in_hand = batch.records, ()
        self.waiting_records -= len(records)
        self._waiting_bytes -= self._in_hand_bytes
        self._on_room()
        times = [record.timestamp for record in records]
        self._observer.batch_done(
            BatchDone(
                self.agent.name,
                self.topic,
                self.partition,
                len(records),
                handle_seconds,
                commit_seconds,
                min(times),
                max(times),
                Counter(output[0] for output in result.outputs),
                len(result.writes),
                result.counted,
            )
        )


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers
