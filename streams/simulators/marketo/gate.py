"""What stands before every endpoint: faults, sizes, access, limits; and what wraps every answer.

The order is Marketo's: who calls, how much was called today, how much just now, how much at once. Only then is the call
carried out; a fault may still lose its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import orjson
from aiohttp import web
from multidict import MultiDict

from streams.simulators.faults import Faults
from streams.simulators.marketo.call import FORM, Answer, Call, Endpoint, RequestIds
from streams.simulators.marketo.envelope import Refused, failed, succeeded
from streams.simulators.marketo.identity import Identity, MarketoCredentials
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.marketo.limits import FREE_CODES, Limits, Meter, rate_message

log = logging.getLogger(__name__)

TIMED_OUT = ("604", "Request timed out")
REAL_LIMITS = {"606": "rate_606", "615": "concurrency_615"}
"""Refusals that come about by themselves too, and under which name they are counted."""


class Gate:
    """Answers every call of one path. `endpoints`: those of this path, by method."""

    def __init__(
        self,
        instance: MarketoInstance,
        faults: Faults,
        limits: Limits,
        meter: Meter,
        identity: Identity,
        connector_id: str,
    ) -> None:
        self.instance, self.faults, self.limits = instance, faults, limits
        self.meter, self.identity, self.connector_id = meter, identity, connector_id
        self._request_ids = RequestIds()

    async def answer(self, request: web.Request, endpoints: Mapping[str, Endpoint]) -> web.StreamResponse:
        """The answer to one call; a dropped connection has none."""
        if self.faults.strikes("dropped_before"):
            return _dropped(request)
        now = self.instance.clock()
        request_id, user = self._request_ids.next(now), ""
        try:
            self._check_size(request)
            service = self.identity.owner(request)
            user = service.user
            self._strike_before(service, now)
            self._admit(user, now)
            try:
                endpoint, answer = await self._carried_out(request, endpoints, request_id, service, now)
            finally:
                self.meter.release()
            if endpoint.writes and self.faults.strikes("dropped_after"):
                return _dropped(request)
            return _wrapped(request_id, answer)
        except Refused as refused:
            return self._refused(request_id, user, refused, now)
        except web.HTTPRequestEntityTooLarge:
            return self._refused(request_id, user, Refused("413", "Request Entity Too Large", 413), now)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception:
            log.exception("a call of %s failed", request.path)
            return self._refused(request_id, user, Refused("611", "System error"), now)

    async def _carried_out(
        self,
        request: web.Request,
        endpoints: Mapping[str, Endpoint],
        request_id: str,
        service: MarketoCredentials,
        now: float,
    ) -> tuple[Endpoint, Answer]:
        await self.faults.delay()
        endpoint, params = await self._endpoint(request, endpoints)
        self.instance.calls[f"{endpoint.method} {endpoint.path}"] += 1
        is_connector = service.client_id == self.connector_id
        call = Call(
            request, self.instance, self.faults, self.limits, self.meter,
            request_id, service.user, is_connector, params, now,
        )  # fmt: skip
        answer = await endpoint.handler(call)
        if endpoint.writes and self.faults.strikes("timeout_604_after"):
            raise Refused(*TIMED_OUT)
        return endpoint, answer

    def _admit(self, user: str, now: float) -> None:
        try:
            self.meter.admit(user, now)
        except Refused as refused:
            if refused.code in REAL_LIMITS:
                self.faults.note(REAL_LIMITS[refused.code])
            raise

    def _check_size(self, request: web.Request) -> None:
        if request.method == "GET" and len(request.raw_path) > self.limits.uri_bytes:
            raise Refused("414", "Request-URI Too Long", 414)
        if (request.content_length or 0) > self.limits.body_bytes:
            raise Refused("413", "Request Entity Too Large", 413)

    def _strike_before(self, service: MarketoCredentials, now: float) -> None:
        if self.faults.strikes("token_602"):
            self.identity.expire(service.client_id)
            raise Refused("602", "Access token expired")
        if now >= self.meter.used_up_until and self.faults.strikes("quota_607"):
            self.meter.used_up_until = now + self.faults.plan.quota_seconds
        if now >= self.meter.used_up_until:
            if self.faults.strikes("rate_606"):
                raise Refused("606", rate_message(self.limits))
            if self.faults.strikes("concurrency_615"):
                raise Refused("615", "Concurrent access limit reached")

    async def _endpoint(
        self, request: web.Request, endpoints: Mapping[str, Endpoint]
    ) -> tuple[Endpoint, MultiDict[str]]:
        """The endpoint, by the method or by `_method`, which stands in the query or in a form."""
        params = MultiDict(request.query)
        if request.method == "POST" and request.content_type == FORM:
            params.extend({name: str(value) for name, value in (await request.post()).items()})
        method = params.get("_method", request.method).upper() if request.method == "POST" else request.method
        if not endpoints:
            raise Refused("610", "Requested resource not found")
        if method not in endpoints:
            raise Refused("605", f"HTTP Method '{method}' not supported")
        return endpoints[method], params

    def _refused(self, request_id: str, user: str, refused: Refused, now: float) -> web.Response:
        self.meter.note_error(refused.code, now)
        if user and refused.code in FREE_CODES and refused.code not in ("601", "602"):
            self.meter.refund(user, now)
        answer = failed(request_id, refused.code, refused.message)
        return _json(answer, refused.status)


def _wrapped(request_id: str, answer: Answer) -> web.StreamResponse:
    return answer if isinstance(answer, web.StreamResponse) else _json(succeeded(request_id, answer), 200)


def _json(content: object, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json", charset="utf-8")


def _dropped(request: web.Request) -> web.Response:
    """Close the connection; the answer then goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
