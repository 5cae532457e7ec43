"""Run worlds: `python -m tests.simulation --seeds 100000`, or tell one: `--profile edits --seed 123 --trace`, or shortened: `--shrink`."""

from __future__ import annotations

import argparse
import os
import sys

from tests.simulation.profiles import PROFILES, Profile
from tests.simulation.running import Report, run_all, seeds_of
from tests.simulation.shrinking import recorded, shrunk, told
from tests.simulation.world import World


def main() -> int:
    """The command line. Exit status 1 when anything is wrong with any world."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many worlds, shared out among the profiles")
    parser.add_argument("--first", type=int, default=0, help="the first seed of each profile")
    parser.add_argument("--profile", action="append", choices=sorted(PROFILES), help="only this one (again: these)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; as many as there are cores")
    parser.add_argument("--shown", type=int, default=3, help="how many of the first failures are told, shortened")
    parser.add_argument("--seed", type=int, help="one world of one profile")
    parser.add_argument("--trace", action="store_true", help="with --seed: the whole story, step by step")
    parser.add_argument("--shrink", action="store_true", help="with --seed: the story shortened while it still fails")
    options = parser.parse_args()
    if options.seed is not None:
        profile = PROFILES[(options.profile or ["edits"])[0]]
        return _shrink(profile, options.seed) if options.shrink else _one(profile, options.seed, options.trace)
    return _many(run_all(seeds_of(options.seeds, options.first, options.profile), options.jobs), options.shown)


def _one(profile: Profile, seed: int, trace: bool) -> int:
    found = World(seed, profile, print if trace else None).run()
    print(f"{profile.name} {seed}: {'ok' if not found else ''}")
    for each in found:
        print(f"  {each}")
    return bool(found)


def _shrink(profile: Profile, seed: int) -> int:
    story, found = recorded(seed, profile)
    print(f"{profile.name} {seed}: {found[0] if found else 'ok'}")
    if not found:
        return 0
    short = shrunk(story, profile, found[0].law)
    print(f"  {len(short) - 1} of {len(story) - 1} moves are enough:")
    for line in told(short, profile):
        print(f"  {line}")
    print(f"  again: python -m tests.simulation --profile {profile.name} --seed {seed} --shrink")
    return 1


def _many(report: Report, shown: int) -> int:
    for line in report.lines():
        print(line)
    for failure in report.failures[:shown]:
        print()
        _shrink(PROFILES[failure.profile], failure.seed)
    return bool(report.failures)


if __name__ == "__main__":
    sys.exit(main())
