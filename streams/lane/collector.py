"""When the garbage collector runs.

Records and states are made of bytes and make no cycles, yet the collector walks them: a third of the time of a loaded
worker. So what exists after the start is set aside, the collector comes rarely, and a full round waits for an idle moment.
"""

import asyncio
import gc
from collections.abc import Callable

YOUNG_OBJECTS = 100_000
IDLE_LOOK_SECONDS = 5.0


def make_rare() -> None:
    """Set aside what exists, most of it for ever, and raise the thresholds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 50, 100)


async def collect_when_idle(was_busy: Callable[[], bool]) -> None:
    """A full round at the end of each busy time. `was_busy` tells, and forgets, whether anything was done since asked."""
    owed = False
    while True:
        await asyncio.sleep(IDLE_LOOK_SECONDS)
        if was_busy():
            owed = True
        elif owed:
            gc.collect()
            owed = False
