"""The one port of a worker or a connector: `/health/live`, `/health/ready` and `/metrics`. Nothing else is served, and nothing is changed.

Live is answered by the event loop that handles the batches, so it says that the loop still turns: restart a worker that
does not answer. Ready says that the tables are recovered and the partitions flow; send nobody away for not being ready
but wait for it, since a worker that recovers is at work.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.settings import Settings, SettingsError

PORT_MAX = 65_535
LINE_BYTES_MAX = 8_190
CLOSE_SECONDS = 1.0
"""How long a scrape that is under way may take when the worker stops."""

Ready = Callable[[], str | None]


class Measured(Protocol):
    """Whatever has metrics: a worker, a connector."""

    @property
    def registry(self) -> CollectorRegistry:
        """What `/metrics` tells."""


Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serve_health(settings: Settings, metrics: Measured, ready: Ready) -> AsyncIterator[int]:
    """Serve on `settings.host` and `settings.port` (0: a free one) until left; yields the port.

    `ready` returns None when ready, else one line that says what is awaited. Raises SettingsError where the port cannot
    be had.
    """
    what = "health and metrics cannot listen"
    async with listening(_application(metrics, ready), settings.host, settings.port, what, "--port") as port:
        yield port


@asynccontextmanager
async def listening(
    application: web.Application, host: str, port: int, what: str, option: str, line_bytes_max: int = LINE_BYTES_MAX
) -> AsyncIterator[int]:
    """Serve an application until left; yields the port. Raises SettingsError, which says `what` cannot be, and the option.

    `line_bytes_max`: of a request line and a header.
    """
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=CLOSE_SECONDS,
        max_line_size=line_bytes_max,
        max_field_size=line_bytes_max,
    )
    await runner.setup()
    try:
        await _listen(runner, host, port, what, option)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _application(metrics: Measured, ready: Ready) -> web.Application:
    handlers: Mapping[str, Handler] = {
        "/health/live": _live,
        "/health/ready": _ready(ready),
        "/metrics": _metrics(metrics),
    }
    application = web.Application()
    for path, handler in handlers.items():
        application.router.add_get(path, handler)
    return application


async def _listen(runner: web.AppRunner, host: str, port: int, what: str, option: str) -> None:
    try:
        if not 0 <= port <= PORT_MAX:  # uvloop would take it modulo 65,536
            raise OverflowError(f"ports go up to {PORT_MAX}")
        await web.TCPSite(runner, host, port).start()
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"{what} on {host}:{port}: {_reason(error)}; name another with {option} (0: a free one) or --host"
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


def _metrics(metrics: Measured) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics.registry), headers={"Content-Type": content_type})

    return handler
