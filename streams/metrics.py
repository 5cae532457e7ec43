"""The collector that shows exactly the metrics of `metric_table`.

Nothing is counted for Prometheus alone on the hot path. The agents count into a `Tally`, the lane tells what it did once
per batch, and a scrape reads both; so a scrape costs a millisecond and a record costs nothing. What METRICS does not list
cannot be exposed, and what it lists must be: tests/test_metrics.py and tests/test_dashboard.py hold code, table and
dashboard together.

Counters begin at nought with each process. A batch that is handled again after a failure is counted again.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from importlib.metadata import version
from itertools import accumulate, product
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from streams.lane import Observer
from streams.lane.observer import SILENT_SECONDS, BatchDone
from streams.metric_table import BATCH_RECORDS, BATCH_SECONDS, LABEL_VALUES, METRICS, Kind, MetricSpec
from streams.tally import Tally

FAMILIES: Mapping[Kind, type[Any]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class UnlistedMetricError(Exception):
    """The code and METRICS do not name the same metrics, or not the same labels."""


class Histogram:
    """Counts of observed values by bucket, for a scrape to add up."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Count the value in the first bucket that it does not exceed."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """How many values were at most each bound, as Prometheus wants it."""
        return list(zip(map(floatToGoString, (*self.bounds, float("inf"))), accumulate(self.counts), strict=True))


Readings = Mapping[Any, float | Histogram]
"""What a metric shows now, by label value: one for one label, a tuple for several, () for none."""


class TableCollector(Collector):
    """Shows what `readings` say of exactly the metrics in `table`. Raises UnlistedMetricError where the two differ."""

    def __init__(self, table: Mapping[str, MetricSpec], readings: Mapping[str, Callable[[], Readings]]) -> None:
        if differing := sorted(table.keys() ^ readings.keys()):
            raise UnlistedMetricError(f"either not in METRICS or never read: {', '.join(differing)}")
        self._table, self._readings = table, readings

    def collect(self) -> Iterable[Metric]:
        """One family for each entry of the table."""
        return [family_of(spec, self._readings[name]()) for name, spec in self._table.items()]


def family_of(spec: MetricSpec, readings: Readings) -> Metric:
    """A metric as prometheus_client wants it. Raises UnlistedMetricError for labels that the table does not name."""
    named_after_unit = spec.name.removesuffix("_total").endswith(f"_{spec.unit}")
    family = FAMILIES[spec.kind](
        spec.name, spec.meaning, labels=spec.labels, unit=spec.unit if named_after_unit else ""
    )
    for key, value in {**_noughts(spec), **{_labels(key): value for key, value in readings.items()}}.items():
        if len(key) != len(spec.labels):
            raise UnlistedMetricError(f"{spec.name} has the labels {spec.labels}, not these: {key}")
        if isinstance(value, Histogram):
            family.add_metric(key, value.cumulative(), value.total)
        else:
            family.add_metric(key, value)
    assert isinstance(family, Metric)
    return family


def _labels(key: Any) -> tuple[str, ...]:
    return tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)


def _noughts(spec: MetricSpec) -> dict[tuple[str, ...], float]:
    """A series that begins at its first event hides that event from `rate`; so begin at 0 where the labels are known."""
    if spec.kind != "counter" or not all(label in LABEL_VALUES for label in spec.labels):
        return {}
    return dict.fromkeys(product(*(LABEL_VALUES[label] for label in spec.labels)), 0.0)


@dataclass(slots=True)
class SourcePartition:
    """What is known of a held source partition; times in seconds since the epoch."""

    assigned_at: float
    lag: int | None = None
    without_lag_at: float | None = None
    newest_committed: float | None = None
    oldest_waiting: float | None = None

    def age_seconds(self, now: float) -> float:
        """See `leadsync_oldest_unprocessed_age_seconds`."""
        if self.oldest_waiting is not None:
            return max(0.0, now - self.oldest_waiting)
        known = [at for at in (self.without_lag_at, self.newest_committed) if at is not None]
        return max(0.0, now - max(known, default=self.assigned_at)) if self.lag else 0.0


class Metrics(Observer):
    """Hears what the lane does, and shows it with the tally's counts in a registry of its own.

    `now` is the wall clock, in seconds since the epoch: ages are measured against the timestamps of records.
    """

    def __init__(self, tally: Tally, now: Callable[[], float] = time.time) -> None:
        self._tally, self._now = tally, now
        self._outputs: Counter[str] = Counter()
        self._batch_records: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(BATCH_RECORDS))
        self._batch_seconds: defaultdict[tuple[str, str], Histogram] = defaultdict(lambda: Histogram(BATCH_SECONDS))
        self._sources: dict[tuple[str, int], SourcePartition] = {}
        self._recovery: dict[tuple[str, int], tuple[int, int, int]] = {}  # (table, partition): loaded, position, end
        self._ready = self._ever_assigned = False
        self._answered_at = self._now()
        self._assignment_changed = asyncio.Event()
        self.registry = CollectorRegistry()
        self.registry.register(TableCollector(METRICS, self._readings()))

    def _readings(self) -> Mapping[str, Callable[[], Readings]]:
        tally, running = self._tally, version("leadsync")
        return {
            "leadsync_build_info": lambda: {running: 1},
            "leadsync_ready": lambda: {(): self.waiting_for() is None},
            "leadsync_changes_in_total": lambda: tally.changes_in,
            "leadsync_changes_folded_total": lambda: tally.effects,
            "leadsync_outputs_total": lambda: self._outputs,
            "leadsync_collisions_total": lambda: tally.collisions,
            "leadsync_sync_errors_opened_total": lambda: tally.errors_opened,
            "leadsync_sync_errors_closed_total": lambda: tally.errors_closed,
            "leadsync_sync_errors_open": lambda: tally.errors_open,
            "leadsync_rejections_total": lambda: tally.rejections,
            "leadsync_lag_offsets": self._lags,
            "leadsync_oldest_unprocessed_age_seconds": self._ages_seconds,
            "leadsync_core_seconds_total": lambda: {(): tally.core_seconds},
            "leadsync_batch_records": lambda: self._batch_records,
            "leadsync_batch_seconds": lambda: self._batch_seconds,
            "leadsync_recovery_loaded_records": lambda: {at: loaded for at, (loaded, _, _) in self._recovery.items()},
            "leadsync_recovery_ratio": self._recovery_ratios,
        }

    def _lags(self) -> Readings:
        return {at: source.lag for at, source in self._known_sources() if source.lag is not None}

    def _ages_seconds(self) -> Readings:
        now = self._now()
        return {at: source.age_seconds(now) for at, source in self._known_sources() if source.lag is not None}

    def _known_sources(self) -> Iterable[tuple[tuple[str, int], SourcePartition]]:
        return self._sources.items() if self._silent_seconds() is None else ()

    def _recovery_ratios(self) -> Readings:
        return {at: position / end if end else 1.0 for at, (_, position, end) in self._recovery.items()}

    # -- What the lane tells ---------------------------------------------------------------------------------------

    def batch_done(self, done: BatchDone) -> None:
        """Count a committed batch."""
        self._outputs.update(done.outputs)
        self._batch_records[done.agent].observe(done.records)
        self._batch_seconds[done.agent, "handle"].observe(done.handle_seconds)
        self._batch_seconds[done.agent, "commit"].observe(done.commit_seconds)
        if done.counted:  # with the table, in one step: whoever counts that meanwhile sees both or neither
            self._tally.errors_open[done.partition] += done.counted
        if (source := self._sources.get((done.topic, done.partition))) is not None:
            source.newest_committed = _seconds(done.newest_timestamp_ms)

    def lag(self, records: Mapping[tuple[str, int], int]) -> None:
        """Note the lag of the partitions held, and when there was none."""
        now = self._answered_at = self._now()
        for at, lag in records.items():
            if (source := self._sources.get(at)) is not None:
                source.lag = lag
                source.without_lag_at = source.without_lag_at if lag else now

    def oldest(self, timestamps_ms: Mapping[tuple[str, int], int]) -> None:
        """Note how old what waits is."""
        for at, source in self._sources.items():
            source.oldest_waiting = _seconds(timestamps_ms.get(at))

    def assigned(self, partitions: Set[tuple[str, int]]) -> None:
        """Forget what others hold now; what was kept goes on as it was."""
        now = self._now()
        self._sources = {at: self._sources.get(at) or SourcePartition(now) for at in sorted(partitions)}
        self._ever_assigned = True
        self._assignment_changed.set()

    def recovery(self, table: str, partition: int, loaded: int, position: int, end: int) -> None:
        """Note how far a changelog is read."""
        self._recovery[table, partition] = (loaded, position, end)

    def ready(self, ready: bool) -> None:
        """Note readiness; at its end the partitions change hands, and what was recovered before is history."""
        self._ready = ready
        self._answered_at = self._now()
        if not ready:
            self._recovery.clear()

    # -- What others ask -------------------------------------------------------------------------------------------

    def waiting_for(self) -> str | None:
        """None when ready; else one line that says what is awaited."""
        if self._ready:
            silent = self._silent_seconds()
            return None if silent is None else f"Kafka has not answered for {silent:.0f} seconds"
        unread = [(*at, position, end) for at, (_, position, end) in self._recovery.items() if position < end]
        for table, partition, position, end in unread[:1]:
            return f"recovering {table}[{partition}]: {position} of {end}" + _and_more(len(unread) - 1)
        return "the partitions are changing hands" if self._ever_assigned else "joining the consumer group"

    def _silent_seconds(self) -> float | None:
        """For how long Kafka has told no lag, where that is too long: what was known then says nothing any more."""
        seconds = self._now() - self._answered_at
        return seconds if self._ready and seconds > SILENT_SECONDS else None

    async def assignment_changed(self) -> None:
        """Return once partitions were assigned since this last returned. For one caller."""
        await self._assignment_changed.wait()
        self._assignment_changed.clear()


def _seconds(timestamp_ms: int | None) -> float | None:
    """Since the epoch. A producer may give a message no time, which Kafka writes as -1."""
    return None if timestamp_ms is None or timestamp_ms < 0 else timestamp_ms / 1000


def _and_more(count: int) -> str:
    return f"; then {count} more" if count else ""
