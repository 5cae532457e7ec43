"""The bench's end of Kafka: topics of its own, a wave written and released at once, and what came of it.

A wave is one transaction: the subject reads committed messages only, so it finds all of it or nothing. It is folded when the
group's commits have reached the last message of every source topic, and then that of `person.changes`. What was written so
that nobody can read it must have gone to `dead-letter`, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from schemas.topics import CONNECTOR_TOPICS, INPUT_TOPICS, TOPICS
from schemas.vocabulary import SYSTEMS
from streams.bench.failed import BenchFailed
from streams.bench.message import Message
from streams.bench.ranges import Hop, Range, Wave, read_ranges
from streams.codec import decode_apply_command
from streams.lane.stable_offsets import stable_offsets
from streams.settings import Settings
from streams.sync.messages import ApplyCommand
from streams.topics import changelog_topic, ensure_topics, wanted_topics

POLL_SECONDS = 0.01
TAIL_OFFSETS = 64
"""How far before its end a partition's last message is looked for: markers stand behind it, one per open transaction."""

TRANSACTION_MS = 300_000
"""A backlog waits in its transaction while its subject starts, and while others are measured."""

COMMANDS = tuple(f"{system}.commands{lane}" for system in SYSTEMS for lane in ("", ".background"))


class Origin(msgspec.Struct, frozen=True, order=True):
    """Where a rejected message stood: all that is read of its rejection."""

    topic: str
    partition: int
    offset: int


def floor_topic(settings: Settings, topic: str) -> str:
    """Where the floor writes what the worker wrote to `topic`; both by their names on the broker."""
    return f"{settings.prefix}floor.{topic.removeprefix(settings.prefix)}"


class Wire:
    """Topics and clients, from first to last; the topics are deleted at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hops = hop_topics(settings)
        self._wanted = wanted_topics(settings)
        self._floor_topics = {floor_topic(settings, topic): topic for _, writes in self._hops for topic in writes}
        self._stack = AsyncExitStack()
        self._ends: Counter[TopicPartition] = Counter()  # nought where nobody has looked yet: the topics are new
        self._wave_ends: dict[TopicPartition, int] = {}
        self._bad: list[Origin] = []  # of this wave

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def _open(self, stack: AsyncExitStack) -> None:
        client = self._settings.client
        self._admin: Any = AIOKafkaAdminClient(**client("bench-admin"))
        await self._admin.start()
        stack.push_async_callback(self._admin.close)
        stack.push_async_callback(self._delete_topics)
        await ensure_topics(self._settings)
        await self._create_floor_topics()
        self._producer: Any = AIOKafkaProducer(
            **client("bench-systems"),
            transactional_id=f"{self._settings.prefix}bench",
            transaction_timeout_ms=TRANSACTION_MS,
            linger_ms=5,
        )
        self._reader = plain_consumer(self._settings, "bench-reader", "read_committed")
        self._watch = plain_consumer(self._settings, "bench-watch", "read_uncommitted")
        for started in (self._producer, self._reader, self._watch):
            await started.start()
            stack.push_async_callback(started.stop)

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _create_floor_topics(self) -> None:
        new = [
            NewTopic(name, self._wanted[topic].partitions, 1, topic_configs=self._wanted[topic].configs)
            for name, topic in self._floor_topics.items()
        ]
        for name, code, *_ in (await self._admin.create_topics(new)).topic_errors:
            if code:
                raise BenchFailed(f"{name} cannot be created: {for_code(code).__name__}")

    async def _delete_topics(self) -> None:
        """Ours, and those that the subject's library has made for itself: the prefix stands in their names too."""
        await self._admin.delete_topics(
            [name for name in await self._admin.list_topics() if self._settings.prefix in name]
        )

    # -- A wave ---------------------------------------------------------------------------------------------------

    async def write(self, wave: Iterable[Message]) -> int:
        """Write a wave, unseen until it is released; returns how many source changes it is. Answers are none."""
        await self._producer.begin_transaction()
        messages = list(wave)
        sent = [
            await self._producer.send(self._settings.topic(each.topic), each.value, each.key, headers=each.headers)
            for each in messages
        ]
        self._bad = []
        for message, delivered in zip(messages, await asyncio.gather(*sent), strict=True):
            place = TopicPartition(delivered.topic, delivered.partition)
            self._wave_ends[place] = max(self._wave_ends.get(place, 0), delivered.offset + 1)
            if message.sort == "bad":
                self._bad.append(Origin(place.topic, place.partition, delivered.offset))
        return sum(message.sort != "answer" for message in messages)

    async def release(self) -> None:
        """Let the subject see it."""
        await self._producer.commit_transaction()

    async def folded(self) -> None:
        """Wait until both agents have committed all of it."""
        await self._committed(self._wave_ends)
        await self._committed(await self._last_messages(self._settings.topic("person.changes")))

    async def _committed(self, ends: Mapping[TopicPartition, int]) -> None:
        while True:
            offsets = await stable_offsets(self._admin, self._settings.app_id)
            if all(offsets.get(place, 0) >= end for place, end in ends.items()):
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _last_messages(self, topic: str) -> dict[TopicPartition, int]:
        """The offset after the last message of each partition that has any."""
        ends = await self._watch.end_offsets(self._places([topic]))
        tails = [Range(place.topic, place.partition, max(end - TAIL_OFFSETS, 0), end) for place, end in ends.items()]
        found = await read_ranges(self._watch, tails)
        return {place: records[-1].offset + 1 for place, records in found.items() if records}

    async def wave(self) -> Wave:
        """Everything that was read and written since this was last asked."""
        begins, ends = self._ends, await self._current_ends()
        self._ends = ends

        def ranges(topics: Sequence[str]) -> tuple[Range, ...]:
            return tuple(
                Range(place.topic, place.partition, begins[place], end)
                for place, end in ends.items()
                if place.topic in topics
            )

        await self._check_rejected(ranges([self._settings.topic("dead-letter")]))
        return Wave(tuple(Hop(ranges(reads), ranges(writes)) for reads, writes in self._hops))

    async def _check_rejected(self, letters: Iterable[Range]) -> None:
        """Exactly the messages that nobody can read were rejected."""
        records = (record for found in (await self.read(letters)).values() for record in found)
        rejected = Counter(msgspec.json.decode(record.value, type=Origin) for record in records)
        meant = Counter(self._bad)
        if rejected != meant:
            raise BenchFailed(
                f"{self._settings.prefix}dead-letter: of {meant.total()} messages that nobody can read "
                f"{(meant & rejected).total()} are there, and {(rejected - meant).total()} others"
            )

    async def is_attended(self) -> bool:
        """Whether the group has members that have got their partitions."""
        groups = await self._admin.describe_consumer_groups([self._settings.app_id])
        return any(state == "Stable" for response in groups for _, _, state, *_ in response.groups)

    async def commands(self, wave: Wave) -> list[ApplyCommand]:
        """What the systems were told to do in this wave, in order for each person and system."""
        topics = {self._settings.topic(name) for name in COMMANDS}
        found = await self.read(each for each in wave.hops[1].writes if each.topic in topics)
        return [decode_apply_command(record.value) for records in found.values() for record in records]

    async def read(self, ranges: Iterable[Range]) -> Mapping[TopicPartition, list[Any]]:
        """The committed records of these ranges."""
        return await read_ranges(self._reader, ranges)

    async def _current_ends(self) -> Counter[TopicPartition]:
        return Counter(await self._watch.end_offsets(self._places(self._wanted)))

    def _places(self, topics: Iterable[str]) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self._wanted[topic].partitions)]


def hop_topics(settings: Settings) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]:
    """What intake and sync each read and write, by names on the broker. Of the bench's messages, intake rejects the bad ones."""
    sources = [settings.topic(name) for name in INPUT_TOPICS]
    links = [changelog_topic(settings, f"{system}-links") for system in SYSTEMS]
    person_changes = [settings.topic("person.changes")]
    rejected = [settings.topic("dead-letter")]
    others = {*INPUT_TOPICS, *CONNECTOR_TOPICS, "person.changes", "policies", "dead-letter"}
    from_sync = [settings.topic(name) for name in TOPICS if name not in others]
    return (sources, person_changes + links + rejected), (
        person_changes,
        [*from_sync, changelog_topic(settings, "people")],
    )


def plain_consumer(settings: Settings, role: str, isolation_level: str) -> Any:
    """A consumer of no group."""
    return AIOKafkaConsumer(
        **settings.client(role),
        isolation_level=isolation_level,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 * 1_048_576,
    )
