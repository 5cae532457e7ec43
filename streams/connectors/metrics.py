"""A connector's metrics, by name and meaning. What is not here cannot be exposed."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from schemas.vocabulary import System

PREFIX = "leadsync_connector"


class ConnectorMetrics:
    """Counted where it happens; ages are worked out when somebody looks."""

    def __init__(self, system: System, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._system, self._clock = system, clock
        self._read_at = clock()
        self._calls = self._counter("calls", "Calls to the system, by endpoint and outcome.", "endpoint", "outcome")
        self._changes = self._counter("changes", "Changes put into the system's streams.")
        self._commands = self._counter("commands", "Commands carried out, repeats included.", "lane")
        self._results = self._counter("results", "Answers given, by answer.", "answer")
        self._activities = self._counter("activities", "Entries written into people's activity logs in Marketo.")
        age = Gauge(f"{PREFIX}_feed_age_seconds", "Since the change feeds were last read to their end.", ["system"],
                    registry=self.registry)  # fmt: skip
        age.labels(system).set_function(lambda: self._clock() - self._read_at)

    def called(self, endpoint: str, outcome: str) -> None:
        """A call was made. `endpoint` is a route, never an address with ids in it."""
        self._calls.labels(self._system, endpoint, outcome).inc()

    def told(self, changes: int) -> None:
        """Changes were put into the streams; the feeds may go on."""
        self._changes.labels(self._system).inc(changes)

    def feed_read(self, changes: int = 0) -> None:
        """The feeds were read to their end."""
        self._read_at = self._clock()
        self.told(changes)

    def carried_out(self, lane: str, commands: int) -> None:
        """A batch of commands is done."""
        self._commands.labels(self._system, lane).inc(commands)

    def answered(self, answer: str) -> None:
        """A result was given."""
        self._results.labels(self._system, answer).inc()

    def logged(self, activities: int) -> None:
        """Entries of activity logs were written."""
        self._activities.labels(self._system).inc(activities)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", meaning, ["system", *labels], registry=self.registry)
