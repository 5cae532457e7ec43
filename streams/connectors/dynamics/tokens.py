"""Tokens of the application user: OAuth 2.0 client credentials at the tenant's authority, kept until shortly before they expire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from streams.connectors.rest import Answer, OutcomeUnknown, Refused, Rest, Unreachable
from streams.connectors.settings import DynamicsConnection

RENEW_SECONDS_BEFORE = 300.0
LIFE_SECONDS_DEFAULT = 3_600.0
ANSWER_SECONDS_MAX = 30.0


class Tokens:
    """One token at a time. It stands in this object and in a header, nowhere else."""

    def __init__(self, connection: DynamicsConnection, rest: Rest, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection, self._rest, self._clock = connection, rest, clock
        self._token: str | None = None
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        """The token. Raises Refused (401) where the credentials are not taken, and Unreachable."""
        async with self._asking:
            if self._token is None or self._clock() >= self._until:
                await self._ask()
            assert self._token is not None
            return self._token

    def forget(self, token: str) -> None:
        """This one was not taken: the next call gets another."""
        if self._token == token:
            self._token = None

    async def _ask(self) -> None:
        try:
            found = _read(await self._answer())
        except OutcomeUnknown as error:
            raise Unreachable(f"no token: {error}") from None  # nothing has gone to Dynamics
        life = _seconds(found.get("expires_in"))
        self._token = found["access_token"]
        self._until = self._clock() + max(life - RENEW_SECONDS_BEFORE, life / 2)

    async def _answer(self) -> Answer:
        connection = self._connection
        return await self._rest.call(
            "POST",
            f"{connection.authority}/{connection.tenant}/oauth2/v2.0/token",
            form={
                "grant_type": "client_credentials",
                "client_id": connection.client_id,
                "client_secret": connection.client_secret.get_secret_value(),
                "scope": f"{connection.url}/.default",
            },
            seconds_max=ANSWER_SECONDS_MAX,
        )


def _read(answer: Answer) -> dict[str, Any]:
    if answer.status == 429 or answer.status >= 500:
        raise OutcomeUnknown(f"the authority answered HTTP {answer.status}")
    found = answer.json()
    if answer.status != 200:
        raise _refusal(found, answer.status)
    if not isinstance(found, dict) or not isinstance(found.get("access_token"), str) or not found["access_token"]:
        raise OutcomeUnknown("the authority's answer holds no access_token")
    return found


def _refusal(found: Any, status: int) -> Refused:
    """In the authority's words, which name the application and what is wrong with its secret, never the secret."""
    told = found if isinstance(found, dict) else {}
    code, why = str(told.get("error") or f"http_{status}"), str(told.get("error_description") or "no token was given")
    return Refused(code, why.splitlines()[0] if why else why, 401)


def _seconds(found: Any) -> float:
    try:
        return max(float(found), 1.0)
    except (TypeError, ValueError):
        return LIFE_SECONDS_DEFAULT
