"""How long partitions stand still when a worker is killed and started again, leaves in good order, or joins.

Under a steady trickle of edits (`steady.py`). A partition here is one of a source topic, by the edits that were appended to
it, or one of `person.changes`, by the commands that came of it: topics of persons have the same keys and so the same
partitions. Each figure is of the partition that was worst, and the median of several tries; seconds:

    killed   from `kill -9` until the first command of an edit that was appended after it. The same command line is started
             again at once, and its instance id keeps its partitions waiting for it
    left     SIGTERM to one of two workers: the longest time in which a partition showed no command
    joined   a second worker is started: likewise
    quiet    likewise, while nothing happens: what the trickle, the machine and the way of measuring leave
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, takewhile
from statistics import median
from typing import Any

from rich.table import Table

from schemas.topics import PARTITIONS
from schemas.vocabulary import SYSTEMS
from streams.bench.at_rest import PeopleAtRest, write_people_at_rest
from streams.bench.failed import BenchFailed
from streams.bench.load import Load
from streams.bench.parts import Say
from streams.bench.stage import Stage, WorkerProcess, stage
from streams.bench.steady import Place, SteadyStream, Told, partition_by_partition, steady_stream
from streams.settings import Settings

LOAD = Load(people=10_000)
EDITS_PER_SECOND = 200
TRIES, TRIES_LONG = 5, 15
QUIET_SECONDS, SETTLE_SECONDS = 2.0, 1.0
LOOK_SECONDS, GO_ON_SECONDS_MAX = 0.02, 60.0
AIMS: Mapping[str, float | None] = {"killed": 2.0, "left": 0.6, "joined": 0.6, "quiet": None}
WORDS: Mapping[str, str] = {
    "killed": "after kill -9 and an immediate restart",
    "left": "when one of two workers stops",
    "joined": "when a second worker joins",
    "quiet": "when nothing happens",
}


async def measure(
    settings: Settings, say: Say, *, long: bool, load: Load = LOAD, tries: int | None = None
) -> dict[str, Any]:
    """Standstills of partitions, each several times."""
    tries = tries or (TRIES_LONG if long else TRIES)
    async with stage(settings, load, PARTITIONS) as here:
        await write_people_at_rest(settings, load, range(load.people), PARTITIONS, say)
        people = PeopleAtRest(load, range(load.people))
        async with steady_stream(here, people, partition_by_partition(people, PARTITIONS)) as stream:
            found = await _under_a_trickle(here, stream, tries, say)
    return {
        "people": load.people,
        "edits_per_second": EDITS_PER_SECOND,
        "tries": tries,
        **{name: _summary(seconds, AIMS[name]) for name, seconds in found.items() if name in AIMS},
        "ready": _summary(found["ready"], None),
    }


async def _under_a_trickle(here: Stage, stream: SteadyStream, tries: int, say: Say) -> dict[str, list[float]]:
    first, second = here.worker("restart-1"), here.worker("restart-2")
    await first.start()
    await first.ready()
    until = asyncio.Event()
    editing = asyncio.create_task(stream.edit(EDITS_PER_SECOND, until))
    trickle = Trickle(stream, here.partitions)
    found: dict[str, list[float]] = {name: [] for name in (*AIMS, "ready")}
    try:
        await trickle.everywhere_since(time.time())
        for number in range(1, tries + 1):
            say(f"restart: kill -9, {number} of {tries}")
            found["quiet"].append(await trickle.longest_gap_of(asyncio.sleep(QUIET_SECONDS)))
            began = time.time()
            found["ready"].append(await _killed(first))
            await trickle.everywhere_since(began)
            found["killed"].append(worst_wait(stream.told, began))
        for number in range(1, tries + 1):
            say(f"restart: join and leave, {number} of {tries}")
            found["joined"].append(await trickle.longest_gap_of(_started(second)))
            found["left"].append(await trickle.longest_gap_of(second.end(signal.SIGTERM)))
    finally:
        until.set()
        await editing
    await stream.drained()
    return found


async def _started(worker: WorkerProcess) -> float:
    await worker.start()
    return await worker.ready()


async def _killed(worker: WorkerProcess) -> float:
    await worker.end(signal.SIGKILL)
    return await _started(worker)


class Trickle:
    """Waits for partitions to go on, however long that takes."""

    def __init__(self, stream: SteadyStream, partitions: int) -> None:
        self._stream = stream
        # Of both systems, and of persons.
        self._places = (len(SYSTEMS) + 1) * partitions

    async def everywhere_since(self, since: float) -> None:
        """Until each partition has shown the command of an edit that was appended later. Raises BenchFailed."""
        try:
            async with asyncio.timeout(GO_ON_SECONDS_MAX):
                while len(partitions_of(_appended_since(self._stream.told, since))) < self._places:  # noqa: ASYNC110 - who goes on is another process
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise BenchFailed(f"restart: a partition did not go on within {GO_ON_SECONDS_MAX:.0f} s") from None

    async def longest_gap_of(self, event: Awaitable[Any]) -> float:
        """From the beginning of the event until every partition has gone on after its end, and a moment longer."""
        began = time.time()
        await event
        await self.everywhere_since(time.time())
        await asyncio.sleep(SETTLE_SECONDS)
        return worst_gap(self._stream.told, began, time.time())


def _summary(seconds: list[float], aim: float | None) -> dict[str, Any]:
    return {
        "median_seconds": round(median(seconds), 3),
        "seconds": [round(each, 3) for each in seconds],
        "aim_seconds": aim,
    }


def partitions_of(told: Iterable[Told]) -> dict[Place, list[Told]]:
    """The edits that have a command, by the partitions that they and their commands stand in."""
    found: dict[Place, list[Told]] = {}
    for each in told:
        if each.commanded is not None:
            found.setdefault(each.edited, []).append(each)
            found.setdefault(Place("person.changes", each.commanded.partition), []).append(each)
    return found


def worst_wait(told: Sequence[Told], since: float) -> float:
    """Seconds from then until every partition had shown the command of an edit that was appended later."""
    later = partitions_of(_appended_since(told, since))
    return max(min(each.seen for each in these) for these in later.values()) - since


def _appended_since(told: Sequence[Told], since: float) -> Iterator[Told]:
    """The last ones of all: they are in the order of their appending, give or take what was on its way at once."""
    return (
        each
        for each in takewhile(lambda each: each.appended > since - SETTLE_SECONDS, reversed(told))
        if each.appended >= since
    )


def worst_gap(told: Iterable[Told], since: float, until: float) -> float:
    """The longest time within these in which a partition showed no command."""
    gaps = []
    for these in partitions_of(told).values():
        seen = sorted(each.seen for each in these if since <= each.seen <= until)
        gaps += [later - earlier for earlier, later in pairwise([since, *seen, until])]
    return max(gaps)


def tables(found: Mapping[str, Any]) -> list[Table]:
    """The same for people."""
    table = Table(
        title="how long a partition stands still",
        caption=(
            f"Seconds, of the partition that was worst; medians of {found['tries']} tries, under {found['edits_per_second']} edits a "
            f"second over {found['people']:,} people. A killed worker was ready again after {found['ready']['median_seconds']:.2f} s."
        ),
        caption_justify="left",
    )
    table.add_column("")
    for heading in ("median", "least", "most", "aim"):
        table.add_column(heading, justify="right")
    for name, words in WORDS.items():
        each = found[name]
        aim = "" if each["aim_seconds"] is None else f"{each['aim_seconds']:.1f}"
        table.add_row(
            words, f"{each['median_seconds']:.2f}", f"{min(each['seconds']):.2f}", f"{max(each['seconds']):.2f}", aim
        )
    return [table]
