"""The worker without its broker: the agents' `handle` from bytes to bytes, and the core alone on decoded messages.

Both fold the very messages of the wave into tables of their own, loaded from the worker's changelogs before the first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import groupby
from time import perf_counter, process_time
from typing import Any, NamedTuple

from schemas.topics import PARTITIONS
from streams.agents import Intake, Sync
from streams.app import lane_settings
from streams.bench.cost import Cost
from streams.bench.helper import Answer, AnswerWave, answer_waves
from streams.bench.ranges import Wave, read_ranges
from streams.bench.wire import plain_consumer
from streams.codec import decode_person_change
from streams.lane import Batch, BatchResult, Observer, Output
from streams.lane.changelog import load_tables
from streams.lane.partitions import murmur2
from streams.lane.stores import MemoryStore
from streams.policies import PolicyBook
from streams.settings import Settings
from streams.sync.person import decode_person
from streams.sync.step import advance
from streams.tally import Tally
from streams.topics import CHANGELOGS

Tables = dict[tuple[str, int], dict[bytes, bytes]]


class Handed(NamedTuple):
    """A message between the agents, as if it had been read from its topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Stopwatch:
    """Adds up what stands between `with` and its end."""

    def __init__(self) -> None:
        self.cost = Cost()

    def __enter__(self) -> None:
        self._began = perf_counter(), process_time()

    def __exit__(self, *_: object) -> None:
        began, began_cpu = self._began
        self.cost += Cost(perf_counter() - began, process_time() - began_cpu)


class Core:
    """Both agents, called as the lane calls them."""

    def __init__(self, settings: Settings, policies: PolicyBook, tables: Tables, consumer: Any) -> None:
        self._policies, self._tables, self._consumer = policies, tables, consumer
        tally = Tally()
        self._intake = Intake(settings.topic, policies, tally)
        self._sync = Sync(settings.topic, policies, tally)
        self._batch_records = lane_settings(settings).batch_records

    async def answer(self, wave: Wave) -> Answer:
        """Fold a wave and say what it took, with codecs and without."""
        alone, whole = Stopwatch(), Stopwatch()
        outputs: list[Output] = []
        for place, records in (await read_ranges(self._consumer, wave.hops[0].reads)).items():
            for batch in self._batches(place.topic, place.partition, records, self._intake.tables):
                with whole:
                    result = self._intake.handle(batch)
                outputs += self._kept(batch, result, self._intake.tables)
        for partition, handed in self._handed_on(outputs):
            for batch in self._batches(self._sync.topics[0], partition, handed, self._sync.tables):
                self._fold_alone(batch, alone)
                with whole:
                    folded = self._sync.handle(batch)
                assert isinstance(folded, BatchResult), "the policy was read before"
                self._kept(batch, folded, self._sync.tables)
        return Answer({"core": alone.cost, "core_and_codecs": whole.cost})

    def _fold_alone(self, batch: Batch, watch: Stopwatch) -> None:
        changes = [decode_person_change(record.value) for record in batch.records]
        encoded = {change.person_key: batch.table.get(change.person_key.encode()) for change in changes}
        states = {key: None if state is None else decode_person(state) for key, state in encoded.items()}
        policy = self._policies.in_force
        with watch:
            for change in changes:
                states[change.person_key] = advance(states[change.person_key], change, policy).state

    def _batches(self, topic: str, partition: int, records: list[Any], tables: dict[str, str]) -> Iterator[Batch]:
        table = self._tables.get((tables.get(topic, ""), partition), {})
        for begin in range(0, len(records), self._batch_records):
            yield Batch(topic, partition, records[begin : begin + self._batch_records], table)

    def _kept(self, batch: Batch, result: BatchResult, tables: dict[str, str]) -> Iterable[Output]:
        if result.writes:
            values = self._tables[tables[batch.topic], batch.partition]
            values.update({key: value for key, value in result.writes.items() if value is not None})
        return result.outputs

    def _handed_on(self, outputs: Iterable[Output]) -> Iterator[tuple[int, list[Handed]]]:
        """What intake sent, by partition of `person.changes`."""
        handed = [
            Handed(output.topic, (murmur2(output.key or b"") & 0x7FFFFFFF) % PARTITIONS, 0, 0, *output[1:3])
            for output in outputs
            if output.topic == self._sync.topics[0]  # the others are dead letters
        ]
        for partition, records in groupby(sorted(handed, key=lambda each: each.partition), lambda each: each.partition):
            yield partition, list(records)


@asynccontextmanager
async def core(settings: Settings) -> AsyncIterator[AnswerWave]:
    """The agents with the tables that the worker has committed by now."""
    lane, policies = lane_settings(settings), PolicyBook(settings)
    await policies.read_to_end()
    consumer = plain_consumer(settings, "bench-core", "read_committed")
    await consumer.start()
    try:
        stores = {(table, number): MemoryStore() for table in CHANGELOGS for number in range(PARTITIONS)}
        await load_tables(lane, stores, Observer())
        tables = {name: store.values for name, store in stores.items()}
        yield Core(settings, policies, tables, consumer).answer
    finally:
        await consumer.stop()
        await policies.close()


if __name__ == "__main__":
    answer_waves(core)
