"""An aiohttp application on a port of this machine, for as long as a block of code lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from streams.health import listening

LINE_BYTES_MAX = 65_536
"""Of a request line and a header: more than any simulated limit, so that the application answers what is too long, not the parser."""


@asynccontextmanager
async def serving(app: web.Application, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve `app` within the block; gives its address without a slash at the end. Port 0: any free one.

    Raises SettingsError where the port is taken.
    """
    what = "the simulator cannot listen"
    async with listening(app, host, port, what, "--port", LINE_BYTES_MAX) as bound:
        yield f"http://{host}:{bound}"
