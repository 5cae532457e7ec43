"""`leadsync bench` on a real broker: what it prints, and that the floor moved the very messages that the worker moved."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import PARTITIONS
from streams.bench.load import Load
from streams.bench.ranges import Range, Traffic, Wave, traffic_of
from streams.bench.rounds import measure_on
from streams.bench.wire import Wire, floor_topic
from streams.settings import Settings

pytestmark = pytest.mark.kafka

TINY = Load(people=40, edits=20, rounds=2, fields=5)
TINY_OPTIONS = ("--people", "40", "--edits", "20", "--rounds", "2", "--fields", "5", "--json")
RATES = {"per_second": int, "per_cpu_second": int}
SHAPE = {
    "floor": RATES,
    "worker_memory": RATES,
    "core": RATES,
    "core_and_codecs": RATES,
    "ratio_per_cpu_second": float,
    "rounds": int,
    "people": int,
    "edits": int,
    "fields": int,
    "edit_share": float,
    "per_change": {"messages_read": float, "bytes_read": int, "messages_written": float, "bytes_written": int},
    "machine": {"cores": int, "python": str, "kafka": type(None)},
}


def shape(value: Any) -> Any:
    """Keys and types."""
    return {name: shape(each) for name, each in value.items()} if isinstance(value, dict) else type(value)


async def topics_of(kafka: str, prefix: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
    finally:
        await admin.close()


def test_one_json_object_and_nothing_left_on_the_broker(kafka: str) -> None:
    """Keys and types are stable; half of the changes are edits; the run's topics are gone afterwards."""
    prefix = f"test-{secrets.token_hex(4)}."
    command = [
        sys.executable,
        "-m",
        "streams",
        "bench",
        "--bootstrap-servers",
        kafka,
        "--prefix",
        prefix,
        *TINY_OPTIONS,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert shape(found) == SHAPE
    assert (found["people"], found["edits"], found["fields"], found["rounds"]) == (40, 20, 5, 2)
    assert found["edit_share"] == 0.5
    assert asyncio.run(topics_of(kafka, prefix)) == []


class RecordingWire(Wire):
    """Keeps the waves."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.waves: list[Wave] = []

    async def wave(self) -> Wave:
        self.waves.append(await super().wave())
        return self.waves[-1]


async def test_the_floor_reads_and_writes_what_the_worker_read_and_wrote(kafka: str) -> None:
    """Message by message, in each partition's order: a floor that does less would flatter nobody for long."""
    settings = Settings(kafka, f"test-{secrets.token_hex(4)}.")
    async with RecordingWire(settings) as wire:
        rounds = await measure_on(wire, settings, TINY, lambda _: None)
        waves = wire.waves[-2 * (TINY.rounds + 1) :]  # those before brought the people to rest
        writes = [each for wave in waves for hop in wave.hops for each in hop.writes]
        by_worker = await messages(wire, writes)
        by_floor = await messages(wire, floor_ranges(settings, writes, by_worker))
        read = [await wire.read(hop.reads) for wave in waves[2:] for hop in wave.hops]
    assert by_worker and {floor_place(settings, place): each for place, each in by_worker.items()} == by_floor
    assert sum_of(one.read for one in rounds) == sum_of(
        traffic_of(records) for found in read for records in found.values()
    )
    assert all(one.changes == 2 * one.edits == 2 * TINY.edits for one in rounds)


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
    places = [(topic, number) for topic in topics for number in range(PARTITIONS)]
    return [Range(*floor_place(settings, place), 0, len(by_worker.get(place, ()))) for place in places]


def sum_of(traffic: Iterable[Traffic]) -> Traffic:
    return sum(traffic, start=Traffic())
