"""The event loop of both threads: uvloop where there is one."""

import asyncio
import sys

from streams.lane.closed_connections import tell_of_closed_connections


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A fresh loop, not yet running."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    tell_of_closed_connections()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
