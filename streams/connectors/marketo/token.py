"""The access token: fetched with the client's credentials, used until shortly before its end, renewed when Marketo says so.

Marketo gives the same token, with the rest of its life, to whoever asks before its end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from streams.connectors.rest import Answer, OutcomeUnknown, Refused, Rest
from streams.connectors.settings import MarketoConnection

SPARE_SECONDS = 60.0
"""A token is not used in its last minute; one that lives shorter is used for half of its life."""

SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Token:
    """What is shown with each call."""

    text: str = field(repr=False)
    until: float

    def header(self) -> dict[str, str]:
        """The header that shows it."""
        return {"Authorization": f"Bearer {self.text}"}


class Tokens:
    """Gives the token in force. One fetch at a time, however many wait for it."""

    def __init__(
        self,
        rest: Rest,
        connection: MarketoConnection,
        called: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest, self._connection, self._called, self._clock = rest, connection, called, clock
        self._token: Token | None = None
        self._fetching = asyncio.Lock()

    async def get(self) -> Token:
        """Raises Refused for credentials that are not taken; Unreachable, OutcomeUnknown where none could be had."""
        async with self._fetching:
            if self._token is None or self._clock() >= self._token.until:
                self._token = await self._fetch()
            return self._token

    def give_up(self, token: Token) -> None:
        """Marketo would not have this one: the next call fetches another, unless somebody has meanwhile."""
        if self._token is token:
            self._token = None

    async def _fetch(self) -> Token:
        answer = await self._rest.call(
            "POST",
            f"{self._connection.identity_url}/oauth/token",
            form={
                "grant_type": "client_credentials",
                "client_id": self._connection.client_id,
                "client_secret": self._connection.client_secret.get_secret_value(),
            },
            seconds_max=SECONDS_MAX,
        )
        self._called("identity/oauth/token", str(answer.status))
        return self._token_of(answer)

    def _token_of(self, answer: Answer) -> Token:
        """Nothing that the answer says is told on: it may hold what was sent."""
        if answer.status >= 500 or answer.status == 429:
            raise OutcomeUnknown(f"the identity service answers HTTP {answer.status}")
        if answer.status != 200:
            raise Refused(
                str(answer.status), "the identity service does not take the client id and secret", answer.status
            )
        body = answer.json()
        text, seconds = body.get("access_token"), body.get("expires_in")
        if not isinstance(text, str) or not text or not isinstance(seconds, (int, float)):
            raise OutcomeUnknown("the identity service answered without a token")
        lives = float(seconds)
        return Token(text, self._clock() + (lives - SPARE_SECONDS if lives > 2 * SPARE_SECONDS else lives / 2))
