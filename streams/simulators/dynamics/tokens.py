"""Microsoft's identity platform, as far as an application user needs it: a token for client id and secret."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streams.simulators.dynamics.answers import Reply

SCOPE_END = "/.default"


@dataclass(frozen=True)
class DynamicsCredentials:
    """What a client must show: tenant, client id and secret."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)


class Tokens:
    """The access tokens that were given out. `clock`: seconds since the epoch."""

    def __init__(self, credentials: DynamicsCredentials, token_seconds: int, clock: Callable[[], float]) -> None:
        self._credentials, self._seconds, self._clock = credentials, token_seconds, clock
        self._good_until: dict[str, float] = {}

    def grant(self, tenant_id: str, form: Mapping[str, str]) -> Reply:
        """The answer of the token endpoint to a form."""
        refusal = self._refusal(tenant_id, form)
        if refusal is not None:
            return _refused(*refusal)
        now = self._clock()
        self._good_until = {token: until for token, until in self._good_until.items() if until > now}
        token = f"ey{secrets.token_urlsafe(48)}"
        self._good_until[token] = now + self._seconds
        body = {
            "token_type": "Bearer",
            "expires_in": self._seconds,
            "ext_expires_in": self._seconds,
            "access_token": token,
        }
        return Reply(200, body)

    def is_good(self, authorization: str | None) -> bool:
        """Whether an Authorization header holds a token of ours that has not expired."""
        scheme, _, token = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and self._good_until.get(token.strip(), 0.0) > self._clock()

    def revoke_all(self) -> None:
        """No token is good any more."""
        self._good_until.clear()

    def _refusal(self, tenant_id: str, form: Mapping[str, str]) -> tuple[int, str, int, str] | None:
        wanted = self._credentials
        if tenant_id != wanted.tenant_id:
            return 400, "invalid_request", 90002, f"Tenant '{tenant_id}' not found."
        if form.get("grant_type") != "client_credentials":
            return 400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
        if not form.get("scope", "").endswith(SCOPE_END):
            return (
                400,
                "invalid_scope",
                70011,
                "The provided request must include a 'scope' input parameter ending in /.default.",
            )
        if form.get("client_id") != wanted.client_id:
            return (
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{form.get('client_id')}' was not found.",
            )
        if not secrets.compare_digest(form.get("client_secret", "").encode(), wanted.client_secret.encode()):
            return 401, "invalid_client", 7000215, "Invalid client secret provided."
        return None


def openid_configuration(address: str, tenant_id: str) -> dict[str, Any]:
    """Where a client library finds the endpoints of a tenant."""
    authority = f"{address}/{tenant_id}"
    return {
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "issuer": f"{authority}/v2.0",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def _refused(status: int, error: str, number: int, text: str) -> Reply:
    now = datetime.now(UTC)
    trace = str(uuid.uuid4())
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {text} Trace ID: {trace} Timestamp: {now:%Y-%m-%d %H:%M:%SZ}",
        "error_codes": [number],
        "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
        "trace_id": trace,
        "correlation_id": str(uuid.uuid4()),
    }
    return Reply(status, body)
