"""What a worker does with ten times as much as it can take: lag grows, memory does not, nothing is dropped, health says so.

Two systems edit at an even pace for some minutes, whatever waits, and carry out each command as soon as it comes. The worker
is throttled from outside to a tenth of that pace (`throttle.py`), and then let go. What health has to say meanwhile, and what
is checked of every answer:

    /health/ready                              ready: tables are recovered and partitions flow. Behind is not unready, and a
                                               restart would only take from the little that it can do
    leadsync_lag_offsets                       the sum over the source topics is what the broker would have said at some moment
                                               of the last `STALE_SECONDS` (`standing.py`): an answer is as old as the
                                               worker's last look at itself, and the worker stands still most of the time
    leadsync_oldest_unprocessed_age_seconds    likewise the greatest of the source topics

In the end everything was folded: each change once in `person.changes`, none in `dead-letter`, and both systems are alike;
or there is no result. Memory is bounded when the worker never holds more than it did at its start and what its lanes and
fetches may hold at most, however much waits on the broker (`held_bytes_max`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

from schemas.topics import INPUT_TOPICS, PARTITIONS
from streams.app import lane_settings
from streams.bench.at_rest import PeopleAtRest, write_people_at_rest
from streams.bench.flood import Flood, flood
from streams.bench.load import Load
from streams.bench.parts import Say
from streams.bench.stage import Stage, WorkerProcess, stage
from streams.bench.standing import Look, Standing
from streams.bench.throttle import Throttle
from streams.settings import Settings

SHARE = 0.1
LOOK_SECONDS, SAMPLE_SECONDS = 0.25, 1.0
STALE_SECONDS = 10.0
UNTRUE_SHOWN = 5
QUIET_LOOKS, QUIET_SECONDS = 3, 1.0
DRAIN_SECONDS_MAX = 1_200.0
MEBIBYTE = 1_048_576
MOVING_BYTES_PER_PERSON = 8_192
"""More than a person's state takes with an edit under way in each of 25 fields, keys and Python's own included."""
RECORD_BYTES = 2_048
"""Likewise a change that waits in a lane: a row of 25 fields."""


class Size(Struct, frozen=True):
    """How much, for how long; at most three million changes, with what answers the commands."""

    load: Load = Load(people=10_000)
    edits_per_second: int = 3_000
    seconds: float = 300.0


class Answer(Struct, frozen=True):
    """What health said, and the least and the most that the broker had said shortly before."""

    is_ready: bool
    lag: float
    age_seconds: float
    least: Look
    most: Look

    def lag_is_true(self, edits_per_second: float) -> bool:
        """Give or take what is edited in a second."""
        return self.least.lag - edits_per_second <= self.lag <= self.most.lag + edits_per_second

    def age_is_true(self) -> bool:
        """Give or take a second; and an age goes on counting until the worker looks again whether it has committed that."""
        return self.least.age_seconds - 1.0 <= self.age_seconds <= self.most.age_seconds + STALE_SECONDS


class Sample(Struct, frozen=True):
    """One look at the worker."""

    resident_bytes: int
    lag: int
    is_throttled: bool
    answer: Answer | None  # none came in time


async def measure(settings: Settings, say: Say, *, long: bool, size: Size | None = None) -> dict[str, Any]:
    """One bad time and its end. Raises BenchFailed where anything was dropped. `long` makes no difference."""
    size = size or Size()
    load = size.load
    async with stage(settings, load, PARTITIONS) as here:
        await write_people_at_rest(settings, load, range(load.people), PARTITIONS, say)
        worker = here.worker("overload-1")
        await worker.start()
        await worker.ready()
        resident_bytes = worker.resident_bytes()
        async with flood(here, PeopleAtRest(load, range(load.people))) as flooding:
            overload = Overload(here, worker, flooding, size, say)
            folded = await overload.throttled()
            drain_seconds = await overload.let_go()
            await flooding.check_nothing_was_dropped()
    return {
        "people": load.people,
        "edits_per_second": size.edits_per_second,
        "seconds": size.seconds,
        "edits": flooding.edits,
        "changes": flooding.edits + flooding.answers,
        "folded_per_second_throttled": round(folded / size.seconds),
        "lag_max": max(each.lag for each in overload.samples),
        "drain_seconds": round(drain_seconds, 1),
        "memory": memory(overload.samples, resident_bytes, held_bytes_max(settings, load)),
        "health": health([each.answer for each in overload.samples], size.edits_per_second),
    }


class Overload:
    """One worker in its bad time and after it, sample by sample."""

    def __init__(self, here: Stage, worker: WorkerProcess, flooding: Flood, size: Size, say: Say) -> None:
        self._here, self._worker, self._flooding, self._size, self._say = here, worker, flooding, size, say
        self._standing = Standing()
        self._is_throttled = True
        self._sources = {here.settings.topic(name) for name in INPUT_TOPICS}
        self.samples: list[Sample] = []

    async def throttled(self) -> int:
        """The bad time; how many changes were folded in it."""
        before, size = await self._folded(), self._size
        throttle = Throttle(self._worker, self._folded, size.edits_per_second * SHARE)
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(each) for each in (self._look_on(), self._sample_on(), throttle.run())]
            await self._flooding.edit(size.edits_per_second, size.seconds)
            for other in others:
                other.cancel()
        self._is_throttled = False
        return await self._folded() - before

    async def let_go(self) -> float:
        """Let the worker work until nothing waits; how many seconds that took."""
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(each) for each in (self._look_on(), self._sample_on())]
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                await self._nothing_waits()
            for other in others:
                other.cancel()
        return time.perf_counter() - began - QUIET_LOOKS * QUIET_SECONDS

    async def _folded(self) -> int:
        """How many messages of the source topics are committed; no transaction's markers stand in them."""
        committed = await self._here.committed()
        return sum(committed.get(place, 0) for place in self._here.places(*INPUT_TOPICS))

    async def _nothing_waits(self) -> None:
        """Until all is folded and nothing was answered meanwhile, several times in a row: what is folded last may command."""
        quiet, answers = 0, -1
        while quiet < QUIET_LOOKS:
            await asyncio.sleep(QUIET_SECONDS)
            self._worker.refuse_if_ended()
            await self._flooding.delivered()
            is_quiet = (
                self._flooding.answers == answers and (await self._look()).lag == 0 and await self._here.is_folded()
            )
            quiet, answers = quiet + 1 if is_quiet else 0, self._flooding.answers

    async def _look(self) -> Look:
        return self._standing.look(await self._here.ends(*INPUT_TOPICS), await self._here.committed())

    async def _look_on(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _sample_on(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                await asyncio.sleep(SAMPLE_SECONDS)
                is_throttled, answer = self._is_throttled, await self._asked(session)
                lag = self._standing.last.lag
                self.samples.append(Sample(self._worker.resident_bytes(), lag, is_throttled, answer))
                self._say(f"overload: {lag:,} changes wait")

    async def _asked(self, session: aiohttp.ClientSession) -> Answer | None:
        asked = await self._look()
        ready = await self._worker.ask(session, "/health/ready")
        metrics = await self._worker.ask(session, "/metrics")
        await self._look()
        if ready is None or metrics is None:
            return None
        return Answer(
            ready.strip() == "ready",
            *lag_and_age(metrics, self._sources),
            *self._standing.range_since(asked.at - STALE_SECONDS),
        )


def lag_and_age(metrics: str, topics: Iterable[str]) -> tuple[float, float]:
    """The lag of these topics together, and their greatest age, as a worker's metrics say."""
    wanted, lag, age_seconds = set(topics), 0.0, 0.0
    for family in text_string_to_metric_families(metrics):
        for name, labels, value, *_ in family.samples:
            if labels.get("topic") in wanted:
                if name == "leadsync_lag_offsets":
                    lag += value
                elif name == "leadsync_oldest_unprocessed_age_seconds":
                    age_seconds = max(age_seconds, value)
    return lag, age_seconds


def held_bytes_max(settings: Settings, load: Load) -> int:
    """What a worker with all partitions may hold on top of what it held at rest, however much waits on the broker."""
    lane, partitions = lane_settings(settings), PARTITIONS * (len(INPUT_TOPICS) + 1)
    # Of each partition the answers to two fetches, and what its lane has been given and the next that it will be.
    held = 2 * lane.max_partition_fetch_bytes + 3 * lane.batch_records * RECORD_BYTES
    return partitions * held + load.people * MOVING_BYTES_PER_PERSON + 64 * MEBIBYTE


def memory(samples: Sequence[Sample], before: int, held_max: int) -> dict[str, Any]:
    """What the worker held, and whether that was within what it may hold."""
    bad = [each.resident_bytes for each in samples if each.is_throttled] or [before]
    third = max(1, len(bad) // 3)
    most = max(each.resident_bytes for each in samples)
    return {
        "resident_bytes_before": before,
        "resident_bytes_first_third": max(bad[:third]),
        "resident_bytes_last_third": max(bad[-third:]),
        "resident_bytes_max": most,
        "resident_bytes_allowed": before + held_max,
        "bounded": most <= before + held_max,
    }


def health(answers: Sequence[Answer | None], edits_per_second: float) -> dict[str, Any]:
    """Of how many answers what was true, and the first of those that were not."""
    given = [each for each in answers if each is not None]
    untrue = [each for each in given if not (each.lag_is_true(edits_per_second) and each.age_is_true())]
    return {
        "asked": len(answers),
        "answered": len(given),
        "ready": sum(each.is_ready for each in given),
        "lag_true": sum(each.lag_is_true(edits_per_second) for each in given),
        "age_true": sum(each.age_is_true() for each in given),
        "untrue": msgspec.to_builtins(untrue[:UNTRUE_SHOWN]),
    }


def tables(found: Mapping[str, Any]) -> list[Table]:
    """The same for people."""
    table = Table(
        title=f"{found['edits_per_second']:,} edits a second for {found['seconds']:.0f} s, the worker throttled to a tenth",
        caption=(
            f"{found['changes']:,} changes of {found['people']:,} people, {found['edits']:,} of them edits: each was folded once, none "
            "was rejected, and both systems are alike at the end. Health was asked once a second."
        ),
        caption_justify="left",
    )
    table.add_column("")
    table.add_column("", justify="right")
    held, said = found["memory"], found["health"]
    mebibytes = {name: f"{value / MEBIBYTE:,.0f} MiB" for name, value in held.items() if name != "bounded"}
    for words, figure in (
        ("folded a second while throttled", f"{found['folded_per_second_throttled']:,}"),
        ("changes waiting at most", f"{found['lag_max']:,}"),
        ("worked off within", f"{found['drain_seconds']:,.1f} s"),
        ("memory before", mebibytes["resident_bytes_before"]),
        ("memory in the first third of the bad time", mebibytes["resident_bytes_first_third"]),
        ("memory in the last third", mebibytes["resident_bytes_last_third"]),
        ("memory at most", mebibytes["resident_bytes_max"]),
        ("memory allowed", mebibytes["resident_bytes_allowed"]),
        ("answers of health: ready", f"{said['ready']} of {said['asked']}"),
        ("answers of health: lag as the broker says", f"{said['lag_true']} of {said['asked']}"),
        ("answers of health: age as the broker says", f"{said['age_true']} of {said['asked']}"),
    ):
        table.add_row(words, figure)
    return [table]
