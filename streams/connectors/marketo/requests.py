"""Where Marketo calls: Sync Person as a webhook (trigger campaigns) and as a flow step (batch campaigns too).

    POST /marketo/webhooks/sync-person
    POST /marketo/flow-step/submitAsyncAction (or /async), GET …/getServiceDefinition, …/status, POST …/getPicklist
    GET  /marketo/flow-step/openapi.json      the only one that needs no secret

Every other call shows the secret, as a bearer token or as `x-api-key`. It is answered with a 2xx only when the request is on
Kafka; a repeat of a call is a repeat of the same change. (Design, "Sync Person to Microsoft"; domain, 3.1.6.)
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from aiohttp import web
from pydantic import SecretStr

from streams.codec import Unreadable, decode_source_change, encode
from streams.connectors.journal import Entry, Journal, StreamChange
from streams.connectors.known import KnownRecord, KnownRecords
from streams.connectors.marketo.answers import person
from streams.connectors.marketo.asked import (
    Asked,
    NotUnderstood,
    as_it_is,
    is_to_be_looked_up,
    of_flow_step,
    of_webhook,
    requested,
)
from streams.connectors.marketo.callbacks import Callback, Callbacks, is_callable
from streams.connectors.marketo.flow_step import DEFINITION, STATUS, choices, completed, openapi
from streams.connectors.marketo.persons_now import PersonsOf
from streams.connectors.options import Options
from streams.connectors.settings import LOOPBACK
from streams.connectors.times import rfc3339
from streams.health import listening
from streams.sync.messages import SourceChange

log = logging.getLogger(__name__)

WEBHOOK = "/marketo/webhooks/sync-person"
FLOW_STEP = "/marketo/flow-step"
BODY_BYTES_MAX = 4 * 1024 * 1024
PORT = re.compile(r":\d*$")
ANSWER_SECONDS_MAX = 20.0
"""Marketo waits for 30 seconds."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SyncPersonServer:
    """`start`, then `run` in a task, and `stop`. `columns`: the fields of a view; `persons_of`: looks up those not told yet."""

    def __init__(
        self,
        journal: Journal,
        secret: SecretStr,
        columns: Callable[[], Sequence[str]],
        persons_of: PersonsOf,
        callbacks: Callbacks,
        options: Options,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._journal, self._secret, self._columns, self._persons_of = journal, secret, columns, persons_of
        self._callbacks, self._options, self._now = callbacks, options, now
        self._open = AsyncExitStack()
        self._failed: asyncio.Future[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises SettingsError where the port cannot be had."""
        host, port = self._options.listen_host, self._options.listen_port or 0
        what = "calls from Marketo cannot be listened for"
        self._failed = asyncio.get_running_loop().create_future()
        self.port = await self._open.enter_async_context(listening(self.application(), host, port, what, "--listen"))
        print(f"connector: listening http://{host}:{self.port}", file=sys.stderr, flush=True)  # noqa: T201

    async def run(self) -> None:
        """Call back what was taken. Raises what the journal raised: the process has to end."""
        assert self._failed is not None
        calling = asyncio.create_task(self._callbacks.run())
        try:
            await asyncio.wait({calling, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            (self._failed if self._failed.done() else calling).result()
        finally:
            calling.cancel()

    async def stop(self) -> None:
        """Listen no more."""
        if self._failed is not None:
            self._failed.cancel()
        await self._open.aclose()

    def application(self) -> web.Application:
        """What is served."""
        application = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guarded])
        add = application.router.add_route
        add("POST", WEBHOOK, self._webhook)
        for name in ("submitAsyncAction", "async"):
            add("POST", f"{FLOW_STEP}/{name}", self._flow_step)
        add("GET", f"{FLOW_STEP}/getServiceDefinition", _told(DEFINITION))
        add("GET", f"{FLOW_STEP}/status", _told(STATUS))
        add("POST", f"{FLOW_STEP}/getPicklist", self._picklist)
        add("GET", f"{FLOW_STEP}/openapi.json", self._openapi)
        return application

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != f"{FLOW_STEP}/openapi.json" and not self._is_ours(request):
            return _answer(401, {"error": "the secret is missing or wrong: Authorization: Bearer …, or x-api-key"})
        try:
            return await handler(request)
        except NotUnderstood as error:
            log.warning("a call of %s was not understood: %s", request.path, error)
            return _answer(400, {"error": str(error)})
        except web.HTTPRequestEntityTooLarge:
            return _answer(413, {"error": f"the body is too long; allowed are {BODY_BYTES_MAX} bytes"})

    def _is_ours(self, request: web.Request) -> bool:
        """In a time that says nothing about how much of it was right."""
        secret = self._secret.get_secret_value().encode()
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        shown = (token.strip() if scheme.lower() == "bearer" else "", request.headers.get("x-api-key", ""))
        return any(hmac.compare_digest(each.encode("utf-8", "surrogateescape"), secret) for each in shown)

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        asked = of_webhook(await _json(request), self._columns())
        if not await self._take([asked]):
            return _answer(503, {"error": "Kafka did not take it in time: call again"})
        return _answer(200, {"requestId": asked.name, "status": "accepted"})

    async def _flow_step(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        people = of_flow_step(body, self._columns())
        if not is_callable(body.get("callbackUrl")):
            raise NotUnderstood("callbackUrl", "cannot be called", "an https address")
        if not await self._take(people):
            return _answer(503, {"error": "Kafka did not take it in time: call again"})
        self._callbacks.add(_callback(body, people))
        return _answer(201, {"status": "accepted"})

    async def _picklist(self, request: web.Request) -> web.StreamResponse:
        found = choices(await _json(request))
        if found is None:
            raise NotUnderstood("name", "has no list of choices", "syncAs")
        return _answer(200, found)

    async def _openapi(self, request: web.Request) -> web.StreamResponse:
        """Whoever calls from outside has come through the proxy that speaks TLS, and can come in no other way."""
        host = request.host
        if not host.isascii():
            raise NotUnderstood("Host", "is no name of a host", "the one under which Marketo reaches it")
        scheme = "http" if PORT.sub("", host).strip("[]") in LOOPBACK else "https"
        return _answer(200, openapi(f"{scheme}://{host}{FLOW_STEP}"))

    async def _take(self, people: Sequence[Asked]) -> bool:
        """Whether it is on Kafka. A write that has begun is never broken off."""
        at = rfc3339(self._now())
        known = self._journal.known
        people = await self._looked_up(people)
        changes = [StreamChange(each.lead_id, _readable(requested(each, known, at))) for each in people]
        writing = asyncio.ensure_future(self._journal.write(lambda known: _entry(changes, known)))
        writing.add_done_callback(self._note_failure)
        done, _ = await asyncio.wait({writing}, timeout=ANSWER_SECONDS_MAX)
        return bool(done) and not writing.cancelled() and writing.exception() is None

    async def _looked_up(self, people: Sequence[Asked]) -> list[Asked]:
        """With whoever is not told yet as Marketo has them now."""
        wanted = [each.lead_id for each in people if is_to_be_looked_up(each, self._journal.known)]
        columns = self._columns()
        persons = await self._persons_of(wanted, columns) if wanted else {}
        return [as_it_is(each, persons[each.lead_id], columns) if each.lead_id in persons else each for each in people]

    def _note_failure(self, writing: asyncio.Future[None]) -> None:
        error = None if writing.cancelled() else writing.exception()
        if error is not None and self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)


def _entry(changes: Sequence[StreamChange], known: KnownRecords) -> Entry:
    """The requests, and that there are these people: what fails for somebody new must find their log before the feed tells of them."""
    unknown = [stream for stream, change in changes if known.get(stream) is None and change.person_key is None]
    return Entry(
        asked=tuple(changes),
        records=tuple(KnownRecord(record=person(stream), stream=stream) for stream in dict.fromkeys(unknown)),
    )


def _readable(change: SourceChange) -> SourceChange:
    """What intake would put aside must not be confirmed. Raises NotUnderstood."""
    try:
        decode_source_change(encode(change))
    except Unreadable as error:
        raise NotUnderstood(
            "the person's fields", f"cannot be taken: {error.detail}", "what a change can hold"
        ) from None
    return change


def _callback(body: Any, people: Sequence[Asked]) -> Callback:
    context = body.get("context")
    subscription = context.get("subscription") if isinstance(context, dict) else None
    munchkin_id = subscription.get("munchkinId") if isinstance(subscription, dict) else None
    return Callback(
        str(body["callbackUrl"]),
        str(body.get("apiCallBackKey") or ""),
        str(body.get("token") or ""),
        completed(str(munchkin_id or ""), people),
    )


def _told(shape: Any) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return _answer(200, shape)

    return handler


async def _json(request: web.Request) -> Any:
    try:
        return msgspec.json.decode(await request.read())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotUnderstood("the body", "is no JSON in UTF-8", "a JSON object") from None


def _answer(status: int, shape: Any) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(shape), content_type="application/json")
