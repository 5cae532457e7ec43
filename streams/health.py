"""The worker's one port: `/health/live`, `/health/ready` and `/metrics`. Nothing else is served, and nothing is changed.

Live is answered by the event loop that handles the batches, so it says that the loop still turns: restart a worker that
does not answer. Ready says that the tables are recovered and the partitions flow; send nobody away for not being ready
but wait for it, since a worker that recovers is at work.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from streams.metrics import Metrics
from streams.settings import Settings, SettingsError

PORT_MAX = 65_535
CLOSE_SECONDS = 1.0
"""How long a scrape that is under way may take when the worker stops."""

Ready = Callable[[], str | None]
Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serve_health(settings: Settings, metrics: Metrics, ready: Ready) -> AsyncIterator[int]:
    """Serve on `settings.host` and `settings.port` (0: a free one) until left; yields the port.

    `ready` returns None when ready, else one line that says what is awaited. Raises SettingsError where the port cannot
    be had.
    """
    runner = web.AppRunner(_application(metrics, ready), access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    try:
        await _listen(runner, settings)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _application(metrics: Metrics, ready: Ready) -> web.Application:
    handlers: Mapping[str, Handler] = {
        "/health/live": _live,
        "/health/ready": _ready(ready),
        "/metrics": _metrics(metrics),
    }
    application = web.Application()
    for path, handler in handlers.items():
        application.router.add_get(path, handler)
    return application


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        if not 0 <= settings.port <= PORT_MAX:  # uvloop would take it modulo 65,536
            raise OverflowError(f"ports go up to {PORT_MAX}")
        await web.TCPSite(runner, settings.host, settings.port).start()
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"health and metrics cannot listen on {settings.host}:{settings.port}: {_reason(error)}; "
            "name another with --port (0: a free one) or --host"
        ) from None


def _reason(error: OSError | OverflowError) -> str:
    """In few words: asyncio and uvloop wrap the system's own in a sentence that names the address again."""
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


async def _live(_request: web.Request) -> web.Response:
    return web.Response(text="live\n")


def _ready(ready: Ready) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        waiting_for = ready()
        if waiting_for is None:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"{waiting_for}\n")

    return handler


def _metrics(metrics: Metrics) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics.registry), headers={"Content-Type": content_type})

    return handler
