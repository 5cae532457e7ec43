"""The event loop of both threads: uvloop where there is one."""

import asyncio
import sys

from streams.lane.connections import make_telling_connections


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A fresh loop, not yet running."""
    make_telling_connections()
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
