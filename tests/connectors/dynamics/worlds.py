"""Run seeds: `python -m tests.connectors.dynamics.worlds --seeds 100 --profile life`; one told: `--first 7 --seeds 1 --trace`.

A world hangs on how the machine schedules its sockets, a little: a seed that failed once may need another run.
"""

from __future__ import annotations

import argparse
import logging
import sys

from tests.connectors.dynamics.world import RestWorld
from tests.simulation.profiles import PROFILES


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--profile", action="append", choices=sorted(PROFILES))
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failed = 0
    for name in options.profile or PROFILES:
        found = {seed: _run(name, seed, options.trace) for seed in range(options.first, options.first + options.seeds)}
        wrong = {seed: told for seed, told in found.items() if told}
        failed += len(wrong)
        print(f"{name:12} {len(found) - len(wrong):5} of {len(found)} right")
        for seed, told in wrong.items():
            print(f"  --first {seed}: {told[0]}")
    return bool(failed)


def _run(name: str, seed: int, trace: bool) -> list[str]:
    world = RestWorld(seed, PROFILES[name], print if trace else None)
    try:
        return world.run()
    except Exception as error:  # a seed must be named whatever happens in it
        return [f"raised {type(error).__name__}: {error}"]
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
