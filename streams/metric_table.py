"""The table of metrics: each with its kind, unit, labels and meaning. What is not here cannot be exposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from schemas.rejection import Reason
from schemas.vocabulary import SYSTEMS, RecordType
from streams.sync.outcome import Effect

Kind = Literal["counter", "gauge", "histogram"]

BATCH_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)  # a batch is what waits, up to 1,000
BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

LABEL_VALUES: Mapping[str, tuple[str, ...]] = {
    "system": SYSTEMS,
    "winner": SYSTEMS,
    "record_type": get_args(RecordType),
    "effect": get_args(Effect),
    "reason": get_args(Reason),
}
"""Labels whose values are known beforehand: a counter over such labels alone shows each of them from the start, at 0."""


@dataclass(frozen=True)
class MetricSpec:
    """One metric: its name in full, what one of it is, what it says, and what it is divided by."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, unit: str, meaning: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, "counter", unit, meaning, labels)


def _gauge(name: str, unit: str, meaning: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, "gauge", unit, meaning, labels)


def _histogram(name: str, unit: str, meaning: str, *labels: str, buckets: tuple[float, ...]) -> MetricSpec:
    return MetricSpec(name, "histogram", unit, meaning, labels, buckets)


METRICS: Mapping[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        _gauge("leadsync_build_info", "workers", "Always 1; the label tells the version.", "version"),
        _gauge(
            "leadsync_ready",
            "workers",
            "1 while the tables are recovered, the partitions flow and Kafka answers, else 0.",
        ),
        _counter(
            "leadsync_changes_in_total",
            "changes",
            "Messages handled from a system's changes and results, rejected ones too.",
            "system",
        ),
        _counter(
            "leadsync_changes_folded_total",
            "changes",
            "Changes of persons that went through the core, by what they did: folded, repeat (not newer than what was "
            "folded), closed (of a record that is no more), no_effect (concerns nothing known of the person).",
            "effect",
        ),
        _counter(
            "leadsync_outputs_total",
            "messages",
            "Messages committed, by the topic they were sent to; the tables' changelogs are not counted.",
            "topic",
        ),
        _counter(
            "leadsync_collisions_total",
            "collisions",
            "Fields that both systems had edited, neither in sight of the other, by the record type and who won.",
            "record_type",
            "winner",
        ),
        _counter(
            "leadsync_sync_errors_opened_total",
            "errors",
            "Sync errors opened, by the system that should have received the value.",
            "system",
        ),
        _counter(
            "leadsync_sync_errors_closed_total",
            "errors",
            "Sync errors closed, by the system that should have received the value.",
            "system",
        ),
        _gauge(
            "leadsync_sync_errors_open",
            "errors",
            "Sync errors open now, by the partition of person.changes that this worker holds; no series for a partition "
            "that has had neither a person nor an error.",
            "partition",
        ),
        _counter("leadsync_rejections_total", "messages", "Messages rejected to dead-letter, by reason.", "reason"),
        _gauge(
            "leadsync_lag_offsets",
            "offsets",
            "Offsets of a source partition that are not yet committed, as of the last second; transaction markers count.",
            "topic",
            "partition",
        ),
        _gauge(
            "leadsync_oldest_unprocessed_age_seconds",
            "seconds",
            "How old the oldest change is that is not yet committed, by its own timestamp, as of the last second; 0 without "
            "lag. While none has been fetched: the time since the newest record of the last committed batch, or since the "
            "partition was last seen without lag or was assigned, whichever is shorter, which can be too short.",
            "topic",
            "partition",
        ),
        _counter(
            "leadsync_core_seconds_total",
            "seconds",
            "Time in the core: reading states, folding changes, packing what came of them.",
        ),
        _histogram(
            "leadsync_batch_records",
            "records",
            "Records per committed batch, by agent.",
            "agent",
            buckets=BATCH_RECORDS,
        ),
        _histogram(
            "leadsync_batch_seconds",
            "seconds",
            "Time per committed batch, by agent and phase: handle decides, commit is the transaction on the broker.",
            "agent",
            "phase",
            buckets=BATCH_SECONDS,
        ),
        _gauge(
            "leadsync_recovery_loaded_records",
            "records",
            "Changelog records read into a table since the partitions last changed hands; none for what was kept.",
            "table",
            "partition",
        ),
        _gauge(
            "leadsync_recovery_ratio",
            "ratio",
            "How far a table's changelog is read since the partitions last changed hands: position by end, 1 when done.",
            "table",
            "partition",
        ),
    )
}

CONNECTOR_METRICS: Mapping[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        _gauge(
            "leadsync_connector_feed_age_seconds",
            "seconds",
            "Since the system's change feeds were last read to their end, or since the connector started.",
            "system",
        ),
        _counter(
            "leadsync_connector_calls_total",
            "calls",
            "Calls to the system, by endpoint and outcome: success, a status, an error code of the system's, unreachable "
            "(it never arrived), no_answer or unknown (it may have).",
            "system",
            "endpoint",
            "outcome",
        ),
        _counter(
            "leadsync_connector_changes_total", "changes", "Changes that were put into the system's streams.", "system"
        ),
        _counter(
            "leadsync_connector_commands_total",
            "commands",
            "Commands carried out, repeats included, by lane.",
            "system",
            "lane",
        ),
        _counter(
            "leadsync_connector_results_total",
            "results",
            "Answers to commands, by what they say: created, linked, refused, conflict, superseded, gone. A command that "
            "lands needs none.",
            "system",
            "answer",
        ),
        _counter(
            "leadsync_connector_activities_total",
            "activities",
            "Entries written into people's activity logs in Marketo.",
            "system",
        ),
    )
}
"""What a connector exposes in place of the above."""
