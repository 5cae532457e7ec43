"""A real worker on a real broker under the stream, and what stands on the topics when it has gone through all of it.

The worker must be the same process throughout, commit every offset, and not grow: what it holds after a quarter of the messages it
may hold at the end, and what its states and links take besides. Then everything is read back. Every message that was sent is
judged where it stands: a bad one must be in `dead-letter` once, with its place, its bytes and a reason that the judge allows; a good
one must have its change on `person.changes`; and folding `person.changes` anew must give the commands, the activities and the states
that are there.
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.codec import has_lz4, has_snappy, has_zstd
from aiokafka.record.util import calc_crc32c

from schemas import Rejection
from schemas.limits import MESSAGE_BYTES_MAX, REJECTED_KEY_BYTES_MAX
from schemas.topics import INPUT_TOPICS, PARTITIONS
from streams.codec import decode_person_change, encode
from streams.lane.stable_offsets import stable_offsets
from streams.operating.reading import Reader, partition_of
from streams.policy import default_policy
from streams.settings import Settings
from streams.sync.person import decode_person, encode_person
from streams.sync.policy import Policy
from streams.sync.step import step
from streams.topics import changelog_topic
from tests.fuzz.in_process import Report, resolved
from tests.fuzz.judging import Verdict, judged
from tests.fuzz.reading import spoilt_policy
from tests.fuzz.sending import MODELS, Sent, Stream
from tests.kafka.load import drained
from tests.kafka.workers import WorkerProcess, workers

SLICE = 2_000
POLICIES = 100
BATCH_BYTES = 900_000
LOOK_SECONDS = 1.0
LOG_BYTES_MAX = 4_000_000
GROWTH_BYTES_MAX = 64 * 1024 * 1024
COPIES = 3
"""What a state takes in memory, against its bytes: its key and its place in the table besides."""

RAW_NAME, NO_NAME = "name-of-no-text", b"\xff\xfe\xed\xa0-of-no-text"
"""A header's name as the producer takes it, and the bytes, no UTF-8, that go out in its place."""

ATTRIBUTES_LOW_BYTE, COMPRESSION_BITS = 22, 0b111
"""Where a record batch (magic 2) tells how it is compressed."""

COMPRESSIONS: list[str | None] = [None, None, "gzip"]
COMPRESSIONS += [name for name, there in (("lz4", has_lz4), ("snappy", has_snappy), ("zstd", has_zstd)) if there()]
OUTPUTS = (
    "activity-log",
    *(f"{system}.commands{lane}" for system in ("marketo", "dynamics") for lane in ("", ".background")),
)

Place = tuple[str, int, int]


@dataclass
class Standing:
    """What was sent by hand to `person.changes`, where intake writes too, and how much was sent at all."""

    sent: int = 0
    direct: dict[int, set[int]] = field(default_factory=lambda: {number: set() for number in range(PARTITIONS)})


async def run(settings: Settings, messages: int, seed: int, tell: Callable[[str], None] = print) -> Report:
    """So many messages of a seed through a worker; what is wrong is in the report."""
    policy, report, standing = default_policy(), Report(), Standing()
    stream = Stream(policy, seed)
    async with workers(settings, "fuzzed") as (worker,):
        watch = _Watch(worker, report)
        looking = asyncio.create_task(watch.look())
        for quarter in range(4):
            await _send(settings, stream, messages // 4, standing, Random(seed + quarter), report)
            await watch.until_drained(settings)
            if quarter == 0:
                watch.warm_bytes = watch.resident_bytes()
                await _send_policies(settings, Random(seed))
            tell(f"{standing.sent} messages handled, {watch.said()}")
        looking.cancel()
        await _Verification(settings, policy, standing, report).check()
        watch.check_the_end(report.people_bytes)
        if (status := await worker.end()) != 0:
            report.find(f"the worker ended with {status}: {worker.log[-2_000:]}")
    return report


class _Watch:
    """The worker from outside."""

    def __init__(self, worker: WorkerProcess, report: Report) -> None:
        assert worker.process is not None
        self._worker, self._report, self._process = worker, report, worker.process
        self.warm_bytes = self.resident_bytes()
        self.seen_bytes = [self.warm_bytes]

    def resident_bytes(self) -> int:
        """What the process holds in memory."""
        listed = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self._process.pid)], capture_output=True, text=True, check=False
        )
        return int(listed.stdout or 0) * 1024

    def said(self) -> str:
        """In words."""
        now, peak = self.resident_bytes() / 1e6, max(self.seen_bytes) / 1e6
        return f"resident {self.warm_bytes / 1e6:.0f} MB when warm, {peak:.0f} MB at most, {now:.0f} MB at the end"

    async def look(self) -> None:
        """Until cancelled, see what it holds."""
        while True:
            self.seen_bytes.append(await asyncio.to_thread(self.resident_bytes))
            await asyncio.sleep(LOOK_SECONDS)

    async def until_drained(self, settings: Settings) -> None:
        """Wait for all offsets to be committed; that none is for a minute is a stall."""
        while self._process.returncode is None:
            before = await _committed(settings)
            try:
                await drained(settings)
            except AssertionError as error:
                if await _committed(settings) == before:
                    raise AssertionError(f"stalled: {error}; the log ends: {self._worker.log[-3_000:]}") from None
            else:
                return
        raise AssertionError(f"the worker ended with {self._process.returncode}: {self._worker.log[-3_000:]}")

    def check_the_end(self, kept_bytes: int) -> None:
        """The same process, hardly larger, and no more said than somebody can read."""
        grown = self.resident_bytes() - self.warm_bytes
        if grown > GROWTH_BYTES_MAX + COPIES * kept_bytes:
            self._report.find(
                f"the worker grew by {grown / 1e6:.0f} MB; its states and links take {kept_bytes / 1e6:.0f} MB"
            )
        if "Traceback" in self._worker.log:
            self._report.find(f"a traceback in the log: {self._worker.log[-3_000:]}")
        if len(self._worker.log) > LOG_BYTES_MAX:
            self._report.find(f"{len(self._worker.log)} bytes of log")


async def _committed(settings: Settings) -> int:
    admin = AIOKafkaAdminClient(**settings.client("fuzz-committed"))
    await admin.start()
    try:
        return sum((await stable_offsets(admin, settings.app_id)).values())
    finally:
        await admin.close()


async def _send(
    settings: Settings, stream: Stream, count: int, standing: Standing, random: Random, report: Report
) -> None:
    async with _producers(settings) as producers:
        while count:
            producer = random.choice(producers)
            messages = list(stream.messages(min(SLICE, count)))
            await _send_slice(settings, producer, messages, standing, random)
            for sent in messages:
                report.stories[sent.story.partition(", ")[2] or "as it was made"] += 1
            count -= len(messages)


@asynccontextmanager
async def _producers(settings: Settings) -> AsyncIterator[list[Any]]:
    """One for each way of compressing that this machine has."""
    made = [
        AIOKafkaProducer(
            **settings.client(f"fuzz-{number}"),
            compression_type=compression,
            max_batch_size=BATCH_BYTES,
            max_request_size=MESSAGE_BYTES_MAX,
            acks="all",
        )
        for number, compression in enumerate(COMPRESSIONS)
    ]
    for each in made:
        await each.start()
    try:
        yield made
    finally:
        for each in made:
            await each.stop()


async def _send_slice(
    settings: Settings, producer: Any, messages: list[Sent], standing: Standing, random: Random
) -> None:
    """In ready-made batches; a batch of a partition goes when the one before it has arrived, so that order is kept."""
    parcels: dict[tuple[str, int], list[list[Sent]]] = {}
    for sent in messages:
        number = random.randrange(PARTITIONS) if sent.key is None else partition_of(sent.key, PARTITIONS)
        lots = parcels.setdefault((sent.topic, number), [[]])
        if sum(len(each.value or b"") + len(each.key or b"") for each in lots[-1]) > BATCH_BYTES // 3:
            lots.append([])
        lots[-1].append(sent)

    async def send(topic: str, number: int, lots: list[list[Sent]]) -> None:
        for lot in lots:
            for batch, length in _batches(producer, lot, random):
                arrived = await (await producer.send_batch(batch, settings.topic(topic), partition=number))
                standing.sent += length
                if topic == "person.changes":
                    standing.direct[number].update(range(arrived.offset, arrived.offset + length))

    await asyncio.gather(*(send(topic, number, lots) for (topic, number), lots in parcels.items()))


def _batches(producer: Any, lot: list[Sent], random: Random) -> Iterator[tuple[Any, int]]:
    batch, length = producer.create_batch(), 0
    for sent in lot:
        headers = list(sent.headers)
        if random.random() < 0.002:
            headers.append((RAW_NAME, b"x"))
        while batch.append(timestamp=sent.timestamp_ms, key=sent.key, value=sent.value, headers=headers) is None:
            yield with_raw_names(batch), length
            batch, length = producer.create_batch(), 0
        length += 1
    if length:
        yield with_raw_names(batch), length


def with_raw_names(batch: Any) -> Any:
    """Put bytes that are no text in the place of the names that stand for them; a compressed batch goes as it is.

    The name may stand in a compressed batch letter by letter: what is put there breaks the checksum of its contents.
    """
    data = bytearray(batch._build())
    is_compressed = data[ATTRIBUTES_LOW_BYTE] & COMPRESSION_BITS
    if not is_compressed and RAW_NAME.encode() in data:
        data = data.replace(RAW_NAME.encode(), NO_NAME)
        struct.pack_into(">I", data, 17, calc_crc32c(bytes(data[21:])))
        batch._buffer = bytes(data)
    return batch


async def _send_policies(settings: Settings, random: Random) -> None:
    """On `policies` too, where one is in force and must stay so."""
    producer = AIOKafkaProducer(**settings.client("fuzz-policies"), acks="all")
    await producer.start()
    try:
        for _ in range(POLICIES):
            key, value = spoilt_policy(random)
            if key:  # without one, a compacted topic takes nothing
                await producer.send(settings.topic("policies"), value, key, partition=0)
        await producer.flush()
    finally:
        await producer.stop()


class _Verification:
    """Everything read back."""

    def __init__(self, settings: Settings, policy: Policy, standing: Standing, report: Report) -> None:
        self._settings, self._policy, self._standing, self._report = settings, policy, standing, report
        self._letters: dict[Place, tuple[str, int]] = {}
        self._expected: Counter[int] = Counter()
        self._right: Counter[int] = Counter()
        self._states: dict[bytes, bytes] = {}

    async def check(self) -> None:
        async with Reader(self._settings) as reader:
            self._reader = reader
            await self._read_letters()
            links_bytes = sum([await self._check_source(topic) for topic in INPUT_TOPICS])
            await self._check_person_changes()
            await self._check_outputs()
            await self._check_states()
        for (topic, number, offset), (reason, _) in list(self._letters.items())[:5]:
            self._report.find(f"{topic}[{number}] at {offset} was rejected as {reason}, and nobody sent it")
        if self._report.messages != self._standing.sent:
            self._report.find(f"{self._report.messages} of {self._standing.sent} messages are on the topics")
        self._report.people = len(self._states)
        self._report.people_bytes = links_bytes + sum(len(key) + len(value) for key, value in self._states.items())

    async def _read_letters(self) -> None:
        async for record in self._reader.records(self._settings.topic("dead-letter")):
            letter = Rejection.model_validate_json(record.value)
            place = (letter.topic, letter.partition, letter.offset)
            if place in self._letters:
                self._report.find(f"{place} stands in dead-letter twice")
            self._letters[place] = letter.reason, hash((record.key, letter.body_sha256, letter.body_bytes))
            self._report.rejected[letter.reason] += 1

    async def _check_source(self, topic: str) -> int:
        links: dict[bytes, bytes] = {}
        async for record in self._reader.records(self._settings.topic(topic)):
            self._report.messages += 1
            verdict = judged(topic, MODELS[topic], record.key, record.value)
            if self._is_taken(topic, record, verdict):
                self._expected.update(map(hash, resolved(topic, record.key, verdict.message, links)))
        return sum(len(key) + len(value) for key, value in links.items())

    async def _check_person_changes(self) -> None:
        topic = "person.changes"
        async for record in self._reader.records(self._settings.topic(topic)):
            direct = record.offset in self._standing.direct[record.partition]
            self._report.messages += direct
            verdict = judged(topic, MODELS[topic], record.key, record.value)
            taken = self._is_taken(topic, record, verdict)
            if not direct:
                self._expected[hash((verdict.message.person_key, verdict.message.change_id))] -= 1
            if taken:
                self._fold(record)
        lost, invented = +self._expected, -self._expected
        if lost or invented:
            self._report.find(f"person.changes lacks {lost.total()} changes and has {invented.total()} too many")

    def _is_taken(self, topic: str, record: Any, verdict: Verdict) -> bool:
        report, place = self._report, (self._settings.topic(topic), record.partition, record.offset)
        letter = self._letters.pop(place, None)
        if letter is None:
            report.good += 1
            if not verdict.is_good and not verdict.either:
                report.find(f"{place}: taken, though {set(verdict.reasons)}, key {record.key!r:.200}", record.value)
            return verdict.message is not None
        reason, told = letter
        if reason not in verdict.reasons and not (reason == "outcome_oversized" and verdict.is_good):
            report.find(f"{place}: rejected as {reason}, though {set(verdict.reasons) or 'good'}", record.value)
        if told != _fingerprint(record):
            report.find(f"{place}: its dead letter is of another message", record.value)
        return False

    def _fold(self, record: Any) -> None:
        before = self._states.get(record.key)
        outcome = step(
            None if before is None else decode_person(before), decode_person_change(record.value), self._policy
        )
        if outcome.state is not None:
            self._states[record.key] = encode_person(outcome.state)
        self._right.update(hash(encode(each)) for each in (*outcome.commands, *outcome.activities))

    async def _check_outputs(self) -> None:
        for topic in OUTPUTS:
            async for record in self._reader.records(self._settings.topic(topic)):
                self._right[hash(record.value)] -= 1
        lost, invented = +self._right, -self._right
        if lost or invented:
            self._report.find(f"{lost.total()} commands and activities are lost, {invented.total()} are too many")

    async def _check_states(self) -> None:
        found: dict[bytes, bytes] = {}
        async for record in self._reader.records(changelog_topic(self._settings, "people")):
            found[record.key] = record.value
        different = [key for key in found.keys() | self._states.keys() if found.get(key) != self._states.get(key)]
        if different:
            self._report.find(f"{len(different)} states are not what a fold gives, that of {different[0]!r} first")


def _fingerprint(record: Any) -> int:
    body = record.value or b""
    return hash((record.key and record.key[:REJECTED_KEY_BYTES_MAX], hashlib.sha256(body).hexdigest(), len(body)))
