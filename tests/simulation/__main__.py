"""Run seeds: `python -m tests.simulation --seeds 2000`, or tell one: `--seed 123 --profile edits --trace`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator

from tests.simulation.profiles import PROFILES, Profile
from tests.simulation.world import World


def seeds_of(seeds: int, first: int = 0) -> Iterator[tuple[Profile, int]]:
    """Every profile with its share of the seeds."""
    shares = sum(profile.share for profile in PROFILES.values())
    for profile in PROFILES.values():
        for seed in range(first, first + max(1, round(seeds * profile.share / shares))):
            yield profile, seed


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--profile", action="append", choices=sorted(PROFILES))
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--shown", type=int, default=3, help="failures shown per profile")
    options = parser.parse_args()
    if options.seed is not None:
        return _one(PROFILES[(options.profile or ["edits"])[0]], options.seed, options.trace)
    if options.profile:
        runs = [(PROFILES[name], options.first + n) for name in options.profile for n in range(options.seeds)]
    else:
        runs = list(seeds_of(options.seeds, options.first))
    return _many(runs, options.shown)


def _one(profile: Profile, seed: int, trace: bool) -> int:
    found = World(seed, profile, print if trace else None).run()
    print(f"{profile.name} {seed}: {'ok' if not found else ''}")
    for line in found:
        print(f"  {line}")
    return bool(found)


def _many(runs: list[tuple[Profile, int]], shown: int) -> int:
    began, failed, counts, told = time.perf_counter(), Counter[str](), Counter[str](), Counter[str]()
    for profile, seed in runs:
        counts[profile.name] += 1
        found = failure(profile, seed)
        failed[profile.name] += bool(found)
        if found and told[profile.name] < shown:
            told[profile.name] += 1
            print(f"{profile.name} --seed {seed}: {found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else ""))
    for name, count in counts.items():
        print(f"{name:12} {count - failed[name]:5} of {count} right")
    print(f"{len(runs)} worlds in {time.perf_counter() - began:.1f} s")
    return bool(failed.total())


def failure(profile: Profile, seed: int) -> list[str]:
    """What is wrong with one world; what it raises is wrong too."""
    try:
        return World(seed, profile).run()
    except Exception as error:  # a seed must be named whatever happens in it
        return [f"raised {type(error).__name__}: {error}"]


if __name__ == "__main__":
    sys.exit(main())
