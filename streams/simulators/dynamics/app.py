"""The socket's side: tokens, limits and faults around what the service answers.

Order: a delay; the token; the limits; a connection dropped before anything was done; the answer; one that is lost, or replaced
by a server's error, after everything was done.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import orjson
from aiohttp import web

from streams.simulators.dynamics.answers import JSON_TYPE, ApiError, Reply
from streams.simulators.dynamics.batch import API_PATH
from streams.simulators.dynamics.call import call_of
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.limits import Gate, Limits
from streams.simulators.dynamics.service import Service
from streams.simulators.dynamics.tokens import DynamicsCredentials, Tokens, openid_configuration
from streams.simulators.dynamics.webhook import ServiceEndpoint, Webhook
from streams.simulators.faults import Faults

GATE: web.AppKey[Gate] = web.AppKey("gate", Gate)
TOKENS: web.AppKey[Tokens] = web.AppKey("tokens", Tokens)


def build_dynamics_app(
    instance: DynamicsInstance,
    faults: Faults,
    *,
    credentials: DynamicsCredentials,
    limits: Limits | None = None,
    endpoint: ServiceEndpoint | None = None,
) -> web.Application:
    """The organisation's Web API, and the token endpoint of its tenant, as one application.

    `endpoint` is told of every change while the application runs. `app[GATE]` and `app[TOKENS]` are for tests.
    """
    limits = limits or Limits()
    app = web.Application(client_max_size=limits.content_bytes_max)
    front = Front(instance, faults, Tokens(credentials, limits.token_seconds, instance.clock), limits)
    app[GATE], app[TOKENS] = front.gate, front.tokens
    app.router.add_post("/{tenant}/oauth2/v2.0/token", front.token)
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", front.openid)
    app.router.add_route("*", "/api/data/v{version:9\\.[0-2]}/{path:.*}", front.api)
    if endpoint is not None:
        app.cleanup_ctx.append(Webhook(instance, endpoint).running)
    return app


class Front:
    """What a request meets first."""

    def __init__(self, instance: DynamicsInstance, faults: Faults, tokens: Tokens, limits: Limits) -> None:
        self.gate, self.tokens = Gate(limits, instance.clock), tokens
        self._instance, self._faults = instance, faults
        self._service = Service(instance, faults, limits)

    async def token(self, request: web.Request) -> web.Response:
        """The tenant's token endpoint."""
        await self._faults.delay()
        self._instance.calls["POST token"] += 1
        form = {name: str(value) for name, value in (await request.post()).items()}
        reply = self.tokens.grant(request.match_info["tenant"], form)
        return web.json_response(reply.body, status=reply.status, headers={"Cache-Control": "no-store, no-cache"})

    async def openid(self, request: web.Request) -> web.Response:
        """Where a client library finds the token endpoint."""
        return web.json_response(
            openid_configuration(f"{request.scheme}://{request.host}", request.match_info["tenant"])
        )

    async def api(self, request: web.Request) -> web.StreamResponse:
        """A request to the Web API."""
        await self._faults.delay()
        if not self.tokens.is_good(request.headers.get("Authorization")):
            return _unauthorized(request)
        try:
            self.gate.enter()
        except ApiError as error:
            return self._response(error.reply(), request)
        try:
            return await self._admitted(request)
        finally:
            self.gate.leave()

    async def _admitted(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        faults = self._faults
        if faults.strikes("throttled_429"):
            return self._response(self.gate.close(faults.plan.retry_after_seconds).reply(), request)
        if faults.strikes("dropped_before"):
            return _dropped(request)
        is_dropped = faults.strikes("dropped_after")
        is_broken = not is_dropped and faults.strikes("server_5xx_after")
        reply = self._answer(request, content, is_sent=not is_dropped and not is_broken)
        if is_dropped:
            return _dropped(request)
        if is_broken:
            reply = ApiError(
                503, "0x80072323", "The service is temporarily unavailable. Please try again later."
            ).reply()
        return self._response(reply, request)

    def _answer(self, request: web.Request, content: bytes, is_sent: bool) -> Reply:
        base = f"{request.scheme}://{request.host}{API_PATH}"
        target = request.raw_path.partition("/api/data/")[2].partition("/")[2]
        try:
            call = call_of(request.method, base, target, _headers(request), content)
        except ApiError as error:
            return error.reply()
        return self._service.answer(call, is_sent)

    def _response(self, reply: Reply, request: web.Request) -> web.Response:
        headers = {
            "OData-Version": "4.0",
            "x-ms-service-request-id": str(uuid.uuid4()),
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(self.gate.remaining),
            **reply.headers,
        }
        if isinstance(reply.body, str):
            headers.setdefault("Content-Type", "text/plain")
            return web.Response(status=reply.status, text=None, body=reply.body.encode(), headers=headers)
        if reply.body is None:
            return web.Response(status=reply.status, headers=headers)
        body = orjson.dumps(reply.body)
        return web.Response(
            status=reply.status, body=body, headers={**headers, "Content-Type": f"{JSON_TYPE}; charset=utf-8"}
        )


def _headers(request: web.Request) -> Mapping[str, str]:
    """Several headers of one name are one list."""
    return {name: ", ".join(request.headers.getall(name)) for name in request.headers}


def _unauthorized(request: web.Request) -> web.Response:
    challenge = f"Bearer authorization_uri={request.scheme}://{request.host}/common/oauth2/authorize, resource_id={request.scheme}://{request.host}/"
    return web.Response(
        status=401, text="HTTP Error 401 - Unauthorized: Access is denied", headers={"WWW-Authenticate": challenge}
    )


def _dropped(request: web.Request) -> web.Response:
    """The connection ends, and the client never learns how its request did."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
