"""`leadsync bench` on a real broker: what it prints, and that the floor moved the very messages that the worker moved."""

from __future__ import annotations

import asyncio
import json
import pstats
import secrets
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import PARTITIONS as PARTITION_COUNT
from streams.bench.failed import BenchFailed
from streams.bench.load import Load
from streams.bench.message import Message, message_of, with_bad
from streams.bench.plan import plan_of
from streams.bench.ranges import Range, Traffic, Wave, traffic_of
from streams.bench.rounds import Bench
from streams.bench.systems import Systems
from streams.bench.wire import Wire, floor_topic, plain_consumer
from streams.codec import Unreadable, rejection_of_record
from streams.settings import Settings

pytestmark = pytest.mark.kafka

TINY = Load(people=40, edits=20, rounds=2, fields=5)
TINY_OPTIONS = ("--people", "40", "--edits", "20", "--rounds", "1", "--fields", "5", "--part", "rates", "--json")
RATES = {"per_second": int, "per_cpu_second": int}
NAMES = ("floor", "worker_memory", "worker_rocksdb", "core", "core_and_codecs", "plain_faust", "quix")
RATIOS = (
    "worker_memory/floor",
    "worker_memory/plain_faust",
    "worker_memory/quix",
    "worker_rocksdb/worker_memory",
)
SUBJECTS = ("worker_memory", "worker_rocksdb", "plain_faust", "quix")
LOAD_SHAPE = {
    **dict.fromkeys(NAMES, RATES),
    "ratio_per_cpu_second": float,
    "ratios": dict.fromkeys(RATIOS, float),
    "rounds": int,
    "people": int,
    "edits": int,
    "fields": int,
    "sizes": {name: {"people": int, "edits": int} for name in SUBJECTS},
    "edit_share": float,
    "per_change": {"messages_read": float, "bytes_read": int, "messages_written": float, "bytes_written": int},
}
LOADS = ("hot_person", "backlog", "collisions", "bad_input", "fields_10", "fields_100")
PARTS = ("latency", "restart", "growth", "overload")
SHAPE = {
    **LOAD_SHAPE,
    "loads": dict.fromkeys(LOADS, LOAD_SHAPE),
    "idle_cpu_share": dict.fromkeys(SUBJECTS, float),
    **dict.fromkeys(PARTS),
    "machine": {"cores": int, "python": str, "kafka": None},
    "seconds": int,
}
MAY_BE_NULL = {*RATIOS, *SUBJECTS, *PARTS, "kafka"}
"""Of two of which one was not measured; the idle share of who is not there; what nobody asked for; a broker that is given."""


def check_shape(found: Any, shape: Any, where: str = "") -> None:
    """Keys and types; each thing that can be measured is so, or null with a line why."""
    if not isinstance(shape, dict):
        assert found is None if shape is None else isinstance(found, shape), where
        return
    assert found.keys() - {"notes"} == shape.keys(), where
    for name, each in shape.items():
        if found[name] is not None:
            check_shape(found[name], each, f"{where}/{name}")
        elif name in NAMES and "notes" in found:
            assert found["notes"][name], f"{where}/{name}"
        else:
            assert name in MAY_BE_NULL, f"{where}/{name}"


async def topics_of(kafka: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


def bench(kafka: str, prefix: str, *options: str) -> dict[str, Any]:
    """One run of the command."""
    command = [sys.executable, "-m", "streams", "bench", "--bootstrap-servers", kafka, "--prefix", prefix, *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_one_json_object_and_nothing_left_on_the_broker(kafka: str) -> None:
    """Keys and types are stable, all loads are measured, half of the steady changes are edits; the run's topics are gone."""
    prefix = f"test-{secrets.token_hex(4)}."
    found = bench(kafka, prefix, *TINY_OPTIONS)
    check_shape(found, SHAPE)
    assert (found["people"], found["edits"], found["fields"], found["rounds"]) == (40, 20, 5, 1)
    assert found["edit_share"] == 0.5
    for load in (found, *found["loads"].values()):
        assert all(load[name]["per_cpu_second"] > 0 for name in ("floor", "worker_memory"))
        assert load["ratios"]["worker_memory/floor"] > 0
    for name in NAMES:
        assert found[name] is not None or not found["notes"][name].startswith("not asked")
    assert [topic for topic in asyncio.run(topics_of(kafka)) if prefix in topic] == []


def test_some_loads_of_some_subjects(kafka: str, tmp_path: Path) -> None:
    """What is picked is measured and nothing else, though it takes a worker; that one is profiled on the way."""
    profile = tmp_path / "profile"
    picked = ("--load", "bad_input", "--subject", "core", "--profile", str(profile))
    found = bench(kafka, f"test-{secrets.token_hex(4)}.", *TINY_OPTIONS, *picked)
    measured = {name for name in NAMES for load in (found, *found["loads"].values()) if load[name] is not None}
    assert measured == {"core"}
    assert found["loads"]["bad_input"]["core"]["per_cpu_second"] > 0
    assert any(function == "handle" for _, _, function in pstats.Stats(str(profile)).stats)  # type: ignore[attr-defined]


class RecordingWire(Wire):
    """Keeps the waves; and, as it is asked for its last, all that was moved: the topics are gone afterwards."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.waves: list[Wave] = []

    async def wave(self) -> Wave:
        self.waves.append(await super().wave())
        return self.waves[-1]

    async def __aexit__(self, *error: Any) -> None:
        if error == (None, None, None):
            await self.keep()
        await super().__aexit__(*error)

    async def keep(self) -> None:
        """Read everything again."""
        waves = self.waves[-2 * (TINY.rounds + 1) :]  # those before brought the people to rest
        writes = [each for wave in waves for hop in wave.hops for each in hop.writes]
        self.by_worker = await messages(self, writes)
        self.by_floor = await messages(self, floor_ranges(self.settings, writes, self.by_worker))
        self.read_by_worker = [await self.read(hop.reads) for wave in waves[2:] for hop in wave.hops]


@pytest.mark.parametrize("load", ["steady", "bad_input"])
async def test_the_floor_reads_and_writes_what_the_worker_read_and_wrote(kafka: str, load: str) -> None:
    """Message by message, in each partition's order, dead letters too: a floor that does less would flatter nobody for long."""
    settings = Settings(kafka, f"test-{secrets.token_hex(4)}.")
    plan = plan_of(TINY, (load,), ("worker_memory", "floor"))
    wires: list[RecordingWire] = []

    def recording(of_subject: Settings) -> Wire:
        wires.append(RecordingWire(of_subject))
        return wires[-1]

    rounds = (await Bench(settings, plan, lambda _: None, None, recording).run()).rounds[load]
    (wire,) = wires
    by_worker = {floor_place(wire.settings, place): each for place, each in wire.by_worker.items()}
    assert by_worker and by_worker == wire.by_floor
    assert any("dead-letter" in topic for topic, _ in by_worker) == (load == "bad_input")
    assert sum_of(one.read for one in rounds) == sum_of(
        traffic_of(records) for found in wire.read_by_worker for records in found.values()
    )
    bad = 2 if load == "bad_input" else 0  # one in the wave of the edits, one in that of their landings
    assert all(one.parts["floor"].changes == 2 * TINY.edits + bad for one in rounds)
    assert all(one.parts["worker_memory"].edits == TINY.edits for one in rounds)


GOOD = message_of(next(Systems(Load(people=1, edits=1, fields=3)).new_leads()))
BAD = next(each for each in with_bad([GOOD], 0.01) if each.sort == "bad")


@pytest.mark.parametrize(
    ("written", "rejected", "said"),
    [
        ([GOOD], [], None),
        ([BAD], [], "of 1 messages that nobody can read 0 are there, and 0 others"),
        ([BAD], ["bad"], None),
        ([BAD], ["bad", "bad"], "1 are there, and 1 others"),
        ([GOOD, BAD], ["bad", "good"], "1 are there, and 1 others"),
    ],
)
async def test_exactly_what_nobody_can_read_must_be_rejected(
    kafka: str, written: list[Message], rejected: list[str], said: str | None
) -> None:
    """A subject that drops a bad message, or rejects it twice, or rejects a good one, is no subject."""
    settings = Settings(kafka, f"test-{secrets.token_hex(4)}.")
    async with Wire(settings) as wire:
        assert await wire.write(written) == len(written)
        await wire.release()
        (records,) = (await wire.read(await everything_in(settings, "dynamics.changes"))).values()
        of_sort = {message.sort: record for message, record in zip(written, records, strict=True)}
        await reject(settings, [of_sort["bad" if name == "bad" else "change"] for name in rejected])
        if said is None:
            await wire.wave()
        else:
            with pytest.raises(BenchFailed, match=said):
                await wire.wave()


async def everything_in(settings: Settings, topic: str) -> list[Range]:
    consumer = plain_consumer(settings, "test", "read_uncommitted")
    await consumer.start()
    try:
        places = [TopicPartition(settings.topic(topic), number) for number in range(PARTITION_COUNT)]
        return [Range(*place, 0, end) for place, end in (await consumer.end_offsets(places)).items()]
    finally:
        await consumer.stop()


async def reject(settings: Settings, records: list[Any]) -> None:
    producer = AIOKafkaProducer(**settings.client("test"))
    await producer.start()
    try:
        for record in records:
            error = Unreadable("invalid", "for the test")
            body = rejection_of_record(record.topic, record.partition, record, error)
            await producer.send_and_wait(settings.topic("dead-letter"), body, record.key)
    finally:
        await producer.stop()


async def messages(wire: Wire, ranges: Iterable[Range]) -> dict[tuple[str, int], list[Any]]:
    """What stands in these ranges, by topic and partition."""
    found: dict[tuple[str, int], list[Any]] = {}
    for each in ranges:
        for place, records in (await wire.read([each])).items():
            bodies = [(record.key, record.value, record.headers) for record in records]
            found.setdefault((place.topic, place.partition), []).extend(bodies)
    return {place: bodies for place, bodies in found.items() if bodies}


def floor_place(settings: Settings, place: tuple[str, int]) -> tuple[str, int]:
    return floor_topic(settings, place[0]), place[1]


def floor_ranges(settings: Settings, writes: Iterable[Range], by_worker: Any) -> list[Range]:
    """All of the floor's topics: no markers stand in them, so that each ends where its messages end."""
    topics = {each.topic for each in writes}
    places = [(topic, number) for topic in topics for number in range(PARTITION_COUNT)]
    return [Range(*floor_place(settings, place), 0, len(by_worker.get(place, ()))) for place in places]


def sum_of(traffic: Iterable[Traffic]) -> Traffic:
    return sum(traffic, start=Traffic())
