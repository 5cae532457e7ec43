"""One call to a REST interface, and what is known afterwards: an answer, certainly nothing done, or nobody knows.

The difference between `Unreachable` and `OutcomeUnknown` is what a write hangs on: the first may simply be repeated, after
the second the record must be read before anything is. Tokens go into a header only and bodies into nothing but the call:
neither ever stands in an error or a log.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

MESSAGE_CHARACTERS_MAX = 1_000
CONNECT_SECONDS_MAX = 10.0
AGENT = "leadsync"


class CallFailed(Exception):  # noqa: N818 - what it means for the caller stands in its subclasses
    """A call without an answer that can be used."""


class Unreachable(CallFailed):
    """No connection: the system has not got the call."""


class OutcomeUnknown(CallFailed):
    """The call went out and no answer came, or one that does not say what was done. `code`: the system's own word for it, if it said one."""

    def __init__(self, reason: str, code: str = "unknown") -> None:
        super().__init__(reason)
        self.code = code


class Refused(CallFailed):
    """The system answered that it will not: `code` and `message` are its own words, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(f"{code}: {message[:MESSAGE_CHARACTERS_MAX]}")
        self.code, self.message, self.status = code, message[:MESSAGE_CHARACTERS_MAX], status


@dataclass(frozen=True)
class Answer:
    """What came back. `headers` by their names in small letters."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def json(self) -> Any:
        """The body. Raises OutcomeUnknown where it is no JSON: an intermediary may have answered."""
        try:
            return msgspec.json.decode(self.body) if self.body else {}
        except msgspec.DecodeError:
            raise OutcomeUnknown(f"HTTP {self.status} with a body that is no JSON") from None


class Rest:
    """A connection pool to one address. `close` at the end."""

    def __init__(self, tls: ssl.SSLContext, concurrent: int) -> None:
        self._tls, self._concurrent = tls, concurrent
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        seconds_max: float = 100.0,
    ) -> Answer:
        """Raises Unreachable and OutcomeUnknown. Any answer is returned, whatever its status."""
        try:
            async with self._pool().request(
                method,
                url,
                headers={"User-Agent": AGENT, **(headers or {})},
                params=query,
                data=form if body is None else body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds_max, connect=CONNECT_SECONDS_MAX),
            ) as response:
                content = await response.read()
                return Answer(
                    response.status, content, {name.lower(): value for name, value in response.headers.items()}
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise Unreachable(f"{_place(url)}: {_reason(error)}") from None
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise OutcomeUnknown(f"{method} {_place(url)}: {_reason(error)}") from None

    async def close(self) -> None:
        """Let go of the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)  # aiohttp's transports close one turn of the loop later

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._concurrent, ssl=self._tls)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _place(url: str) -> str:
    """Without the query, which may hold e-mail addresses or tokens."""
    return url.partition("?")[0]


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted ({error.certificate_error})"
    if isinstance(error, (aiohttp.ServerDisconnectedError, ConnectionError)):
        return "the connection was dropped"
    if isinstance(error, (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)):
        return "the answer cannot be read"  # aiohttp's own words quote the whole address, and what came back
    return str(error) or type(error).__name__
