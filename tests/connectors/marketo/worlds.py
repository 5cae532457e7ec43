"""Run seeds: `python -m tests.connectors.marketo.worlds --seeds 100 --profile life`; one told: `--first 7 --seeds 1 --trace`."""

from __future__ import annotations

import sys

from tests.connectors.marketo.world import MarketoWorld
from tests.connectors.rest_world import main

if __name__ == "__main__":
    sys.exit(main(MarketoWorld))
