"""`python -m streams.bench.profiled FILE COMMAND…`: leadsync under cProfile, from SIGUSR1 on, statistics to FILE at its end.

Only the main thread is seen: the agents' one. The consumer's thread, which fetches, is not in it.
"""

from __future__ import annotations

import cProfile
import signal
import sys


def main() -> None:
    """Run the command."""
    profile, file = cProfile.Profile(), sys.argv.pop(1)
    signal.signal(signal.SIGUSR1, lambda _number, _frame: profile.enable())
    from streams.cli import main as leadsync

    try:
        leadsync()
    finally:
        profile.disable()
        profile.dump_stats(file)


if __name__ == "__main__":
    main()
