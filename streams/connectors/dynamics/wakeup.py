"""When to read change tracking next: soon while something comes, ever more seldom while nothing does, at once when somebody calls.

A Dataverse webhook says only that something has happened. What happened is read from change tracking, so its body is not even
looked at; it is bounded, and the caller must show the secret: as `?code=…`, which is how Dataverse's own `WebhookKey` does it, or
in the header `x-leadsync-secret`.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator

from aiohttp import web
from pydantic import SecretStr

from streams.connectors.options import Options
from streams.health import listening

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 1_048_576
SECRET_HEADER = "x-leadsync-secret"


class Rhythm:
    """`run` reads again and again; `wake` makes the next reading now."""

    def __init__(self, read: Callable[[], Awaitable[int]], busy_seconds: float, idle_seconds: float) -> None:
        self._read, self._busy, self._idle = read, busy_seconds, idle_seconds
        self._called = asyncio.Event()

    def wake(self) -> None:
        """Somebody says that there is something."""
        self._called.set()

    async def run(self) -> None:
        """Until cancelled. Raises what reading raises."""
        waits = self.waits()
        while True:
            self._called.clear()
            told = await self._read()
            waits = self.waits() if told else waits
            await self._rest(next(waits))

    def waits(self) -> Iterator[float]:
        """Seconds before each further reading that brings nothing."""
        seconds = self._busy
        while True:
            yield seconds
            seconds = min(seconds * 2, self._idle)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._called.wait(), seconds)
        except TimeoutError:
            return


def wake_up_application(secret: SecretStr, wake: Callable[[], None]) -> web.Application:
    """`POST /` with the secret wakes; whatever else is refused."""

    async def called(request: web.Request) -> web.Response:
        shown = request.headers.get(SECRET_HEADER) or request.query.get("code", "")
        # what is no UTF-8 comes as surrogates: in a header escaped bytes, in a query whatever was written there
        if not hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), secret.get_secret_value().encode()):
            return web.Response(status=401, text="the secret is missing or wrong\n")
        wake()
        return web.Response(status=204)

    application = web.Application(client_max_size=BODY_BYTES_MAX)
    application.router.add_post("/", called)
    return application


async def serve_wake_ups(options: Options, secret: SecretStr | None, wake: Callable[[], None]) -> None:
    """Listen until cancelled, where a port and a secret are given. Raises SettingsError where the port cannot be had."""
    if options.listen_port is None or secret is None:
        await asyncio.Event().wait()
        return
    application = wake_up_application(secret, wake)
    what = "calls from Dynamics cannot be taken"
    async with listening(application, options.listen_host, options.listen_port, what, "--listen") as port:
        print(f"connector: listening http://{options.listen_host}:{port}", file=sys.stderr, flush=True)  # noqa: T201
        await asyncio.Event().wait()
