"""The one port of a worker or a connector: `/health/live`, `/health/ready` and `/metrics`. Nothing else is served, and nothing is changed.

Live is answered by the event loop that handles the batches, so it says that the loop still turns: restart a worker that
does not answer. Ready says that the tables are recovered and the partitions flow; send nobody away for not being ready
but wait for it, since a worker that recovers is at work.
"""

from __future__ import annotations

import asyncio
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

CONNECTIONS_MAX = 200
"""Of one port: whoever holds them open leaves the process the files that it needs, of 256 at the least."""

HEADER_SECONDS_MAX = 10.0
IDLE_SECONDS_MAX = 75.0
"""Between two requests: longer than proxies keep a connection, so that none is closed under a call."""

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

    `line_bytes_max`: of a request line and a header. Connections are bounded in number, and in the time until they ask for something.
    """
    silent: set[object] = set()

    @web.middleware
    async def noted(request: web.Request, handler: Callable[..., Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        silent.discard(request.protocol)
        return await handler(request)

    application.middlewares.insert(0, noted)
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=CLOSE_SECONDS,
        keepalive_timeout=IDLE_SECONDS_MAX,
        max_line_size=line_bytes_max,
        max_field_size=line_bytes_max,
    )
    await runner.setup()
    assert runner.server is not None
    try:
        server = await _listen(_door(runner.server, silent), host, port, what, option)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
    finally:
        await runner.cleanup()


class _Full(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _door(server: web.Server, silent: set[object]) -> Callable[[], asyncio.Protocol]:
    """Makes the connections. `silent`: those that have sent no whole header yet."""

    def close_if_silent(connection: web.RequestHandler) -> None:
        if connection in silent:
            silent.discard(connection)
            connection.force_close()

    def connected() -> asyncio.Protocol:
        if len(server.connections) >= CONNECTIONS_MAX:
            return _Full()
        connection = server()
        silent.add(connection)
        asyncio.get_running_loop().call_later(HEADER_SECONDS_MAX, close_if_silent, connection)
        return connection

    return connected


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


async def _listen(door: Callable[[], asyncio.Protocol], host: str, port: int, what: str, option: str) -> asyncio.Server:
    try:
        if not 0 <= port <= PORT_MAX:  # uvloop would take it modulo 65,536
            raise OverflowError(f"ports go up to {PORT_MAX}")
        return await asyncio.get_running_loop().create_server(door, host, port)
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
