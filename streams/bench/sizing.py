"""`python -m streams.bench.sizing`: the figures and worked examples of deploy/sizing.md, from deploy/measured.json.

The rules are here, as arithmetic, and explained there in words; what was measured stands in the JSON object that
`leadsync bench --json` printed. So a new measurement is two commands, and no number of the page is typed by hand:

    leadsync bench --part latency --part restart --part growth --part overload --long --json > deploy/measured.json
    python -m streams.bench.sizing            rewrites what stands between the markers;  --check: fails where that differs
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from streams.bench.known_records import known_bytes
from streams.topics import CHANGELOG_SEGMENT_BYTES

DEPLOY = Path(__file__).parents[2] / "deploy"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"

MIB, GIB = 1_048_576, 1_073_741_824
DAY_SECONDS = 86_400
BY_TIME_DAYS = 14

# -- The rules -----------------------------------------------------------------------------------------------------

PEAK = 10
"""The busiest minutes have so many times the day's mean."""
BUSY_SHARE = 0.5
"""So much of a core a worker may need at peak: what is left works off a backlog."""
PEOPLE_PER_WORKER: Mapping[str, int] = {"memory": 1_000_000, "rocksdb": 10_000_000}
PARTITIONS_PER_WORKER, PARTITIONS_LEAST = 4, 4
"""The number of partitions is chosen once: room for four times as many workers, in powers of two."""
UNCOMPACTED = 2
"""A compacted topic is compacted anew when half of it could go (Kafka's min.cleanable.dirty.ratio, 0.5)."""
TABLES = 3
LONE_BYTES = 61 + 78
"""What Kafka adds to a message alone in its transaction: a batch's head and a marker
(https://kafka.apache.org/documentation/#messageformat)."""
LONE_EDIT_BYTES = 5 * LONE_BYTES
"""Of an edit that comes alone: it and its landing take four transactions, which write to five partitions in all."""
RECORD_TOPICS = 2
SEGMENT_BYTES, SEGMENT_DAYS = GIB, 7
"""What the last segment of such a topic, never compacted, grows to: Kafka's defaults, whichever comes first."""


class Figures(NamedTuple):
    """What was measured; bytes, and seconds."""

    changelog_per_person: float
    log_per_edit: float
    by_time_per_edit: float
    changes_per_edit: float
    base_memory: float
    batches_memory: float
    memory_per_person: Mapping[str, float]  # by store
    disk_per_person: float
    cpu_per_change: Mapping[str, float]  # by store
    start_per_person: Mapping[str, float]  # by store: read from the changelog
    empty_start: float


def figures_of(measured: Mapping[str, Any]) -> Figures:
    """Of the most people that were measured; what is per person, from the difference to a worker without any."""
    growth, overload = measured["growth"], measured["overload"]
    most = max(growth["people"], key=lambda row: row["people"])
    people, empty = most["people"], most["empty"]
    starts = {"memory": most["memory"]["start_seconds"], "rocksdb": most["rocksdb"]["first_start_seconds"]}
    per_edit = growth["per_edit"]
    by_time = [name for name in per_edit if name.endswith((".changes", ".commands")) and name != "person.changes"]
    return Figures(
        changelog_per_person=sum(most["bytes_per_person"].values()),
        log_per_edit=per_edit["person.changes"]["bytes"],
        by_time_per_edit=sum(per_edit[name]["bytes"] for name in by_time),
        changes_per_edit=per_edit["person.changes"]["messages"],
        base_memory=empty["resident_bytes"],
        batches_memory=overload["memory"]["resident_bytes_max"] - overload["memory"]["resident_bytes_before"],
        memory_per_person={
            store: (most[store]["resident_bytes"] - empty["resident_bytes"]) / people for store in starts
        },
        disk_per_person=most["rocksdb"]["disk_bytes_per_person"],
        cpu_per_change={store: most[store]["cpu_microseconds_per_change"] / 1e6 for store in starts},
        start_per_person={store: (seconds - empty["start_seconds"]) / people for store, seconds in starts.items()},
        empty_start=empty["start_seconds"],
    )


class Demand(NamedTuple):
    """What is to be run. `copies`: of each message, on the broker."""

    people: int
    edits_a_day: int
    store: str
    copies: int = 3


class Plan(NamedTuple):
    """What that takes; `memory`, `disk` and `start_seconds` are of one worker, the rest of the cluster, copies included."""

    changes_at_peak: float
    workers: int
    partitions: int
    memory: float
    disk: float
    start_seconds: float
    changelogs: float
    log_a_year: float
    by_time: float
    records: float


def plan_for(demand: Demand, figures: Figures) -> Plan:
    """The rules, applied."""
    people, edits_a_day, store, copies = demand
    changes_at_peak = figures.changes_per_edit * PEAK * edits_a_day / DAY_SECONDS
    for_speed = ceil(changes_at_peak * figures.cpu_per_change[store] / BUSY_SHARE)
    workers = max(1, for_speed, ceil(people / PEOPLE_PER_WORKER[store]))
    partitions = power_of_two(max(PARTITIONS_LEAST, PARTITIONS_PER_WORKER * workers))
    each = people / workers
    # The worst there is to read: half of each changelog could go, and its last segments are full.
    unread = UNCOMPACTED + TABLES * CHANGELOG_SEGMENT_BYTES * partitions / workers / (
        each * figures.changelog_per_person
    )
    last_segments = min(
        SEGMENT_DAYS * edits_a_day * (known_bytes() + RECORD_TOPICS * LONE_BYTES),
        RECORD_TOPICS * partitions * SEGMENT_BYTES,
    )
    return Plan(
        changes_at_peak,
        workers,
        partitions,
        figures.base_memory + figures.batches_memory + each * figures.memory_per_person[store],
        UNCOMPACTED * each * figures.disk_per_person if store == "rocksdb" else 0.0,
        figures.empty_start + each * figures.start_per_person[store] * unread,
        copies * (UNCOMPACTED * people * figures.changelog_per_person + TABLES * partitions * CHANGELOG_SEGMENT_BYTES),
        copies * 365 * edits_a_day * (figures.log_per_edit + LONE_EDIT_BYTES),
        copies * BY_TIME_DAYS * edits_a_day * (figures.by_time_per_edit + LONE_EDIT_BYTES),
        copies * (UNCOMPACTED * people * known_bytes() + last_segments),
    )


def power_of_two(least: int) -> int:
    """The first that is not smaller."""
    return 1 << (least - 1).bit_length()


# -- The page ------------------------------------------------------------------------------------------------------

EXAMPLES = (
    Demand(10_000, 5_000, "memory", copies=1),
    Demand(1_000_000, 200_000, "memory"),
    Demand(1_000_000, 200_000, "rocksdb"),
    Demand(10_000_000, 2_000_000, "rocksdb"),
    Demand(100_000_000, 20_000_000, "rocksdb"),
    Demand(1_000_000_000, 200_000_000, "rocksdb"),
)


def page_part(measured: Mapping[str, Any]) -> str:
    """What stands between the markers."""
    figures = figures_of(measured)
    blocks = [
        _machine(measured),
        _people(measured),
        _shapes(measured),
        _times(measured),
        _used(figures),
        _examples(figures),
    ]
    return "\n\n".join([BEGIN, *blocks, END])


def _machine(measured: Mapping[str, Any]) -> str:
    machine = measured["machine"]
    kafka = f", Kafka {machine['kafka']}" if machine["kafka"] else ""
    return f"Measured on {machine['cores']} cores, Python {machine['python']}{kafka}; {measured['growth']['fields']} fields a person."


def _people(measured: Mapping[str, Any]) -> str:
    rows = []
    for row in measured["growth"]["people"]:
        memory, local = row["memory"], row["rocksdb"]
        rows.append(
            (
                f"{row['people']:,}",
                f"{sum(row['bytes_per_person'].values()):.0f} B",
                f"{memory['resident_bytes'] / MIB:,.0f} MiB",
                f"{memory['start_seconds']:.1f} s",
                f"{memory['cpu_microseconds_per_change']:.0f} µs",
                f"{local['resident_bytes'] / MIB:,.0f} MiB",
                f"{local['disk_bytes_per_person']} B",
                f"{local['first_start_seconds']:.1f} s",
                f"{local['warm_start_seconds']:.1f} s",
                f"{local['cpu_microseconds_per_change']:.0f} µs",
            )
        )
    heads = ("people", "changelogs, each", "in memory: resident", "start", "CPU a change", "in RocksDB: resident",
             "disk, each", "first start", "warm start", "CPU a change")  # fmt: skip
    return f"People of one worker (`--part growth`):\n\n{_table(heads, rows)}"


def _shapes(measured: Mapping[str, Any]) -> str:
    rows = [
        (str(row["partitions"]), str(row["workers"]), f"{row['per_cpu_second']:,}")
        for row in measured["growth"]["partitions"]
    ]
    heads = ("partitions", "workers", "changes a CPU-second of the workers")
    return f"Partitions and workers (`--part growth`):\n\n{_table(heads, rows)}"


def _times(measured: Mapping[str, Any]) -> str:
    rows = [
        (f"an edit until its command, at {pace['edits_per_second']:,} edits a second",
         f"median {pace['p50_ms']:.0f} ms, 99 % {pace['p99_ms']:.0f} ms", "`--part latency`")
        for pace in measured["latency"]["paces"]
    ]  # fmt: skip
    for name, words in (
        ("killed", "a partition stands still: worker killed, started again"),
        ("left", "likewise: a worker stops"),
        ("joined", "likewise: a worker joins"),
    ):
        rows.append((words, f"{measured['restart'][name]['median_seconds']:.2f} s", "`--part restart`"))
    small = measured["growth"]["small_batches"]
    rows.append(
        (
            f"a start with {small['people']:,} people whose states stand one to a batch",
            f"{small['start_seconds']:.1f} s",
            "`--part growth`",
        )
    )
    overload = measured["overload"]
    rows.append(
        (f"memory on top, with {overload['lag_max']:,} changes waiting",
         f"{(overload['memory']['resident_bytes_max'] - overload['memory']['resident_bytes_before']) / MIB:,.0f} MiB",
         "`--part overload`")
    )  # fmt: skip
    return _table(("", "", "command: `leadsync bench`"), rows)


def _used(figures: Figures) -> str:
    rows = [
        ("a person in the changelogs, once", f"{figures.changelog_per_person:.0f} B"),
        ("an edit in `person.changes`, its landing included", f"{figures.log_per_edit:,.0f} B"),
        ("an edit in the changes and commands of both systems", f"{figures.by_time_per_edit:,.0f} B"),
        ("a person in `marketo.records` and `dynamics.records`, once (computed from the contract)", f"{known_bytes()} B"),
        ("what Kafka adds to an edit that comes alone", f"{LONE_EDIT_BYTES} B"),
        ("a worker with nobody", f"{figures.base_memory / MIB:.0f} MiB, {figures.empty_start:.1f} s to start"),
        ("its batches and fetches, at most", f"{figures.batches_memory / MIB:.0f} MiB"),
        ("a person in memory", f"{figures.memory_per_person['memory']:,.0f} B"),
        ("a person in RocksDB: memory, disk", f"{figures.memory_per_person['rocksdb']:.0f} B, {figures.disk_per_person:.0f} B"),
        ("reading a million people into memory, into RocksDB",
         f"{figures.start_per_person['memory'] * 1e6:.1f} s, {figures.start_per_person['rocksdb'] * 1e6:.1f} s"),
        ("CPU of a change, in memory and in RocksDB",
         f"{figures.cpu_per_change['memory'] * 1e6:.0f} µs, {figures.cpu_per_change['rocksdb'] * 1e6:.0f} µs"),
    ]  # fmt: skip
    return f"What the rules use (`--part growth`, the row of the most people; batches: `--part overload`):\n\n{_table(('', ''), rows)}"


def _examples(figures: Figures) -> str:
    rows = []
    for demand in EXAMPLES:
        plan = plan_for(demand, figures)
        rows.append(
            (
                f"{demand.people:,}",
                f"{demand.edits_a_day:,}",
                demand.store,
                f"{plan.changes_at_peak:,.0f}",
                str(plan.workers),
                str(plan.partitions),
                _bytes(plan.memory),
                _bytes(plan.disk) if plan.disk else "none",
                f"{plan.start_seconds:,.0f} s",
                f"{demand.copies} × {_bytes(plan.changelogs / demand.copies)}",
                f"{demand.copies} × {_bytes(plan.log_a_year / demand.copies)}",
                f"{demand.copies} × {_bytes(plan.by_time / demand.copies)}",
                f"{demand.copies} × {_bytes(plan.records / demand.copies)}",
            )
        )
    heads = ("people", "edits a day", "tables", "changes/s at peak", "workers", "partitions", "memory of each",
             "disk of each", "start, at worst", "changelogs", "`person.changes` a year", f"changes and commands, {BY_TIME_DAYS} days", "`*.records`")  # fmt: skip
    return f"Worked examples:\n\n{_table(heads, rows)}"


def _bytes(size: float) -> str:
    for unit, name in ((1024 * GIB, "TiB"), (GIB, "GiB"), (MIB, "MiB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}" if size < 10 * unit else f"{size / unit:,.0f} {name}"
    return f"{size / 1024:,.0f} KiB"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def with_part(page: str, part: str) -> str:
    """The page with this between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + part + after


def main() -> int:
    """Write the page, or say that it differs."""
    page, measured = DEPLOY / "sizing.md", json.loads((DEPLOY / "measured.json").read_text(encoding="utf-8"))
    former = page.read_text(encoding="utf-8")
    wanted = with_part(former, page_part(measured))
    if "--check" in sys.argv[1:]:
        return int(former != wanted)
    page.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
