"""A load of source changes for many people, and the end of it: everything that was sent has gone through both agents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import INPUT_TOPICS
from streams.codec import encode
from streams.lane.stable_offsets import stable_offsets
from streams.operating.reading import POLL_MILLISECONDS
from streams.settings import Settings
from streams.sync.messages import Record, SourceChange

Message = tuple[str, bytes, bytes]  # topic without prefix, key, body
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.1


def edits(people: int, rounds: int, first: int = 0) -> tuple[list[Message], set[str]]:
    """Marketo persons who ask for a Dynamics record and are then edited again and again; and the ids of all changes."""
    messages: list[Message] = []
    ids: set[str] = set()
    for turn in range(rounds):
        for number in range(first, first + people):
            change = _change(number, turn)
            ids.add(change.change_id)
            messages.append(("marketo.changes", change.record.id.encode(), encode(change)))
    return messages, ids


def _change(number: int, turn: int) -> SourceChange:
    record, change_id = Record("marketo", "person", str(number)), f"change-{number}-{turn}"
    if turn == 1:
        return SourceChange(change_id=change_id, kind="requested", record=record, action="sync_person")
    kind = "created" if turn == 0 else "updated"
    fields = {"lastName": f"Person {number}", "phone": f"+1 555 {turn:04}"}
    return SourceChange(change_id=change_id, kind=kind, record=record, version=turn + 1, fields=fields, who="mia")


async def send(settings: Settings, messages: Sequence[Message]) -> None:
    """Produce the messages in their order, as any producer would."""
    producer = AIOKafkaProducer(**settings.client("load"), enable_idempotence=True, max_request_size=4_000_000)
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(settings.topic(topic), body, key) for topic, key, body in messages])
    finally:
        await producer.stop()


async def drained(settings: Settings) -> None:
    """Wait until the group has committed every source topic and the event log to its end."""
    admin = AIOKafkaAdminClient(**settings.client("drained"))
    consumer = AIOKafkaConsumer(
        **settings.client("drained"), isolation_level="read_committed", fetch_max_wait_ms=POLL_MILLISECONDS
    )
    await admin.start()
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for names in (INPUT_TOPICS, ("person.changes",)):
                while lag := await _lag(settings, admin, consumer, names):
                    await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"not handled in time, in {lag}") from None
    finally:
        await consumer.stop()
        await admin.close()


async def committed(settings: Settings) -> int:
    """How many offsets of the event log the group has committed."""
    admin = AIOKafkaAdminClient(**settings.client("committed"))
    await admin.start()
    try:
        offsets = await stable_offsets(admin, settings.app_id)
        name = settings.topic("person.changes")
        return sum(offset for tp, offset in offsets.items() if tp.topic == name)
    finally:
        await admin.close()


async def _lag(settings: Settings, admin: Any, consumer: Any, names: Sequence[str]) -> list[str]:
    """The partitions where a record, not only a transaction's marker, stands behind the committed offset."""
    tps = [TopicPartition(settings.topic(name), n) for name in names for n in await _numbers(consumer, settings, name)]
    consumer.assign(tps)
    ends = await consumer.end_offsets(tps)
    done = await stable_offsets(admin, settings.app_id)
    for tp in tps:
        consumer.seek(tp, done.get(tp, 0))
    while unread := [tp for tp in tps if await consumer.position(tp) < ends[tp]]:
        found = await consumer.getmany(*unread, timeout_ms=POLL_MILLISECONDS)
        if any(found.values()):
            return sorted(f"{tp.topic}[{tp.partition}]" for tp, records in found.items() if records)
    return []


async def _numbers(consumer: Any, settings: Settings, name: str) -> list[int]:
    await consumer._client.force_metadata_update()
    return sorted(consumer.partitions_for_topic(settings.topic(name)) or await _fetched(consumer, settings.topic(name)))


async def _fetched(consumer: Any, topic: str) -> set[int]:
    cluster = await consumer._client.fetch_all_metadata()
    return set(cluster.partitions_for_topic(topic) or ())
