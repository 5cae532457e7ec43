"""The parts of `leadsync bench` that are no rates, each as small as it still says something, on a real broker."""

from __future__ import annotations

import asyncio
import json
import secrets

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console
from rich.table import Table

from streams.agents import INTAKE, SYNC
from streams.bench import growth, latency, overload, restart
from streams.bench.case import Rounds
from streams.bench.load import Load
from streams.settings import Settings

pytestmark = pytest.mark.kafka

PATIENCE_SECONDS = 30.0


@pytest.fixture
def settings(kafka: str) -> Settings:
    return Settings(kafka, f"test-{secrets.token_hex(4)}.")


def ignored(_: str) -> None:
    """Nobody watches."""


def shown(tables: list[Table]) -> str:
    """The tables as somebody reads them."""
    console = Console(width=160, file=None)
    with console.capture() as captured:
        for table in tables:
            console.print(table)
    return captured.get()


async def gone(settings: Settings) -> bool:
    """Whether no topic of this test is left. A broker deletes soon, not at once."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(settings.prefix in topic for topic in await admin.list_topics()):
                await asyncio.sleep(0.1)
        return True
    except TimeoutError:
        return False
    finally:
        await admin.close()


async def test_delays_of_edits(settings: Settings) -> None:
    """Every edit is followed to a command of its own; nothing is left on the broker."""
    size = latency.Size(Load(people=300, fields=5), paces=(50,), seconds=2.0, broker_warm_up_seconds=0.5)
    found = json.loads(json.dumps(await latency.measure(settings, ignored, long=False, size=size)))
    (pace,) = found["paces"]
    assert pace["edits"] > 0 and pace["shared"] == 0
    assert 0 < pace["p50_ms"] <= pace["p90_ms"] <= pace["p99_ms"] <= pace["max_ms"]
    assert all(pace["batches"][agent]["records"] >= 1 for agent in (INTAKE, SYNC))
    assert str(pace["edits_per_second"]) in shown(latency.tables(found))
    assert await gone(settings)


async def test_standstills_of_partitions(settings: Settings) -> None:
    """One kill, one join, one leave; partitions go on after each, and every edit has its command in the end."""
    found = await restart.measure(settings, ignored, long=False, load=Load(people=600, fields=5), tries=1)
    for name in restart.WORDS:
        assert found[name]["median_seconds"] == found[name]["seconds"][0] > 0
    assert found["killed"]["median_seconds"] > found["ready"]["median_seconds"]
    assert "kill -9" in shown(restart.tables(found))


async def test_growth(settings: Settings) -> None:
    """Each case is measured, whatever its people, partitions and workers; a warm store is as good as the changelog."""
    sizes = growth.Sizes((60, 120), [(1, 1), (2, 2)], Rounds(1, 30), small_batches=40)
    found = json.loads(json.dumps(await growth.measure(settings, ignored, long=False, sizes=sizes)))
    assert [row["people"] for row in found["people"]] == [60, 120]
    assert [(row["partitions"], row["workers"]) for row in found["partitions"]] == [(1, 1), (2, 2)]
    stores = [row[store] for row in found["people"] for store in ("memory", "rocksdb")]
    for rates in stores + found["partitions"]:
        assert rates["per_cpu_second"] > 0 and rates["cpu_microseconds_per_change"] > 0
    assert all(row["rocksdb"]["disk_bytes_per_person"] > 0 for row in found["people"])
    assert found["small_batches"]["start_seconds"] > 0
    assert found["per_edit"]["person.changes"]["messages"] == 2
    assert sum(found["per_edit"][f"{system}.commands"]["messages"] for system in ("dynamics", "marketo")) == 1
    assert "120" in shown(growth.tables(found))
    assert await gone(settings)


async def test_a_worker_that_gets_a_tenth_of_what_comes(settings: Settings) -> None:
    """For twenty seconds: it falls behind and says so, holds no more than it may, and works everything off."""
    size = overload.Size(Load(people=2_000), edits_per_second=2_000, seconds=20.0)
    found = json.loads(json.dumps(await overload.measure(settings, ignored, long=True, size=size)))
    assert found["edits"] == pytest.approx(40_000, rel=0.02)
    assert found["folded_per_second_throttled"] > 0
    assert found["lag_max"] > found["edits"] / 2
    assert found["memory"]["bounded"], found["memory"]
    said = found["health"]
    assert said["asked"] == said["answered"] == said["ready"] == said["lag_true"] == said["age_true"], said
    assert "waiting at most" in shown(overload.tables(found))
