"""Commands from their topics to an applier, and the answers back. The topic is the queue: what was not committed comes again.

Both lanes run side by side, so that batch work never delays the first one; two commands of one person are never in hand at
once, since the second would overtake what the first is about to find out. Whose person the other lane has in hand comes after the
others of its batch. What stood on a topic when the connector started may have been carried out by the one before it, and says so
(`maybe_done`).

That commands are taken is written down before anything is done of them. A connector that stood still meanwhile and has a
successor learns it by that, before it would write to a system what people have changed since.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.limits import REJECTED_KEY_BYTES_MAX
from schemas.vocabulary import Lane
from streams.codec import Unreadable, decode_apply_command, rejection_of_record
from streams.connectors.journal import Entry, Journal, Rejected
from streams.connectors.pacing import Pacer, Priority
from streams.connectors.progress import Place
from streams.lane.positions import partitions_of, starts
from streams.lane.stable_offsets import stable_commits
from streams.sync.messages import ApplyCommand

log = logging.getLogger(__name__)

POLL_MS = 1_000
TOPIC_OF_LANE: dict[Lane, str] = {"first": "commands", "background": "commands.background"}
LANES = tuple(TOPIC_OF_LANE)
PRIORITY_OF_LANE: dict[Lane, Priority] = {"first": Priority.FIRST, "background": Priority.BACKGROUND}


@dataclass(frozen=True)
class Given:
    """A command as it was read. `maybe_done`: it, or a repeat of it, may have been carried out before. `place`: on its topic."""

    command: ApplyCommand
    maybe_done: bool = False
    place: Place | None = None


Apply = Callable[[list[Given], Priority], Awaitable[Entry]]
"""Carries out commands, at most one of a person, and says what to write of it. Waits out whatever passes by itself."""


def places_of(given: Iterable[Given]) -> tuple[Place, ...]:
    """Where they stand, as far as they came by a topic."""
    return tuple(each.place for each in given if each.place is not None)


def lane_of(place: Place) -> Lane:
    """By the topic where a command stands."""
    return "background" if place.partition.topic.endswith(f".{TOPIC_OF_LANE['background']}") else "first"


class InHand:
    """The persons whose commands are being carried out, over both lanes."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, keys: Collection[str]) -> AsyncIterator[None]:
        """All of them or none, so that two batches never wait for each other."""
        wanted = set(keys)
        async with self._holding(lambda: set() if wanted & self._keys else wanted, bool(wanted)):
            yield

    @asynccontextmanager
    async def hold_free(self, keys: Collection[str]) -> AsyncIterator[set[str]]:
        """Those of them that nobody holds, as soon as there are any; gives them."""
        wanted = set(keys)
        async with self._holding(lambda: wanted - self._keys, bool(wanted)) as held:
            yield held

    @asynccontextmanager
    async def _holding(self, free: Callable[[], set[str]], waits: bool) -> AsyncIterator[set[str]]:
        async with self._changed:
            held = set(await self._changed.wait_for(free)) if waits else set[str]()
            self._keys |= held
        try:
            yield held
        finally:
            async with self._changed:
                self._keys -= held
                self._changed.notify_all()


class CommandLane:
    """One lane of one system. `run` in a task."""

    def __init__(
        self,
        journal: Journal,
        lane: Lane,
        apply: Apply,
        in_hand: InHand,
        batch_max: int,
        pacer: Pacer | None = None,
        put_behind: Callable[[Given], bool] = lambda given: False,
    ) -> None:
        """`pacer`: commands are taken when they could be carried out at once, so that those that wait travel together.

        `put_behind`: told of each command before its person is at hand; whether it waits behind another, which may be tried just now,
        and be long in coming back.
        """
        self._pacer, self._put_behind = pacer, put_behind
        self._journal, self._apply, self._in_hand, self._batch_max = journal, apply, in_hand, batch_max
        self._topic = journal.settings.topic(f"{journal.system}.{TOPIC_OF_LANE[lane]}")
        self._priority = PRIORITY_OF_LANE[lane]
        self._may_be_done: dict[TopicPartition, int] = {}
        self._consumer: Any = AIOKafkaConsumer(
            **journal.settings.client(f"connector-{journal.system}-{lane}"),
            group_id=journal.group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=200,
        )

    async def start(self) -> None:
        """Stand at what was committed. The journal must have been started, which ends what its predecessor had open."""
        await self._consumer.start()
        self._may_be_done = await stand_at_committed(self._consumer, self._topic)
        for place, commit in (
            await stable_commits(self._consumer, self._journal.group, self._may_be_done, inf)
        ).items():
            self._journal.progress.resume(place, *commit)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def run(self) -> None:
        """Until cancelled. Raises what the journal and the applier raise."""
        while True:
            if self._pacer is not None:
                await self._pacer.room()
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=self._batch_max)
            records = [record for each in fetched.values() for record in each]
            if records:
                await self._handle(records)

    async def _handle(self, records: list[Any]) -> None:
        places = [Place(TopicPartition(record.topic, record.partition), record.offset) for record in records]
        given, rejected = [], {}
        for record, place in zip(records, places, strict=True):
            if not self._journal.progress.read(place):
                continue
            try:
                maybe_done = place.offset < self._may_be_done.get(place.partition, 0)
                given.append(Given(decode_apply_command(record.value), maybe_done, place))
            except Unreadable as error:
                key = record.key and record.key[:REJECTED_KEY_BYTES_MAX]
                rejected[place] = Rejected(key, _rejection(record, error))
        taken = (*places_of(given), *rejected)
        await self._journal.write(Entry(taken=taken, done=tuple(rejected), rejected=tuple(rejected.values())))
        for wave in waves(given):
            await self._carry_out(wave)

    async def _carry_out(self, wave: list[Given]) -> None:
        """Those first whose persons nobody else has in hand."""
        left = [each for each in wave if not self._put_behind(each)]
        while left:
            async with self._in_hand.hold_free({each.command.person_key for each in left}) as free:
                now = [each for each in left if each.command.person_key in free]
                await self._journal.write(await self._apply(now, self._priority))
            left = [each for each in left if each.command.person_key not in free and not self._put_behind(each)]


async def stand_at_committed(consumer: Any, topic: str) -> dict[TopicPartition, int]:
    """Read on where the group left a topic, else at its beginning; gives the ends, before which anything may have been done."""
    places = await partitions_of(consumer, topic)
    consumer.assign(places)
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
    for place, offset in (await starts(consumer, places)).items():
        consumer.seek(place, offset)
    return ends


def waves(given: Iterable[Given]) -> list[list[Given]]:
    """In order, but no person twice in one wave. What repeats an earlier one may have been done by then."""
    made: list[list[Given]] = []
    turns: dict[str, int] = {}
    for each in given:
        person = each.command.person_key
        turn = turns[person] = turns.get(person, -1) + 1
        if turn == len(made):
            made.append([])
        made[turn].append(replace(each, maybe_done=True) if turn else each)
    return made


def _rejection(record: Any, error: Unreadable) -> bytes:
    log.error("%s[%d]@%d: %s", record.topic, record.partition, record.offset, error)
    return rejection_of_record(record.topic, record.partition, record, error)
