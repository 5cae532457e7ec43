"""Run seeds: `python -m tests.connectors.dynamics.worlds --seeds 100 --profile life`; one told: `--first 7 --seeds 1 --trace`."""

from __future__ import annotations

import sys

from tests.connectors.dynamics.world import DynamicsWorld
from tests.connectors.rest_world import main

if __name__ == "__main__":
    sys.exit(main(DynamicsWorld))
