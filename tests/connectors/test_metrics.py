"""What a connector exposes is what the table says, and counts what it did."""

from __future__ import annotations

from aiokafka import TopicPartition
from prometheus_client import generate_latest

from schemas.vocabulary import DYNAMICS
from streams.connectors.journal import Entry, Rejected, StreamChange
from streams.connectors.metrics import ConnectorMetrics
from streams.connectors.progress import Place
from streams.metric_table import CONNECTOR_METRICS
from streams.sync.messages import ApplyResult, Record, SourceChange

FIRST = Place(TopicPartition("test.dynamics.commands", 0), 4)
BEHIND = Place(TopicPartition("test.dynamics.commands.background", 1), 9)
CHANGE = StreamChange(
    "lead-1", SourceChange(change_id="c-1", kind="updated", record=Record(DYNAMICS, "lead", "lead-1"))
)
RESULT = ApplyResult(result_id="r-1", command_id="k-1", person_key="p-1", system=DYNAMICS, answer="conflict")


def busy(now: list[float]) -> ConnectorMetrics:
    """Everything has happened, some of it twice."""
    metrics = ConnectorMetrics(DYNAMICS, clock=lambda: now[0])
    for _ in range(2):
        metrics.called("leads", "200")
    metrics.written(Entry(changes=(CHANGE,) * 5, results=(RESULT,), done=(FIRST, FIRST, BEHIND)))
    metrics.written(Entry(taken=(FIRST, FIRST), done=(FIRST,), rejected=(Rejected(b"p-1", b"{}"),)))
    metrics.logged(1)
    metrics.feed_read()
    return metrics


def test_code_and_table_name_the_same_metrics_with_the_same_labels_and_words() -> None:
    """The dashboard is held to the table, and by this to the code."""
    families = {family.name: family for family in busy([0.0]).registry.collect()}
    assert families.keys() == {name.removesuffix("_total") for name in CONNECTOR_METRICS}
    for name, spec in CONNECTOR_METRICS.items():
        family = families[name.removesuffix("_total")]
        assert (family.type, family.documentation) == (spec.kind, spec.meaning)
        shown = [sample for sample in family.samples if sample.name == name]
        assert shown and all(tuple(sample.labels) == spec.labels for sample in shown)


def test_it_counts_what_was_done_and_how_long_ago_the_feeds_were_read() -> None:
    """As Prometheus reads it."""
    now = [100.0]
    metrics = busy(now)
    now[0] = 107.5
    text = generate_latest(metrics.registry).decode()
    for line in (
        'leadsync_connector_feed_age_seconds{system="dynamics"} 7.5',
        'leadsync_connector_calls_total{endpoint="leads",outcome="200",system="dynamics"} 2.0',
        'leadsync_connector_commands_total{lane="first",system="dynamics"} 2.0',
        'leadsync_connector_commands_total{lane="background",system="dynamics"} 1.0',
        'leadsync_connector_results_total{answer="conflict",system="dynamics"} 1.0',
        'leadsync_connector_changes_total{system="dynamics"} 5.0',
    ):
        assert line in text
