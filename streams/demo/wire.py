"""The demo's end of Kafka: as connector and applier it writes changes and results, and reads commands.

It reads the activity log, the dead letters and (for their offsets only) `person.changes` too, to know what happened and
whether all of it has. `Sender.ends` and `Listener.ends` hold, for each partition, the offset after the last message.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.vocabulary import System
from streams import cloudevents
from streams.codec import encode
from streams.demo.record import Published
from streams.lane.stable_offsets import KnownOffsets
from streams.settings import Settings
from streams.sync.messages import ApplyResult
from streams.topics import wanted_topics

COMMAND_TOPICS = (
    "marketo.commands",
    "marketo.commands.background",
    "dynamics.commands",
    "dynamics.commands.background",
)
HEARD_TOPICS = (*COMMAND_TOPICS, "activity-log", "dead-letter", "person.changes")

SOURCE = cloudevents.source_of("demo")
SOURCE_CHANGE = cloudevents.type_of("source-change/1")
APPLY_RESULT = cloudevents.type_of("apply-result/1")

LINGER_MS = 5
BROKER_AWAY_SECONDS_MAX = 120.0
"""How long a broker may be away that is restarted, or killed, on a busy machine."""
STOP_SECONDS_MAX = 10.0
POLL_MS = 200
RECORDS_MAX = 1_000

Heard = Callable[[bytes], None]


class Sender:
    """Writes changes and results, each topic's in the order given."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = AIOKafkaProducer(
            **settings.client("demo-sender"),
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            request_timeout_ms=int(BROKER_AWAY_SECONDS_MAX * 1000),
        )
        self._failure: BaseException | None = None
        self._untaken = 0
        self.ends: dict[TopicPartition, int] = {}
        self.sent = 0

    @property
    def unanswered(self) -> int:
        """How many messages the broker has yet to take."""
        return self._untaken

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is left, and disconnect; aiokafka's idempotent producer would wait for ever for a broker that is gone."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._producer.stop(), STOP_SECONDS_MAX)

    async def changes(self, published: Iterable[tuple[System, Published]]) -> None:
        """What the systems' feeds show. Waits while the producer's buffer is full."""
        for system, (stream, change) in published:
            headers = cloudevents.headers(change.change_id, SOURCE_CHANGE, SOURCE, change.time)
            await self._send(f"{system}.changes", stream, change, headers)

    async def results(self, results: Iterable[ApplyResult]) -> None:
        """What the systems answer."""
        for result in results:
            headers = cloudevents.headers(result.result_id, APPLY_RESULT, SOURCE, result.time)
            await self._send(f"{result.system}.results", result.person_key, result, headers)

    async def pass_on(self) -> None:
        """Told now and then: time to send what was held back. Here nothing is."""

    async def _send(self, topic: str, key: str, message: msgspec.Struct, headers: cloudevents.Headers) -> None:
        if self._failure is not None:
            raise self._failure
        future = await self._producer.send(
            self._settings.topic(topic), encode(message), key.encode(), headers=list(headers)
        )
        self.sent += 1
        self._untaken += 1
        future.add_done_callback(self._answered)

    def _answered(self, future: asyncio.Future[Any]) -> None:
        self._untaken -= 1
        if future.cancelled() or future.exception() is not None:
            self._failure = self._failure or (None if future.cancelled() else future.exception())
            return
        metadata = future.result()
        place = TopicPartition(metadata.topic, metadata.partition)
        self.ends[place] = max(self.ends.get(place, 0), metadata.offset + 1)


class Listener:
    """Reads what the worker committed, from the beginning, and hands each body to whoever asked for its topic."""

    def __init__(self, settings: Settings, heard: Mapping[str, Heard], topics: Iterable[str] = HEARD_TOPICS) -> None:
        self._settings, self._topics = settings, tuple(topics)
        self._heard = {settings.topic(name): function for name, function in heard.items()}
        self._consumer = plain_consumer(settings, "demo-listener", "read_committed", fetch_max_wait_ms=50)
        self.ends: dict[TopicPartition, int] = {}
        self.counts: Counter[str] = Counter()  # records, by topic

    @property
    def read(self) -> int:
        """How many records were read."""
        return self.counts.total()

    async def start(self) -> None:
        """Connect, and stand at the beginning of every topic."""
        await self._consumer.start()
        await stand_at_beginning(self._consumer, partitions_of(self._settings, map(self._settings.topic, self._topics)))

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            for place, records in (await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)).items():
                self.ends[place] = records[-1].offset + 1
                self.counts[place.topic] += len(records)
                function = self._heard.get(place.topic)
                for record in records if function is not None else ():
                    function(record.value)  # type: ignore[misc]  # checked one line above
            await asyncio.sleep(0)

    async def behind(self, heads: Mapping[TopicPartition, int]) -> int:
        """How many offsets lie between what was read and these."""
        return sum([max(head - await self._consumer.position(place), 0) for place, head in heads.items()])


class Watch:
    """How far everybody is: the workers' group, and the ends of topics."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: Any = AIOKafkaAdminClient(**settings.client("demo-watch"))
        self._consumer = plain_consumer(settings, "demo-heads", "read_uncommitted")
        self._offsets: dict[str, KnownOffsets] = {}

    async def start(self) -> None:
        """Connect."""
        await asyncio.gather(self._admin.start(), self._consumer.start())

    async def stop(self) -> None:
        """Disconnect."""
        await asyncio.gather(self._admin.close(), self._consumer.stop())

    async def unread(self, ends: Mapping[TopicPartition, int], group: str | None = None) -> int:
        """How many messages before these ends the workers, or another group, have not committed."""
        group = group or self._settings.app_id
        committed = await self._offsets.setdefault(group, KnownOffsets(self._admin, group)).look()
        return sum(max(end - committed.get(place, 0), 0) for place, end in ends.items())

    async def heads(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """The ends of these topics, open transactions included: whoever stands there has missed nothing."""
        heads: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions_of(self._settings, topics))
        return heads

    async def delete_topics(self, names: Iterable[str]) -> None:
        """Away with them."""
        await self._admin.delete_topics(list(names))


def plain_consumer(settings: Settings, role: str, isolation_level: str, **more: Any) -> Any:
    """A consumer of no group."""
    return AIOKafkaConsumer(
        **settings.client(role),
        isolation_level=isolation_level,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **more,
    )


def partitions_of(settings: Settings, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of these topics, which are ours, as they were created."""
    wanted = wanted_topics(settings)
    return [TopicPartition(topic, number) for topic in topics for number in range(wanted[topic].partitions)]


async def stand_at_beginning(consumer: Any, places: list[TopicPartition]) -> None:
    """Assign, and begin each at its beginning as it is now."""
    consumer.assign(places)
    for place, offset in (await consumer.beginning_offsets(places)).items():
        consumer.seek(place, offset)
