"""What a scrape shows is the table of metrics, no more and no less, and says what the table says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from streams.lane.observer import SILENT_SECONDS, BatchDone
from streams.metric_table import BATCH_SECONDS, LABEL_VALUES, METRICS, MetricSpec
from streams.metrics import Histogram, Metrics, TableCollector, UnlistedMetricError, family_of
from streams.tally import Tally

UNITS = {
    "changes",
    "collisions",
    "errors",
    "messages",
    "offsets",
    "ratio",
    "records",
    "seconds",
    "workers",
}
HELD = ("person.changes", 2)
MINUTE = 60.0


class Clock:
    """A wall clock that stands still until told."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


def batch(**changed: Any) -> BatchDone:
    """A committed batch of `sync`, all its records a minute old when the clock starts."""
    usual: dict[str, Any] = {
        "agent": "sync",
        "topic": HELD[0],
        "partition": HELD[1],
        "records": 3,
        "handle_seconds": 0.002,
        "commit_seconds": 0.02,
        "oldest_timestamp_ms": 1_699_999_900_000,
        "newest_timestamp_ms": 1_699_999_940_000,
        "outputs": {"marketo.commands": 2, "activity-log": 1},
        "table_writes": 3,
    }
    return BatchDone(**usual | changed)


def busy() -> Metrics:
    """The metrics of a worker to which everything has happened once."""
    tally = Tally(core_seconds=1.5, core_changes=1)
    tally.changes_in["marketo"] += 7
    tally.effects["repeat"] += 1
    tally.collisions["contact", "dynamics"] += 2
    tally.errors_opened["dynamics"] += 3
    tally.errors_closed["dynamics"] += 1
    tally.errors_open[2] += 2
    tally.rejections["wrong_key"] += 1
    metrics = Metrics(tally, Clock())
    metrics.assigned({HELD})
    metrics.recovery("people", 2, loaded=40, position=50, end=200)
    metrics.ready(True)
    metrics.batch_done(batch())
    metrics.lag({HELD: 9})
    return metrics


def shown(metrics: Metrics) -> Mapping[str, float]:
    """Every sample of a scrape, by its name and labels as Prometheus writes them."""
    return {
        line(sample.name, sample.labels): sample.value
        for family in parse_text(generate_latest(metrics.registry).decode())
        for sample in family.samples
    }


def line(name: str, labels: Mapping[str, str]) -> str:
    return name + (f"{{{','.join(f'{label}={value}' for label, value in sorted(labels.items()))}}}" if labels else "")


# -- The table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", METRICS.values(), ids=lambda spec: spec.name)
def test_each_metric_keeps_the_conventions_of_prometheus(spec: MetricSpec) -> None:
    """A counter ends in _total, base units end the name, a unit is one of few words, a meaning is a sentence."""
    assert spec.name.startswith("leadsync_")
    assert spec.name.endswith("_total") == (spec.kind == "counter")
    assert ("seconds" in spec.name) == (spec.unit == "seconds")
    assert spec.unit in UNITS
    assert spec.meaning.endswith(".")
    assert bool(spec.buckets) == (spec.kind == "histogram")
    assert list(spec.buckets) == sorted(set(spec.buckets))


def test_a_scrape_shows_exactly_the_table() -> None:
    """In both formats: every metric with its kind, its meaning, its labels and at least one value, and no other."""
    registry = busy().registry
    for families in (
        list(parse_text(generate_latest(registry).decode())),
        list(parse_openmetrics(openmetrics.generate_latest(registry).decode())),
    ):
        by_name = {family.name + ("_total" if family.type == "counter" else ""): family for family in families}
        assert by_name.keys() == METRICS.keys()
        for name, spec in METRICS.items():
            family = by_name[name]
            assert (family.type, family.documentation) == (spec.kind, spec.meaning)
            assert {frozenset(sample.labels.keys() - {"le"}) for sample in family.samples} == {frozenset(spec.labels)}


def test_openmetrics_tells_the_units_that_names_end_in() -> None:
    """Its parser refuses a unit that the name does not end in, so the other units stand in our table alone."""
    units = {
        family.name: family.unit
        for family in parse_openmetrics(openmetrics.generate_latest(busy().registry).decode())
        if family.unit
    }
    assert units["leadsync_core_seconds"] == "seconds"
    assert units["leadsync_lag_offsets"] == "offsets"
    assert "leadsync_ready" not in units


def test_a_metric_outside_the_table_cannot_be_exposed() -> None:
    """Neither one that only the code knows, nor one that only the table knows."""
    known = {"leadsync_ready": METRICS["leadsync_ready"]}
    with pytest.raises(UnlistedMetricError, match="leadsync_secret"):
        TableCollector(known, {"leadsync_ready": lambda: {(): 1}, "leadsync_secret": lambda: {(): 1}})
    with pytest.raises(UnlistedMetricError, match="leadsync_ready"):
        TableCollector(known, {})


def test_a_label_outside_the_table_cannot_be_exposed() -> None:
    """A value under more or fewer labels than listed is refused by name."""
    with pytest.raises(UnlistedMetricError, match="leadsync_lag_offsets"):
        family_of(METRICS["leadsync_lag_offsets"], {("topic", 1, "more"): 1})


def test_the_global_registry_is_left_alone() -> None:
    """Two workers in one process, as in a test, do not meet in a registry that nobody passed them."""
    first, second = busy(), Metrics(Tally())
    assert shown(first) != shown(second)
    assert b"leadsync" not in generate_latest(prometheus_client.REGISTRY)


# -- Counts --------------------------------------------------------------------------------------------------------


def test_counters_whose_labels_are_known_begin_at_nought() -> None:
    """Else Prometheus would not see their first event, which is the one that an alert is about."""
    samples = shown(Metrics(Tally()))
    for reason in LABEL_VALUES["reason"]:
        assert samples[f"leadsync_rejections_total{{reason={reason}}}"] == 0
    assert samples["leadsync_collisions_total{record_type=lead,winner=marketo}"] == 0
    assert samples["leadsync_core_seconds_total"] == 0


def test_what_the_agents_tallied_is_shown_as_it_stands_at_the_scrape() -> None:
    """Nothing is copied beforehand: a count made after the first scrape is in the second."""
    tally = Tally()
    metrics = Metrics(tally)
    assert shown(metrics)["leadsync_changes_in_total{system=marketo}"] == 0
    tally.changes_in["marketo"] += 5
    assert shown(metrics)["leadsync_changes_in_total{system=marketo}"] == 5


def test_every_count_of_the_tally_reaches_its_metric() -> None:
    """Each under its own labels."""
    samples = shown(busy())
    assert samples["leadsync_changes_in_total{system=marketo}"] == 7
    assert samples["leadsync_changes_folded_total{effect=repeat}"] == 1
    assert samples["leadsync_collisions_total{record_type=contact,winner=dynamics}"] == 2
    assert samples["leadsync_sync_errors_opened_total{system=dynamics}"] == 3
    assert samples["leadsync_sync_errors_closed_total{system=dynamics}"] == 1
    assert samples["leadsync_sync_errors_open{partition=2}"] == 2
    assert samples["leadsync_rejections_total{reason=wrong_key}"] == 1
    assert samples["leadsync_core_seconds_total"] == 1.5
    assert samples[f"leadsync_build_info{{version={version('leadsync')}}}"] == 1


def test_committed_batches_count_outputs_sizes_and_times() -> None:
    """Two batches of one agent add up; a batch of fifty records is in the bucket of fifty."""
    metrics = busy()
    metrics.batch_done(batch(records=50, outputs={"marketo.commands": 5}))
    samples = shown(metrics)
    assert samples["leadsync_outputs_total{topic=marketo.commands}"] == 7
    assert samples["leadsync_outputs_total{topic=activity-log}"] == 1
    assert samples["leadsync_batch_records_sum{agent=sync}"] == 53
    assert samples["leadsync_batch_records_bucket{agent=sync,le=20.0}"] == 1
    assert samples["leadsync_batch_records_bucket{agent=sync,le=50.0}"] == 2
    assert samples["leadsync_batch_seconds_count{agent=sync,phase=commit}"] == 2
    assert samples["leadsync_batch_seconds_sum{agent=sync,phase=handle}"] == pytest.approx(0.004)


@given(st.lists(st.floats(min_value=0, max_value=20, allow_nan=False) | st.sampled_from(BATCH_SECONDS)))
def test_our_histogram_counts_as_that_of_prometheus_client_does(values: list[float]) -> None:
    """Buckets, count and sum, at the bounds too."""
    registry = CollectorRegistry()
    theirs = prometheus_client.Histogram(
        "leadsync_batch_seconds", "theirs", ["agent", "phase"], buckets=BATCH_SECONDS, registry=registry
    ).labels("sync", "handle")
    ours = Histogram(BATCH_SECONDS)
    for value in values:
        theirs.observe(value)
        ours.observe(value)
    samples = family_of(METRICS["leadsync_batch_seconds"], {("sync", "handle"): ours}).samples
    expected = [sample for family in registry.collect() for sample in family.samples]
    assert {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples} == {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for sample in expected
        if not sample.name.endswith("_created")
    }


# -- Lag and age ---------------------------------------------------------------------------------------------------

LAG = "leadsync_lag_offsets{partition=2,topic=person.changes}"
AGE = "leadsync_oldest_unprocessed_age_seconds{partition=2,topic=person.changes}"


def held() -> tuple[Metrics, Clock]:
    """A worker that was just given its partition."""
    clock = Clock()
    metrics = Metrics(Tally(), clock)
    metrics.assigned({HELD})
    return metrics, clock


def test_without_a_report_there_is_no_lag_to_show() -> None:
    """Unknown is not nought."""
    metrics, _ = held()
    assert not {LAG, AGE} & shown(metrics).keys()


def test_without_lag_nothing_is_old() -> None:
    """However long ago the last change came."""
    metrics, clock = held()
    metrics.batch_done(batch())
    metrics.lag({HELD: 0})
    clock.seconds += 60 * MINUTE
    samples = shown(metrics)
    assert (samples[LAG], samples[AGE]) == (0, 0)


def test_a_backlog_is_as_old_as_what_was_committed_last() -> None:
    """What waits came after it; and it grows older from scrape to scrape while nothing is committed."""
    metrics, clock = held()
    metrics.batch_done(batch())
    metrics.lag({HELD: 9})
    assert shown(metrics)[AGE] == MINUTE
    clock.seconds += MINUTE
    assert shown(metrics)[AGE] == 2 * MINUTE
    metrics.batch_done(batch(newest_timestamp_ms=int((clock.seconds - 5) * 1000)))
    assert shown(metrics)[AGE] == 5


def test_a_change_after_a_quiet_hour_is_not_an_hour_old() -> None:
    """The partition was seen without lag a second ago, so it cannot have waited longer."""
    metrics, clock = held()
    metrics.batch_done(batch())
    for _ in range(60):
        clock.seconds += MINUTE
        metrics.lag({HELD: 0})
    clock.seconds += 1
    metrics.lag({HELD: 1})
    assert shown(metrics)[AGE] == 1


def test_before_the_first_batch_a_backlog_ages_from_the_assignment() -> None:
    """A worker that commits nothing at all shows it, even though the records' own times are not known yet."""
    metrics, clock = held()
    metrics.lag({HELD: 9})
    clock.seconds += 10 * MINUTE
    assert shown(metrics)[AGE] == 10 * MINUTE


def test_a_record_without_a_time_is_as_old_as_one_that_has_not_been_fetched() -> None:
    """And not from 1969."""
    metrics, clock = held()
    clock.seconds += MINUTE
    metrics.batch_done(batch(oldest_timestamp_ms=-1, newest_timestamp_ms=-1))
    metrics.lag({HELD: 1})
    metrics.oldest({HELD: -1})
    assert shown(metrics)[AGE] == MINUTE


def test_a_record_from_a_clock_that_is_ahead_is_not_younger_than_now() -> None:
    """Ages are never negative."""
    metrics, clock = held()
    metrics.batch_done(batch(newest_timestamp_ms=int((clock.seconds + 5) * 1000)))
    metrics.lag({HELD: 1})
    assert shown(metrics)[AGE] == 0


def test_a_partition_that_moved_away_is_shown_by_its_new_holder_only() -> None:
    """Its series end here, those of kept partitions go on, and late reports about it are passed over."""
    metrics, clock = held()
    moved = ("person.changes", 3)
    metrics.assigned({HELD, moved})
    metrics.batch_done(batch())
    metrics.lag({HELD: 4, moved: 6})
    metrics.assigned({HELD})
    metrics.lag({HELD: 4, moved: 6})
    metrics.batch_done(batch(partition=3))
    clock.seconds += MINUTE
    samples = shown(metrics)
    assert {name for name in samples if name.startswith("leadsync_lag")} == {LAG}
    assert (samples[LAG], samples[AGE]) == (4, 2 * MINUTE)


# -- Recovery and readiness ----------------------------------------------------------------------------------------


def test_recovery_is_shown_by_table_and_partition() -> None:
    """As records read, and as the part of the changelog behind us; an empty changelog is read at once."""
    metrics = Metrics(Tally())
    metrics.recovery("people", 2, loaded=40, position=50, end=200)
    metrics.recovery("marketo-links", 0, loaded=0, position=0, end=0)
    samples = shown(metrics)
    assert samples["leadsync_recovery_loaded_records{partition=2,table=people}"] == 40
    assert samples["leadsync_recovery_ratio{partition=2,table=people}"] == 0.25
    assert samples["leadsync_recovery_ratio{partition=0,table=marketo-links}"] == 1


def test_a_rebalance_ends_the_story_of_the_recovery_before_it() -> None:
    """A table that another worker holds by now does not stay here, half read or read."""
    metrics = busy()
    metrics.ready(False)
    assert not [name for name in shown(metrics) if name.startswith("leadsync_recovery")]


def test_readiness_names_what_it_waits_for_in_one_line() -> None:
    """Joining, reading tables, changing hands; nothing more once ready; and the gauge says the same."""
    metrics = Metrics(Tally())
    assert metrics.waiting_for() == "joining the consumer group"
    metrics.ready(False)
    metrics.recovery("people", 2, 1_100, 1_200, 5_000)
    assert metrics.waiting_for() == "recovering people[2]: 1200 of 5000"
    metrics.recovery("people", 3, 0, 0, 10)
    assert metrics.waiting_for() == "recovering people[2]: 1200 of 5000; then 1 more"
    metrics.recovery("people", 2, 4_900, 5_000, 5_000)
    assert metrics.waiting_for() == "recovering people[3]: 0 of 10"
    metrics.recovery("people", 3, 10, 10, 10)
    metrics.assigned({("person.changes", 2), ("person.changes", 3)})
    assert metrics.waiting_for() == "the partitions are changing hands"
    assert shown(metrics)["leadsync_ready"] == 0
    metrics.ready(True)
    assert metrics.waiting_for() is None
    assert shown(metrics)["leadsync_ready"] == 1
    metrics.ready(False)
    assert metrics.waiting_for() == "the partitions are changing hands"


def test_where_kafka_does_not_answer_nothing_is_told_that_was_true_once() -> None:
    """Neither ready, nor a lag or an age of before; a minute of being behind is something else."""
    metrics, clock = Metrics(Tally(), Clock()), Clock()
    metrics._now = clock
    metrics.assigned({HELD})
    metrics.ready(True)
    metrics.lag({HELD: 0})
    clock.seconds += SILENT_SECONDS
    assert (
        metrics.waiting_for() is None and shown(metrics)["leadsync_lag_offsets{partition=2,topic=person.changes}"] == 0
    )
    clock.seconds += 1
    assert metrics.waiting_for() == "Kafka has not answered for 31 seconds"
    samples = shown(metrics)
    assert samples["leadsync_ready"] == 0
    assert not [name for name in samples if name.startswith(("leadsync_lag", "leadsync_oldest"))]
    metrics.lag({HELD: 9})
    assert metrics.waiting_for() is None and shown(metrics)["leadsync_ready"] == 1


def test_open_errors_change_with_the_commit_of_what_changed_them() -> None:
    """Not before: whoever counts the table meanwhile would count the one and not the other."""
    tally = Tally()
    metrics = Metrics(tally)
    metrics.batch_done(batch(counted=3))
    metrics.batch_done(batch(counted=-1))
    assert tally.errors_open == {HELD[1]: 2}


async def test_an_assignment_wakes_whoever_waits_for_it_even_when_it_came_first() -> None:
    """One that comes while the last one is still being dealt with is not missed."""
    metrics = Metrics(Tally())
    waiting = asyncio.create_task(metrics.assignment_changed())
    await asyncio.sleep(0)
    assert not waiting.done()
    metrics.assigned({HELD})
    await waiting
    metrics.assigned(set())
    await asyncio.wait_for(metrics.assignment_changed(), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(metrics.assignment_changed(), 0.01)
