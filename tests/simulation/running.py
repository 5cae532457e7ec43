"""Many worlds, on every core: shared out in runs of seeds, reported in their order, whoever finishes first."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.simulation.findings import Finding
from tests.simulation.profiles import PROFILES, Profile
from tests.simulation.shrinking import raised
from tests.simulation.world import World

SEEDS_AT_ONCE = 100
PROGRESS_EVERY_SECONDS = 5.0
FAILURES_TOLD_MAX = 20


class Seeds(NamedTuple):
    """Some seeds of a profile, one after the other."""

    profile: str
    first: int
    count: int


class Failure(NamedTuple):
    """A world that is wrong."""

    profile: str
    seed: int
    found: tuple[Finding, ...]

    def __str__(self) -> str:
        more = f" (and {len(self.found) - 1} more)" if self.found[1:] else ""
        return f"--profile {self.profile} --seed {self.seed}: {self.found[0]}{more}"


@dataclass
class Report:
    """What became of them. `worlds`: profile -> how many were run."""

    worlds: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        """The report: failures, profiles, the sum. The same for the same seeds, but for the time."""
        yield from map(str, self.failures[:FAILURES_TOLD_MAX])
        if self.failures[FAILURES_TOLD_MAX:]:
            yield f"and {len(self.failures) - FAILURES_TOLD_MAX} more"
        for name, count in self.worlds.items():
            wrong = sum(failure.profile == name for failure in self.failures)
            yield f"{name:14} {count - wrong:6} of {count} right"
        yield f"{sum(self.worlds.values())} worlds in {self.seconds:.1f} s"


def seeds_of(seeds: int, first: int = 0, names: Collection[str] | None = None) -> list[Seeds]:
    """Every profile, or each of these, with its share of the seeds."""
    profiles = [profile for profile in PROFILES.values() if not names or profile.name in names]
    shares = sum(profile.share for profile in profiles)
    return [Seeds(each.name, first, max(1, round(seeds * each.share / shares))) for each in profiles]


def run_all(asked: Sequence[Seeds], jobs: int = 1) -> Report:
    """Run them all. Progress goes to standard error."""
    report, began = Report(), time.perf_counter()
    progress = Progress(sum(each.count for each in asked))
    for seeds, failures in _run(list(_pieces(asked)), jobs):
        report.worlds[seeds.profile] = report.worlds.get(seeds.profile, 0) + seeds.count
        report.failures += failures
        progress.moved(seeds.count, len(report.failures))
    report.seconds = time.perf_counter() - began
    return report


def failure(profile: Profile, seed: int) -> list[Finding]:
    """What is wrong with one world; what it raises is wrong too."""
    try:
        return World(seed, profile).run()
    except Exception as error:  # a seed must be named whatever happens in it
        return [raised(error)]


class Progress:
    """A line now and then: how far, how long still."""

    def __init__(self, planned: int) -> None:
        self._planned, self._done = planned, 0
        self._began = self._told = time.monotonic()

    def moved(self, worlds: int, failed: int) -> None:
        """So many more are done."""
        self._done += worlds
        now = time.monotonic()
        if now - self._told < PROGRESS_EVERY_SECONDS:
            return
        self._told = now
        left = (now - self._began) * (self._planned - self._done) / self._done
        print(f"{self._done} of {self._planned} worlds, {failed} wrong, about {left:.0f} s left", file=sys.stderr)


def _pieces(asked: Iterable[Seeds]) -> Iterator[Seeds]:
    for seeds in asked:
        for first in range(seeds.first, seeds.first + seeds.count, SEEDS_AT_ONCE):
            yield Seeds(seeds.profile, first, min(SEEDS_AT_ONCE, seeds.first + seeds.count - first))


def _run(pieces: Sequence[Seeds], jobs: int) -> Iterator[tuple[Seeds, list[Failure]]]:
    if jobs < 2:
        yield from ((piece, _failures(piece)) for piece in pieces)
        return
    with ProcessPoolExecutor(jobs, initializer=gc.freeze) as pool:
        yield from zip(pieces, pool.map(_failures, pieces), strict=True)


def _failures(seeds: Seeds) -> list[Failure]:
    profile = PROFILES[seeds.profile]
    return [
        Failure(seeds.profile, seed, tuple(found))
        for seed in range(seeds.first, seeds.first + seeds.count)
        if (found := failure(profile, seed))
    ]
