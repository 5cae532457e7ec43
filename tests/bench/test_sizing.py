"""The sizing page: its arithmetic, and that it says what was measured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.topics import TOPICS
from streams.bench.known_records import known_bytes
from streams.bench.sizing import (
    BEGIN,
    DEPLOY,
    END,
    EXAMPLES,
    GIB,
    MIB,
    Demand,
    Figures,
    figures_of,
    page_part,
    plan_for,
    power_of_two,
    with_part,
)
from streams.topics import CHANGELOG_SEGMENT_BYTES

ROUND = Figures(
    changelog_per_person=1_000.0,
    log_per_edit=2_000.0,
    by_time_per_edit=3_000.0,
    changes_per_edit=2.0,
    base_memory=100 * MIB,
    batches_memory=200 * MIB,
    memory_per_person={"memory": 1_000.0, "rocksdb": 100.0},
    disk_per_person=500.0,
    cpu_per_change={"memory": 0.0001, "rocksdb": 0.0002},
    start_per_person={"memory": 0.00001, "rocksdb": 0.00002},
    empty_start=1.0,
)


def measured() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "measured.json").read_text(encoding="utf-8"))
    return found


def test_the_page_says_what_was_measured() -> None:
    """After a measurement, `python -m streams.bench.sizing` writes it anew."""
    page = (DEPLOY / "sizing.md").read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert page == with_part(page, page_part(measured())), "run `python -m streams.bench.sizing`"


def test_a_part_takes_the_place_of_the_former_one_only() -> None:
    """What people wrote around it stays."""
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_part(page, f"{BEGIN}\nnew\n{END}") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_workers_are_enough_for_the_peak_and_for_the_people() -> None:
    """Half a core at peak each; a million people in memory each. The greater of the two decides."""
    by_rate = plan_for(Demand(1_000, 43_200_000, "memory"), ROUND)
    assert (by_rate.changes_at_peak, by_rate.workers) == (10_000.0, 2)
    by_people = plan_for(Demand(3_500_000, 1_000, "memory"), ROUND)
    assert by_people.workers == 4
    assert plan_for(Demand(3_500_000, 1_000, "rocksdb"), ROUND).workers == 1


@pytest.mark.parametrize(("workers", "partitions"), [(1, 4), (2, 8), (3, 16), (100, 512)])
def test_partitions_leave_room_for_four_times_the_workers(workers: int, partitions: int) -> None:
    """Their number is chosen once."""
    plan = plan_for(Demand(workers * 1_000_000, 1, "memory"), ROUND)
    assert (plan.workers, plan.partitions) == (workers, partitions)


def test_what_one_worker_needs() -> None:
    """Memory: itself, its batches, its people. Disk, with RocksDB: its people twice."""
    in_memory = plan_for(Demand(1_000_000, 1, "memory"), ROUND)
    assert in_memory.memory == 300 * MIB + 1_000_000_000
    assert in_memory.disk == 0
    assert plan_for(Demand(1_000_000, 1, "rocksdb"), ROUND).disk == 1_000_000_000


def test_the_worst_start_reads_people_twice_and_every_last_segment() -> None:
    """Of three tables in four partitions."""
    plan = plan_for(Demand(1_000_000, 1, "memory"), ROUND)
    bytes_read = 2 * 1_000_000_000 + 12 * CHANGELOG_SEGMENT_BYTES
    assert plan.start_seconds == pytest.approx(1.0 + 10.0 * bytes_read / 1_000_000_000)


def test_topics_grow_with_people_or_with_edits_and_with_copies() -> None:
    """Changelogs with people; the log for ever and the others for fourteen days with edits."""
    plan = plan_for(Demand(1_000_000, 1_000, "memory", copies=3), ROUND)
    assert plan.changelogs == 3 * (2 * 1_000_000_000 + 12 * CHANGELOG_SEGMENT_BYTES)
    assert plan.log_a_year == 3 * 365 * 1_000 * (2_000 + 695)
    assert plan.by_time == 3 * 14 * 1_000 * (3_000 + 695)
    assert plan_for(Demand(1_000_000, 1_000, "memory", copies=1), ROUND).log_a_year == plan.log_a_year / 3


def test_what_the_connectors_know_is_a_message_for_each_record() -> None:
    """At most twice, and the last segments: a week of edits, or a gigabyte for each partition of two topics."""
    few, many = (plan_for(Demand(1_000, edits, "memory", copies=3), ROUND) for edits in (10, 10**8))
    assert few.records == 3 * (2 * 1_000 * known_bytes() + 7 * 10 * (known_bytes() + 2 * 139))
    assert many.records == 3 * (2 * 1_000 * known_bytes() + 2 * many.partitions * GIB)
    assert 500 < known_bytes() < 1_000


def test_every_topic_is_counted_or_named_as_left_out() -> None:
    """One that is added must be sized too."""
    page = (DEPLOY / "sizing.md").read_text(encoding="utf-8")
    counted = {"person.changes", *(name for name in TOPICS if name.endswith((".changes", ".background", ".commands")))}
    said = {name for name in TOPICS if f"`{name}`" in page or f"`*.{name.partition('.')[2]}`" in page}
    assert TOPICS.keys() == counted | said


def test_figures_are_of_the_row_with_most_people() -> None:
    """What is per person is the difference to a worker without any, spread over them."""
    found = measured()
    most = found["growth"]["people"][-1]
    figures = figures_of({**found, "growth": {**found["growth"], "people": found["growth"]["people"][::-1]}})
    assert figures == figures_of(found)
    held = most["memory"]["resident_bytes"] - most["empty"]["resident_bytes"]
    assert figures.memory_per_person["memory"] * most["people"] == pytest.approx(held)


@pytest.mark.parametrize(("least", "found"), [(1, 1), (4, 4), (5, 8), (400, 512)])
def test_powers_of_two(least: int, found: int) -> None:
    """The first that is enough."""
    assert power_of_two(least) == found


def test_examples_go_up_to_a_billion_people_and_no_worker_of_them_is_large() -> None:
    """The rules spread people, so memory and disk of one worker do not grow with their number."""
    assert max(demand.people for demand in EXAMPLES) == 1_000_000_000
    figures = figures_of(measured())
    assert all(plan_for(demand, figures).memory < 4 * GIB for demand in EXAMPLES)
