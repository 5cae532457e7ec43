"""What grows with people, partitions and workers, and what does not.

    people       for each number of people at rest: what they take in the changelogs and in a worker's memory; how long a
                 worker takes from its start until it is ready, with tables in memory, with an empty local store and with a
                 warm one; what a change costs
    partitions   what a change costs with so many partitions and workers

A change's cost is CPU time of the workers, all threads, over rounds as in the rates: some thousand people out of all, spread evenly
over them, have one field edited, and what that commands lands. The cases of a row take turns, round by round, so that a
machine that slows down slows them all; the first round of each is not counted. On two cores, two workers, the broker and the
one who plays both systems share them, so wall-clock rates of two workers say nothing of scaling, and none is claimed: what
can be read off is whether a change costs more CPU time when it is spread over more partitions and workers.

People are put to rest by `at_rest.py`: each state once and in large batches. That is what a changelog looks like right after a
compaction, and the least there is to read; deploy/sizing.md says how much more there can be.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from schemas.topics import PARTITIONS
from streams.bench.case import Case, Rounds, open_case
from streams.bench.load import Load
from streams.bench.parts import Say
from streams.settings import Settings

MEBIBYTE = 1_048_576
AIM_COLD_SECONDS, AIM_WARM_SECONDS, AIM_PEOPLE = 15.0, 2.0, 1_000_000


class Sizes(NamedTuple):
    """What is measured: people at rest, and (partitions, workers)."""

    people: Sequence[int] = (10_000, 100_000)
    shapes: Sequence[tuple[int, int]] = ((PARTITIONS, 1), (PARTITIONS, 2))
    of_edits: Rounds = Rounds(5, 10_000)
    small_batches: int = 100_000  # people whose states stand one to a batch


LONG = Sizes((10_000, 100_000, 1_000_000), [(partitions, workers) for partitions in (1, 2, 4, 8) for workers in (1, 2)])


async def measure(settings: Settings, say: Say, *, long: bool, sizes: Sizes | None = None) -> dict[str, Any]:
    """Both rows."""
    sizes = sizes or (LONG if long else Sizes())
    return {
        "fields": Load().fields,
        "edits": sizes.of_edits.edits,
        "rounds": sizes.of_edits.times,
        "aims": {"people": AIM_PEOPLE, "cold_seconds": AIM_COLD_SECONDS, "warm_seconds": AIM_WARM_SECONDS},
        **await _by_people(settings, sizes, say),
        "small_batches": await _small_batches(settings, sizes, say),
        "partitions": await _by_shape(settings, sizes, say),
    }


async def _taking_turns(cases: Sequence[Case], rounds: int, say: Say) -> None:
    for number in range(rounds + 1):
        say(f"growth: round {number} of {rounds}")
        for case in cases:
            await case.round(number)


# -- By people -----------------------------------------------------------------------------------------------------


async def _by_people(settings: Settings, sizes: Sizes, say: Say) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        empty = await open_case(stack, settings, 0, PARTITIONS, sizes.of_edits, say)
        found = {"start_seconds": round(await empty.start(1), 2), "resident_bytes": empty.resident_bytes}
        await empty.stop()
        cases, rows = [], []
        for people in sizes.people:
            say(f"growth: {people:,} people")
            case = await open_case(stack, settings, people, PARTITIONS, sizes.of_edits, say)
            local = ("--store", "rocksdb", "--data-folder", stack.enter_context(tempfile.TemporaryDirectory()))
            cases.append((case, local))
            rows.append(await _started(case, local) | {"empty": found})
        for store in ("memory", "rocksdb"):
            for case, local in cases:
                await case.start(1, *(local if store == "rocksdb" else ()))
            await _taking_turns([case for case, _ in cases], sizes.of_edits.times, say)
            for row, (case, _) in zip(rows, cases, strict=True):
                row[store] |= case.rates()
                await case.stop()
        return {"people": rows, "per_edit": _per_edit(cases[0][0])}


def _per_edit(case: Case) -> dict[str, Any]:
    """Messages and bytes by topic, of the two rounds that were not counted: one for each store."""
    edits = 2 * case.edits
    return {
        topic: {"messages": round(each.messages / edits, 2), "bytes": round(each.bytes / edits)}
        for topic, each in sorted(case.traffic.items())
    }


async def _started(case: Case, local: Sequence[str]) -> dict[str, Any]:
    """How long starts take, and what a worker holds after one."""
    first_seconds = await case.start(1, *local)
    await case.stop()
    warm_seconds = await case.start(1, *local)
    warm_bytes = case.resident_bytes
    await case.stop()
    cold_seconds = await case.start(1)
    cold_bytes = case.resident_bytes
    await case.stop()
    return {
        "people": case.people,
        "bytes_per_person": {table: round(size / case.people, 1) for table, size in case.written.items()},
        "memory": {"start_seconds": round(cold_seconds, 2), "resident_bytes": cold_bytes},
        "rocksdb": {
            "first_start_seconds": round(first_seconds, 2),
            "warm_start_seconds": round(warm_seconds, 2),
            "resident_bytes": warm_bytes,
            "disk_bytes_per_person": round(_size_of(Path(local[-1])) / case.people),
        },
    }


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


async def _small_batches(settings: Settings, sizes: Sizes, say: Say) -> dict[str, Any]:
    """A start from changelogs of single records: as a trickle of edits leaves them, but for markers of transactions."""
    people = sizes.small_batches
    say(f"growth: {people:,} people, one to a batch")
    async with AsyncExitStack() as stack:
        own = replace(settings, prefix=f"{settings.prefix}small.")
        case = await open_case(stack, own, people, PARTITIONS, sizes.of_edits, say, batch_records=1)
        return {"people": people, "start_seconds": round(await case.start(1), 2)}


# -- By partitions and workers -------------------------------------------------------------------------------------


async def _by_shape(settings: Settings, sizes: Sizes, say: Say) -> list[dict[str, Any]]:
    people = min(sizes.people)
    async with AsyncExitStack() as stack:
        cases = []
        for partitions, workers in sizes.shapes:
            say(f"growth: {partitions} partitions, {workers} workers")
            own = replace(settings, prefix=f"{settings.prefix}w{workers}.")
            case = await open_case(stack, own, people, partitions, sizes.of_edits, say)
            await case.start(workers)
            cases.append(case)
        await _taking_turns(cases, sizes.of_edits.times, say)
        return [
            {"partitions": partitions, "workers": workers, **case.rates()}
            for (partitions, workers), case in zip(sizes.shapes, cases, strict=True)
        ]


# -- For people ----------------------------------------------------------------------------------------------------


def tables(found: Mapping[str, Any]) -> list[Table]:
    """The same for people."""
    return [_people_table(found), _shapes_table(found), _traffic_table(found)]


def _people_table(found: Mapping[str, Any]) -> Table:
    aims = found["aims"]
    table = Table(
        title="one worker with all people",
        caption=(
            f"People of {found['fields']} fields at rest, each state once in its changelog. A start is from the start of the process "
            f"until it is ready; aims for {aims['people']:,} people: {aims['cold_seconds']:.0f} s from the changelog, "
            f"{aims['warm_seconds']:.0f} s with a warm local store. {found['small_batches']['people']:,} people whose states stand "
            f"one to a batch: {found['small_batches']['start_seconds']:.1f} s. {_of_rounds(found)}"
        ),
        caption_justify="left",
    )
    for heading in ("people", "changelog", "tables", "memory", "on disk", "start", "with a warm store", "CPU a change"):
        table.add_column(heading, justify="right")
    for row in found["people"]:
        memory, local = row["memory"], row["rocksdb"]
        table.add_row(
            f"{row['people']:,}",
            f"{sum(row['bytes_per_person'].values()):.0f} B each",
            "in memory",
            f"{memory['resident_bytes'] / MEBIBYTE:,.0f} MiB",
            "",
            f"{memory['start_seconds']:.1f} s",
            "",
            f"{memory['cpu_microseconds_per_change']:.0f} µs",
        )
        table.add_row(
            "",
            "",
            "in RocksDB",
            f"{local['resident_bytes'] / MEBIBYTE:,.0f} MiB",
            f"{local['disk_bytes_per_person']} B each",
            f"{local['first_start_seconds']:.1f} s",
            f"{local['warm_start_seconds']:.1f} s",
            f"{local['cpu_microseconds_per_change']:.0f} µs",
        )
    return table


def _shapes_table(found: Mapping[str, Any]) -> Table:
    table = Table(
        title="partitions and workers",
        caption=f"The workers' CPU time together. On two cores nothing is claimed of wall-clock time. {_of_rounds(found)}",
        caption_justify="left",
    )
    for heading in ("partitions", "workers", "changes a CPU-second", "CPU a change"):
        table.add_column(heading, justify="right")
    for row in found["partitions"]:
        table.add_row(
            str(row["partitions"]),
            str(row["workers"]),
            f"{row['per_cpu_second']:,}",
            f"{row['cpu_microseconds_per_change']:.0f} µs",
        )
    return table


def _traffic_table(found: Mapping[str, Any]) -> Table:
    table = Table(
        title="what an edit and its landing leave on the broker",
        caption="Keys, values and headers, uncompressed, without what Kafka adds; topics without the prefix.",
        caption_justify="left",
    )
    for heading in ("topic", "messages", "bytes"):
        table.add_column(heading, justify="left" if heading == "topic" else "right")
    for topic, each in found["per_edit"].items():
        table.add_row(topic, f"{each['messages']:.2f}", f"{each['bytes']:,}")
    return table


def _of_rounds(found: Mapping[str, Any]) -> str:
    return f"Medians of {found['rounds']} rounds of {found['edits']:,} edits, landings counted too."
