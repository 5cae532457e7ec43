"""The event loop of both threads: uvloop where there is one."""

import asyncio
import sys


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A fresh loop, not yet running."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
