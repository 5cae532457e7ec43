"""More edits than a worker can take: both systems edit at a pace, whatever waits, and carry out each command as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from msgspec import Struct

from streams.bench.at_rest import PeopleAtRest
from streams.bench.editing import BY_TURNS
from streams.bench.failed import BenchFailed
from streams.bench.message import Message, message_of
from streams.bench.stage import Stage
from streams.bench.wire import COMMANDS, plain_consumer
from streams.codec import decode_apply_command

TICK_SECONDS = 0.01
POLL_MS = 200


class _Named(Struct):
    change_id: str


class Flood:
    """Both systems, and how much they have said: edits, and answers to commands. Both are changes, or results."""

    def __init__(self, here: Stage, people: PeopleAtRest, producer: Any, reader: Any) -> None:
        self._here, self._people, self._producer, self._reader = here, people, producer, reader
        self._sending: set[asyncio.Future[Any]] = set()
        self.edits = self.answers = 0

    async def edit(self, per_second: float, seconds: float) -> None:
        """Edit for so long: everybody in turn, in Marketo and in Dynamics in turn."""
        people, systems, rules = cycle(self._people.people), cycle(BY_TURNS), self._people.edited
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            for _ in range(round(per_second * passed) - self.edits):
                rule = rules[self.edits % len(rules)]
                await self._send(message_of(self._people.edit(next(people), next(systems), rule)))
                self.edits += 1
            await asyncio.sleep(TICK_SECONDS)

    async def answer_all(self) -> None:
        """Carry out what is commanded, for ever."""
        while True:
            for records in (await self._reader.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    await self._send(message_of(self._people.carry_out(decode_apply_command(record.value))))
                    self.answers += 1

    async def _send(self, message: Message) -> None:
        topic = self._here.settings.topic(message.topic)
        delivery = await self._producer.send(topic, message.value, message.key, headers=message.headers)
        self._sending.add(delivery)
        delivery.add_done_callback(self._sending.discard)

    async def delivered(self) -> None:
        """Wait until all that was said is on the broker."""
        while self._sending:
            await asyncio.gather(*self._sending)

    async def check_nothing_was_dropped(self) -> None:
        """Raise BenchFailed unless each change stands once in `person.changes`, and nobody differs between the systems."""
        said, seen, records = self.edits + self.answers, set(), 0
        async for value in self._here.values("person.changes"):
            records += 1
            seen.add(msgspec.json.decode(value, type=_Named).change_id)
        rejected = sum((await self._here.ends("dead-letter")).values())
        unlike = self._people.unlike()
        if (records, len(seen), rejected, unlike) != (said, said, 0, []):
            raise BenchFailed(
                f"of {said} changes {len(seen)} were folded, by {records} messages; {rejected} messages were rejected, "
                f"and {len(unlike)} people are not alike"
            )


@asynccontextmanager
async def flood(here: Stage, people: PeopleAtRest) -> AsyncIterator[Flood]:
    """Both systems with their clients. Commands are answered from here on."""
    settings = here.settings
    async with AsyncExitStack() as stack:
        producer: Any = AIOKafkaProducer(**settings.client("bench-systems"), linger_ms=5)
        reader = plain_consumer(settings, "bench-reader", "read_committed")
        for client in (producer, reader):
            await client.start()
            stack.push_async_callback(client.stop)
        reader.assign(here.places(*COMMANDS))
        flooding = Flood(here, people, producer, reader)
        answering = asyncio.create_task(flooding.answer_all())
        try:
            yield flooding
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
