"""Access tokens: an hour each, the same one with its remaining life until it expires ("Authentication")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from uuid import uuid4

from aiohttp import web

from streams.simulators.marketo.envelope import Json, Refused


@dataclass(frozen=True)
class MarketoCredentials:
    """A custom service: its id, its secret, and the API-only user that owns it."""

    client_id: str
    client_secret: str = field(repr=False)
    user: str = "api@leadsync.example"


@dataclass
class _Issued:
    token: str
    expires_at: float


class Identity:
    """Issues tokens and knows them again. `clock` gives seconds since the epoch."""

    def __init__(
        self, services: Iterable[MarketoCredentials], token_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._services = {service.client_id: service for service in services}
        self._token_seconds, self._clock = token_seconds, clock
        self._issued: dict[str, _Issued] = {}
        self._owners: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """GET|POST /identity/oauth/token."""
        form = await request.post() if request.method == "POST" else {}
        asked = {**request.query, **{name: str(value) for name, value in form.items()}}
        if asked.get("grant_type") != "client_credentials":
            return _unauthorised("unsupported_grant_type", f"Unsupported grant type: {asked.get('grant_type', '')}")
        service = self._services.get(asked.get("client_id", ""))
        if service is None or not compare_digest(
            service.client_secret.encode(), asked.get("client_secret", "").encode()
        ):
            return _unauthorised("invalid_client", "Bad client credentials")
        return web.json_response(self._token(service))

    def owner(self, request: web.Request) -> MarketoCredentials:
        """Whose call it is. Raises Refused: 601 or 602."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        client_id = self._owners.get(token)
        if scheme.lower() != "bearer" or client_id is None:
            raise Refused("601", "Access token invalid")
        issued = self._issued.get(client_id)
        if issued is None or issued.token != token or issued.expires_at <= self._clock():
            raise Refused("602", "Access token expired")
        return self._services[client_id]

    def expire(self, client_id: str) -> None:
        """End the life of a token early."""
        self._issued.pop(client_id, None)

    def _token(self, service: MarketoCredentials) -> Json:
        now, issued = self._clock(), self._issued.get(service.client_id)
        if issued is None or issued.expires_at <= now:
            issued = _Issued(f"{uuid4()}:sim", now + self._token_seconds)
            self._issued[service.client_id] = issued
            self._owners[issued.token] = service.client_id
        return {
            "access_token": issued.token,
            "token_type": "bearer",
            "expires_in": int(issued.expires_at - now),
            "scope": service.user,
        }


def _unauthorised(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=401)
