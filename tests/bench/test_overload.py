"""What is true of a worker that cannot keep up, and how that is told apart from what is not."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from itertools import pairwise

from aiokafka import TopicPartition
from prometheus_client.exposition import generate_latest

from streams.bench.overload import STALE_SECONDS, Answer, Sample, health, lag_and_age, memory
from streams.bench.standing import Look, Standing
from streams.bench.throttle import LOOK_SECONDS, STOP_SECONDS_MAX, Throttle
from streams.metrics import Metrics
from streams.tally import Tally

A, B, C = (TopicPartition("source", number) for number in range(3))


def looked(*looks: tuple[float, dict[TopicPartition, int], dict[TopicPartition, int]]) -> Standing:
    """Looks at these times, at these ends and commits."""
    times = iter([at for at, *_ in looks])
    standing = Standing(lambda: next(times))
    for _, ends, committed in looks:
        standing.look(ends, committed)
    return standing


def test_lag_is_of_all_partitions_and_age_of_the_oldest_offset_that_is_not_committed() -> None:
    """Since the first look that saw the end beyond the commit."""
    standing = looked(
        (10.0, {A: 5, B: 1}, {A: 5, B: 1}),
        (11.0, {A: 9, B: 1}, {A: 5, B: 1}),
        (12.0, {A: 20, B: 3}, {A: 5, B: 1}),
        (13.0, {A: 20, B: 3}, {A: 12, B: 1}),
    )
    assert standing.last == Look(13.0, 10, 1.0)
    least, most = standing.range_since(10.0)
    assert (least.lag, most.lag) == (0, 17)
    assert (least.age_seconds, most.age_seconds) == (0.0, 1.0)


def test_nothing_waits_where_all_is_committed() -> None:
    """Nor in a partition of which nothing was ever committed because nothing is there."""
    assert looked((10.0, {A: 5, C: 0}, {A: 5})).last == Look(10.0, 0, 0.0)


def test_the_look_before_the_time_in_question_counts() -> None:
    """It was still true when that time began."""
    standing = looked((10.0, {A: 100}, {A: 0}), (20.0, {A: 100}, {A: 90}))
    least, most = standing.range_since(15.0)
    assert (least.lag, most.lag) == (10, 100)


def answer(lag: float, age_seconds: float, *, is_ready: bool = True) -> Answer:
    return Answer(is_ready, lag, age_seconds, Look(0.0, 1_000, 10.0), Look(0.0, 2_000, 20.0))


def test_an_answer_is_true_within_what_the_broker_said_shortly_before() -> None:
    """Give or take a second of edits; an age is older by as much as the worker's last look at itself."""
    too_old = 20.1 + STALE_SECONDS
    answers = [answer(1_500, 15.0), answer(901, 9.1), answer(899, 15.0), answer(1_500, too_old, is_ready=False), None]
    found = health(answers, edits_per_second=100)
    assert {name: found[name] for name in found if name != "untrue"} == {
        "asked": 5,
        "answered": 4,
        "ready": 3,
        "lag_true": 3,
        "age_true": 3,
    }
    assert [each["lag"] for each in found["untrue"]] == [899, 1_500]


def test_memory_is_bounded_by_what_may_be_held_whenever_it_was() -> None:
    """Also after the bad time, when whole batches are under way again."""
    samples = [Sample(size, 0, number < 3, None) for number, size in enumerate((110, 120, 130, 180))]
    assert memory(samples, 100, 80)["bounded"] is True
    found = memory(samples, 100, 79)
    assert found["bounded"] is False
    assert (found["resident_bytes_first_third"], found["resident_bytes_last_third"]) == (110, 130)


def test_lag_and_age_are_read_off_the_workers_own_metrics() -> None:
    """Of the topics in question only."""
    metrics = Metrics(Tally(), now=lambda: 100.0)
    metrics.assigned({("source", 0), ("source", 1), ("other", 0)})
    metrics.lag({("source", 0): 5, ("source", 1): 7, ("other", 0): 1_000})
    metrics.oldest({("source", 0): 90_000, ("source", 1): 70_000, ("other", 0): 1_000})
    assert lag_and_age(generate_latest(metrics.registry).decode(), {"source"}) == (12.0, 30.0)


class PulsedWorker:
    """Commits so many changes in each pulse. Its time passes only while somebody pauses."""

    def __init__(self, per_pulse: int, pauses_max: int) -> None:
        self.signals: list[signal.Signals] = []
        self.pulses: list[float] = []
        self._per_pulse, self._pauses_left, self._now = per_pulse, pauses_max, 0.0

    def send(self, number: signal.Signals) -> None:
        self.signals.append(number)

    async def folded(self) -> int:
        return self._per_pulse * len(self.pulses)

    async def pause(self, seconds: float) -> None:
        if self.signals[-1] == signal.SIGCONT:
            self.pulses.append(self._now)
        self._now += seconds
        self._pauses_left -= 1
        if not self._pauses_left:
            raise asyncio.CancelledError

    async def throttled(self, per_second: float) -> list[float]:
        """When it ran."""
        throttle = Throttle(self, self.folded, per_second, now=lambda: self._now, pause=self.pause)
        with contextlib.suppress(asyncio.CancelledError):
            await throttle.run()
        return self.pulses


async def test_a_throttled_worker_runs_in_pulses_as_often_as_it_may() -> None:
    """Fifty changes a second, ten in a pulse: five pulses a second."""
    pulses = await PulsedWorker(per_pulse=10, pauses_max=2_000).throttled(50)
    gaps = [later - earlier for earlier, later in pairwise(pulses)]
    assert round(sum(gaps) / len(gaps), 2) == 0.2


async def test_a_throttled_worker_is_never_stopped_for_long() -> None:
    """However much it has done: it has to send a heartbeat."""
    pulses = await PulsedWorker(per_pulse=100_000, pauses_max=500).throttled(50)
    assert max(later - earlier for earlier, later in pairwise(pulses)) <= STOP_SECONDS_MAX + 2 * LOOK_SECONDS


async def test_a_worker_is_not_left_standing() -> None:
    """Whenever the throttling ends."""
    for pauses in range(1, 12):
        worker = PulsedWorker(per_pulse=10, pauses_max=pauses)
        await worker.throttled(50)
        assert worker.signals[-1] == signal.SIGCONT
