"""What a connector exposes is what the table says, and counts what it did."""

from __future__ import annotations

from prometheus_client import generate_latest

from schemas.vocabulary import DYNAMICS
from streams.connectors.metrics import ConnectorMetrics
from streams.metric_table import CONNECTOR_METRICS


def busy(now: list[float]) -> ConnectorMetrics:
    """Everything has happened, some of it twice."""
    metrics = ConnectorMetrics(DYNAMICS, clock=lambda: now[0])
    for _ in range(2):
        metrics.called("leads", "200")
        metrics.carried_out("first", 3)
    metrics.answered("conflict")
    metrics.logged(1)
    metrics.feed_read(5)
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
        'leadsync_connector_commands_total{lane="first",system="dynamics"} 6.0',
        'leadsync_connector_changes_total{system="dynamics"} 5.0',
    ):
        assert line in text
