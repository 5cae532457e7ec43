"""How long an edit takes to become a command: delays at a steady pace, far below what the worker can do.

`steady.py` says what a delay is and how the edits are made. With each pace stands what a batch of each agent took, from the
worker's own metrics, because that is what a delay consists of: an edit waits for the batch before its own, is handled and
committed by intake, and then the same again by sync; how many records such a batch had says whether they had to wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import Any

import aiohttp
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

from schemas.topics import PARTITIONS
from streams.agents import INTAKE, SYNC
from streams.bench.at_rest import PeopleAtRest, write_people_at_rest
from streams.bench.load import Load
from streams.bench.parts import Say
from streams.bench.stage import WorkerProcess, stage
from streams.bench.steady import SteadyStream, Told, edits_for, one_after_another, steady_stream
from streams.settings import Settings

WARM_UP_SECONDS, SECONDS, SECONDS_LONG = 3.0, 20.0, 60.0
BROKER_WARM_UP_SECONDS = 20.0
"""At the fastest pace, before anything is measured: a broker that was just started has yet to compile what it does, and
takes four times as long for a commit in its first ten seconds as in its fortieth."""
AIMS_MS: Mapping[int, tuple[int, int]] = {100: (20, 100), 1_000: (100, 300)}
"""Edits a second -> the median and the 99th percentile that are aimed at, in milliseconds."""


class Size(Struct, frozen=True):
    """How many people, which paces, and for how many seconds each."""

    load: Load = Load(people=10_000)
    paces: tuple[int, ...] = tuple(AIMS_MS)
    seconds: float = SECONDS
    broker_warm_up_seconds: float = BROKER_WARM_UP_SECONDS


async def measure(settings: Settings, say: Say, *, long: bool, size: Size | None = None) -> dict[str, Any]:
    """The delays at each pace."""
    size = size or Size(seconds=SECONDS_LONG if long else SECONDS)
    load = size.load
    async with stage(settings, load, PARTITIONS) as here:
        await write_people_at_rest(settings, load, range(load.people), PARTITIONS, say)
        worker = here.worker("latency-1")
        await worker.start()
        await worker.ready()
        people = PeopleAtRest(load, range(load.people))
        async with steady_stream(here, people, one_after_another(people)) as stream:
            say(f"latency: {size.broker_warm_up_seconds:.0f} s to warm the broker up")
            await edits_for(stream, max(size.paces), size.broker_warm_up_seconds)
            return {
                "people": load.people,
                "fields": load.fields,
                "seconds": size.seconds,
                "broker_warm_up_seconds": size.broker_warm_up_seconds,
                "paces": [await _at_pace(stream, worker, pace, size.seconds, say) for pace in size.paces],
            }


async def _at_pace(stream: SteadyStream, worker: WorkerProcess, pace: int, seconds: float, say: Say) -> dict[str, Any]:
    say(f"latency: {pace} edits a second")
    await edits_for(stream, pace, WARM_UP_SECONDS)
    shared, cpu_seconds, before = stream.shared, worker.cpu_seconds(), await _batches(worker)
    told = await edits_for(stream, pace, seconds)
    after = await _batches(worker)
    return {
        "edits_per_second_aimed_at": pace,
        "edits_per_second": round(len(told) / seconds),
        "edits": len(told),
        "shared": stream.shared - shared,
        **delays_ms(told),
        "aims": dict(zip(("p50_ms", "p99_ms"), AIMS_MS.get(pace, (None, None)), strict=True)),
        "batches": {agent: _mean(before[agent], after[agent]) for agent in (INTAKE, SYNC)},
        "worker_cores": round((worker.cpu_seconds() - cpu_seconds) / seconds, 2),
    }


def delays_ms(told: Sequence[Told]) -> dict[str, float]:
    """Milliseconds: median, percentiles and the longest."""
    found = sorted(each.delay_seconds * 1000 for each in told)
    cuts = quantiles(found, n=100, method="inclusive")
    return {
        "p50_ms": round(cuts[49], 1),
        "p90_ms": round(cuts[89], 1),
        "p99_ms": round(cuts[98], 1),
        "max_ms": round(found[-1], 1),
    }


Sums = dict[str, float]


async def _batches(worker: WorkerProcess) -> dict[str, Sums]:
    async with aiohttp.ClientSession() as session:
        return batch_sums(await worker.ask(session, "/metrics") or "")


def batch_sums(metrics: str) -> dict[str, Sums]:
    """By agent: how many batches, of how many records, and how many seconds of handling and of committing."""
    found: dict[str, Sums] = {
        agent: dict.fromkeys(("batches", "records", "handle", "commit"), 0.0) for agent in (INTAKE, SYNC)
    }
    for family in text_string_to_metric_families(metrics):
        for name, labels, value, *_ in family.samples:
            if name == "leadsync_batch_records_count":
                found[labels["agent"]]["batches"] += value
            elif name == "leadsync_batch_records_sum":
                found[labels["agent"]]["records"] += value
            elif name == "leadsync_batch_seconds_sum":
                found[labels["agent"]][labels["phase"]] += value
    return found


def _mean(before: Sums, after: Sums) -> dict[str, float]:
    """Of the batches in between."""
    batches = (after["batches"] - before["batches"]) or 1.0
    return {
        "records": round((after["records"] - before["records"]) / batches, 2),
        "handle_ms": round((after["handle"] - before["handle"]) / batches * 1000, 2),
        "commit_ms": round((after["commit"] - before["commit"]) / batches * 1000, 2),
    }


def tables(found: Mapping[str, Any]) -> list[Table]:
    """The same for people."""
    table = Table(
        title="from an edit to its command, nothing being in flight for its person",
        caption=(
            f"Milliseconds from the broker's time stamp of the edit until a reader of committed messages has the command; "
            f"{found['people']:,} people of {found['fields']} fields, {found['seconds']:.0f} s at each pace after {found['broker_warm_up_seconds']:.0f} s "
            "that warm the broker up, each command answered at once with its landing. A batch: its records, and the time until it was committed, as the worker itself counts."
        ),
        caption_justify="left",
    )
    headings = (
        "edits a second",
        "median",
        "aim",
        "99 %",
        "aim",
        "longest",
        "intake's batch",
        "sync's batch",
        "cores used",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for pace in found["paces"]:
        table.add_row(
            f"{pace['edits_per_second']:,}",
            f"{pace['p50_ms']:.1f}",
            _aim(pace["aims"]["p50_ms"]),
            f"{pace['p99_ms']:.1f}",
            _aim(pace["aims"]["p99_ms"]),
            f"{pace['max_ms']:.1f}",
            *(
                f"{batch['records']:.1f} in {batch['handle_ms'] + batch['commit_ms']:.1f} ms"
                for batch in (pace["batches"][INTAKE], pace["batches"][SYNC])
            ),
            f"{pace['worker_cores']:.2f}",
        )
    return [table]


def _aim(milliseconds: int | None) -> str:
    return "" if milliseconds is None else str(milliseconds)
