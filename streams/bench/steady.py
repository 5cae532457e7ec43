"""A steady stream of edits and what became of each: one process edits, evenly paced, and answers each command at once.

An edit is made only of a person whose last landing is long enough ago to have been folded, so it finds nothing in flight and
its command names it alone; commands that name another number of edits are counted as `shared`. The delay of an edit is from
the broker's time stamp of it (LogAppendTime, whole milliseconds) until the reader of committed messages has its command; both
are of one machine's clock. What is late is not made up for: the pace is even, and what came of it is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, cycle, islice, product
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.bench.at_rest import PeopleAtRest
from streams.bench.editing import BY_TURNS
from streams.bench.failed import BenchFailed
from streams.bench.message import Message, message_of
from streams.bench.stage import Stage
from streams.bench.systems import Person
from streams.bench.wire import COMMANDS, plain_consumer
from streams.codec import decode_apply_command
from streams.lane.partitions import murmur2
from streams.settings import Settings

REST_SECONDS = 1.0
"""How long after its landing a person is left alone: many times what a worker takes to fold it."""
POLL_MS = 200
LOOK_SECONDS = 0.01
DRAIN_SECONDS_MAX = 60.0


Turns = Iterator[tuple[Person, System]]
"""Who is edited, and in which system, for ever."""


class Place(NamedTuple):
    """A topic, by its name in the topic table, and a partition."""

    topic: str
    partition: int


class Told(Struct):
    """An edit: where and when it was appended; where and when its command was seen. Seconds since the epoch."""

    edited: Place
    appended: float
    commanded: Place | None = None
    seen: float = 0.0

    @property
    def delay_seconds(self) -> float:
        """From the broker's time stamp until the command was there."""
        return self.seen - self.appended


class SteadyStream:
    """Edits while asked to, answers all the while. `told` holds every edit that was appended, in that order."""

    def __init__(self, settings: Settings, people: PeopleAtRest, turns: Turns, producer: Any, reader: Any) -> None:
        self._settings, self._people, self._turns = settings, people, turns
        self._producer, self._reader = producer, reader
        self._free_at: dict[str, float] = {}  # by person key; for ever while a command is due
        self._unanswered: dict[str, Told] = {}  # by change id
        self._early: dict[str, tuple[Place, float]] = {}  # seen before the broker's word of the edit had come
        self._deliveries: set[asyncio.Task[None]] = set()
        self._answering: asyncio.Task[None] | None = None
        self.told: list[Told] = []
        self.shared = 0

    # -- Editing ---------------------------------------------------------------------------------------------------

    async def edit(self, per_second: float, until: asyncio.Event) -> None:
        """Edit at this pace until the event is set."""
        due = time.perf_counter()
        while not until.is_set():
            found = self._next()
            if found is not None:
                self._edit(*found)
            due = max(due + 1 / per_second, time.perf_counter())
            await asyncio.sleep(due - time.perf_counter())

    def _next(self) -> tuple[Person, System] | None:
        """The next one who is at rest, and where the edit is made; None when all are busy."""
        now = time.monotonic()
        for person, system in islice(self._turns, len(self._people.people)):
            if self._free_at.get(person.key, 0.0) <= now:
                return person, system
        return None

    def _edit(self, person: Person, system: System) -> None:
        rules = self._people.edited
        shown = self._people.edit(person, system, rules[len(self.told) % len(rules)])
        self._free_at[person.key] = float("inf")
        self._begin(self._send_edit(message_of(shown), shown.change.change_id))

    async def _send_edit(self, message: Message, change_id: str) -> None:
        appended = await self._send(message)
        told = Told(Place(message.topic, appended.partition), appended.timestamp / 1000)
        self.told.append(told)
        if (early := self._early.pop(change_id, None)) is not None:
            told.commanded, told.seen = early
        else:
            self._unanswered[change_id] = told

    async def _send(self, message: Message) -> Any:
        topic, key, value, headers, _ = message
        return await self._producer.send_and_wait(self._settings.topic(topic), value, key, headers=headers)

    def _begin(self, sending: Any) -> None:
        task = asyncio.create_task(sending)
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def drained(self) -> None:
        """Wait until every edit has its command. Raises BenchFailed where one does not come."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                while self._deliveries or self._unanswered:
                    self._refuse_if_ended()
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise BenchFailed(
                f"{len(self._unanswered)} edits have no command after {DRAIN_SECONDS_MAX:.0f} s"
            ) from None

    # -- Answering -------------------------------------------------------------------------------------------------

    def begin(self) -> asyncio.Task[None]:
        """Answer from here on, in a task of its own."""
        self._answering = asyncio.create_task(self._answer_all())
        return self._answering

    def _refuse_if_ended(self) -> None:
        if self._answering is not None and self._answering.done():
            self._answering.result()

    async def _answer_all(self) -> None:
        prefix = self._settings.prefix
        while True:
            for at, records in (await self._reader.getmany(timeout_ms=POLL_MS)).items():
                seen, place = time.time(), Place(at.topic.removeprefix(prefix), at.partition)
                for record in records:
                    self._answer(record.value, place, seen)

    def _answer(self, body: bytes, place: Place, seen: float) -> None:
        command = decode_apply_command(body)
        self._begin(self._send(message_of(self._people.carry_out(command))))
        self._free_at[command.person_key] = time.monotonic() + REST_SECONDS
        self.shared += len(command.causes) != 1
        for cause in command.causes:
            if (told := self._unanswered.pop(cause, None)) is not None:
                told.commanded, told.seen = place, seen
            else:
                self._early[cause] = (place, seen)


def one_after_another(people: PeopleAtRest) -> Turns:
    """Everybody in turn, once in Marketo and once in Dynamics: which partition comes next is chance."""
    return zip(cycle(people.people), cycle(BY_TURNS), strict=False)


def partition_by_partition(people: PeopleAtRest, partitions: int) -> Turns:
    """So that each partition of the source topics, and each of `person.changes`, has its edits at even times."""
    of_place: dict[tuple[System, int, int], list[Person]] = {}
    for person in people.people:
        own = partition_of(person.key, partitions)
        of_place.setdefault((DYNAMICS, partition_of(person.lead.id, partitions), own), []).append(person)
        of_place.setdefault((MARKETO, partition_of(person.marketo.id, partitions), own), []).append(person)
    waiting = {place: cycle(these) for place, these in of_place.items()}
    for round_number in count():
        for system, partition in product(BY_TURNS, range(partitions)):
            place = (system, partition, (partition + round_number) % partitions)
            if place in waiting:
                yield next(waiting[place]), system


def partition_of(key: str, partitions: int) -> int:
    """Where a message with this key stands."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


@asynccontextmanager
async def steady_stream(stage: Stage, people: PeopleAtRest, turns: Turns) -> AsyncIterator[SteadyStream]:
    """A stream with its clients. Commands are answered from here on."""
    settings = stage.settings
    async with AsyncExitStack() as stack:
        producer: Any = AIOKafkaProducer(**settings.client("bench-systems"))
        reader = plain_consumer(settings, "bench-reader", "read_committed")
        for client in (producer, reader):
            await client.start()
            stack.push_async_callback(client.stop)
        places = stage.places(*COMMANDS)
        reader.assign(places)
        for place, end in (await reader.end_offsets(places)).items():
            reader.seek(place, end)
        stream = SteadyStream(settings, people, turns, producer, reader)
        answering = stream.begin()
        try:
            yield stream
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)


async def edits_for(stream: SteadyStream, per_second: float, seconds: float) -> list[Told]:
    """Edit for so long and wait for the last command; the edits that were made meanwhile."""
    first, until = len(stream.told), asyncio.Event()
    editing = asyncio.create_task(stream.edit(per_second, until))
    try:
        await asyncio.wait([editing], timeout=seconds)
    finally:
        until.set()
        await editing
    await stream.drained()
    return stream.told[first:]
