"""The connector's only way to write to Kafka: whatever belongs together becomes visible together, or not at all.

An entry holds what one reading of a feed, or one batch of commands, has caused: changes, results, what is known of records
from now on, how far the feed was read, which commands are done. What is known changes in memory only after the commit. One
transactional id for each system: a connector that starts fences the one before it, whose next entry then fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced

from schemas.checkpoint import Checkpoint
from schemas.vocabulary import System
from streams import cloudevents
from streams.codec import encode
from streams.connectors.known import KnownRecord, KnownRecords
from streams.connectors.progress import Place, Progress
from streams.connectors.times import rfc3339
from streams.lane.markers import heed_markers
from streams.settings import Settings
from streams.sync.messages import ApplyResult, SourceChange

SOURCE_CHANGE = cloudevents.type_of("source-change/1")
APPLY_RESULT = cloudevents.type_of("apply-result/1")
KNOWN_RECORD = cloudevents.type_of("known-record/1")
CHECKPOINT = cloudevents.type_of("checkpoint/1")
REJECTION = cloudevents.type_of("rejection/1")

TRANSACTION_TIMEOUT_MS = 15_000
REQUEST_BYTES_MAX = 4_000_000


class TakenOver(Exception):  # noqa: N818 - another connector did it; nothing of ours has erred
    """Another connector of this system has started; this one must end."""


class StreamChange(NamedTuple):
    """A change with the key of its message."""

    stream: str
    change: SourceChange


class Rejected(NamedTuple):
    """A message that could not be read, with its own key: for `dead-letter`."""

    key: bytes | None
    body: bytes


@dataclass(frozen=True)
class Entry:
    """What belongs together. `taken` are commands whose carrying out begins, `done` those that have their answers. `offsets`: the
    next record to read of other topics, by partition.

    `asked` are changes that came from outside the feed, such as Sync Person: one of a record that is known to be gone by the time
    when it is written is left out, since its stream has ended. `if_gone`: what is said besides of a record whose end the feed has
    told by then without knowing whose it was.
    """

    changes: tuple[StreamChange, ...] = ()
    results: tuple[ApplyResult, ...] = ()
    records: tuple[KnownRecord, ...] = ()
    checkpoint: Checkpoint | None = None
    offsets: Mapping[TopicPartition, int] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    asked: tuple[StreamChange, ...] = ()
    if_gone: Mapping[str, Entry] = field(default_factory=dict)
    taken: tuple[Place, ...] = ()
    done: tuple[Place, ...] = ()

    def __bool__(self) -> bool:
        parts = (self.changes, self.asked, self.results, self.records, self.checkpoint, self.rejected)
        return any((*parts, self.taken, self.done, self.offsets))

    def now(self, known: KnownRecords) -> Entry:
        """As it is to be written, by what is known at that moment."""
        there = tuple(each for each in self.asked if not known.is_gone(each.change.record.id))
        besides = [each for record_id, each in self.if_gone.items() if known.is_gone_as_nobodys(record_id)]
        return replace(
            self,
            changes=(*self.changes, *there, *(change for each in besides for change in each.changes)),
            results=(*self.results, *(result for each in besides for result in each.results)),
            records=tuple(known.newest(each) for each in self.records),
            asked=(),
            if_gone={},
        )


MakeEntry = Callable[[KnownRecords], Entry]


class Journal:
    """Writes entries, one after the other. `on_written` is told of each once it is visible."""

    def __init__(
        self,
        settings: Settings,
        system: System,
        now: Callable[[], float] = time.time,
        on_written: Callable[[Entry], None] = lambda entry: None,
    ) -> None:
        self.settings, self.system, self._now, self._on_written = settings, system, now, on_written
        self.group = group_of(settings, system)
        self.known = KnownRecords(system)
        self.progress = Progress()
        self._writing = asyncio.Lock()
        self._source = cloudevents.source_of(f"connector-{system}")
        self._producer: Any = None

    async def start(self) -> None:
        """Take over from whoever wrote before; what they had open is gone."""
        self._producer = AIOKafkaProducer(
            **self.settings.client(f"connector-{self.system}"),
            transactional_id=self.group,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_request_size=REQUEST_BYTES_MAX,
            **heed_markers(),
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect. An open transaction is left to whoever takes over."""
        if self._producer is not None:
            await self._producer.stop()

    async def write(self, entry: Entry | MakeEntry) -> None:
        """Make an entry visible as a whole; one that hangs on what is known is made when its turn has come.

        Raises TakenOver, and what Kafka's client raises.
        """
        async with self._writing:
            entry = (entry if isinstance(entry, Entry) else entry(self.known)).now(self.known)
            if not entry:
                return
            await self._commit(entry)
            self.progress.note(entry.taken, entry.done)
            for known in entry.records:
                self.known.learn(known)
            self._on_written(entry)

    async def _commit(self, entry: Entry) -> None:
        try:
            await self._producer.begin_transaction()
            try:
                await self._send(entry)
                await self._producer.commit_transaction()
            except BaseException:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self._producer.abort_transaction(), 1.0)
                raise
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise TakenOver(f"another connector for {self.system} has started: {type(error).__name__}") from None

    async def _send(self, entry: Entry) -> None:
        deliveries = [
            await self._producer.send(self.settings.topic(topic), body, key, headers=list(headers))
            for topic, key, body, headers in self._messages(entry)
        ]
        if offsets := {**entry.offsets, **self.progress.after(entry.taken, entry.done)}:
            await self._producer.send_offsets_to_transaction(offsets, self.group)
        await asyncio.gather(*deliveries)

    def _messages(self, entry: Entry) -> Iterator[tuple[str, bytes | None, bytes, cloudevents.Headers]]:
        head = cloudevents.headers
        for stream, change in entry.changes:
            headers = head(change.change_id, SOURCE_CHANGE, self._source, change.time)
            yield f"{self.system}.changes", stream.encode(), encode(change), headers
        for result in map(self._with_its_time, entry.results):
            headers = head(result.result_id, APPLY_RESULT, self._source, result.time)
            yield f"{self.system}.results", result.person_key.encode(), encode(result), headers
        for known in entry.records:
            headers = head(f"{known.record.id}/{known.version}", KNOWN_RECORD, self._source)
            yield f"{self.system}.records", known.record.id.encode(), encode(known), headers
        for key, body in entry.rejected:
            yield "dead-letter", key, body, head("rejected", REJECTION, self._source)
        if entry.checkpoint is not None:
            body = entry.checkpoint.model_dump_json(exclude_defaults=False).encode()
            headers = head(f"{self.system}/{entry.checkpoint.version}", CHECKPOINT, self._source)
            yield "checkpoints", self.system.encode(), body, headers

    def _with_its_time(self, result: ApplyResult) -> ApplyResult:
        """A refusal brings no row that shows a time, and who looks into it wants to know when it was."""
        if result.answer != "refused" or result.time is not None:
            return result
        return msgspec.structs.replace(result, time=rfc3339(self._now()))


def group_of(settings: Settings, system: System) -> str:
    """The consumer group of a connector's commands, and its transactional id. Never changes its scheme."""
    return f"{settings.app_id}-connector-{system}"
