"""A connector's metrics, as streams/metric_table.py names them. What is not there cannot be exposed."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from schemas.vocabulary import System
from streams.connectors.journal import Entry
from streams.connectors.lanes import lane_of
from streams.metric_table import CONNECTOR_METRICS

FEED_AGE = CONNECTOR_METRICS["leadsync_connector_feed_age_seconds"]


class ConnectorMetrics:
    """Counted where it happens; ages are worked out when somebody looks."""

    def __init__(self, system: System, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._system, self._clock = system, clock
        self._read_at = clock()
        self._calls = self._counter("calls")
        self._changes = self._counter("changes")
        self._commands = self._counter("commands")
        self._results = self._counter("results")
        self._activities = self._counter("activities")
        age = Gauge(FEED_AGE.name, FEED_AGE.meaning, FEED_AGE.labels, registry=self.registry)
        age.labels(system).set_function(lambda: self._clock() - self._read_at)

    def called(self, endpoint: str, outcome: str) -> None:
        """A call was made. `endpoint` is a route, never an address with ids in it."""
        self._calls.labels(self._system, endpoint, outcome).inc()

    def written(self, entry: Entry) -> None:
        """An entry is visible: its changes, its results, and the commands that are done.

        One that rejects what cannot be read carries nothing else out: what is done by it is no command.
        """
        self._changes.labels(self._system).inc(len(entry.changes))
        for result in entry.results:
            self._results.labels(self._system, result.answer).inc()
        for place in entry.done if not entry.rejected else ():
            self._commands.labels(self._system, lane_of(place)).inc()

    def feed_read(self) -> None:
        """The feeds were read to their end."""
        self._read_at = self._clock()

    def logged(self, activities: int) -> None:
        """Entries of activity logs were written."""
        self._activities.labels(self._system).inc(activities)

    def _counter(self, what: str) -> Counter:
        spec = CONNECTOR_METRICS[f"leadsync_connector_{what}_total"]
        return Counter(spec.name, spec.meaning, spec.labels, registry=self.registry)
