"""One call to Marketo, however often it has to be made: paced, with a token, waiting out whatever passes by itself.

Reads are repeated until an answer comes. Writes are repeated where Marketo certainly did nothing (no connection, too many
calls, a token that is no good); where nobody can know, OutcomeUnknown goes to whoever wrote.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from streams.connectors.marketo.codes import QUOTA_USED_UP, TOKEN_INVALID, meaning_of
from streams.connectors.marketo.token import Tokens
from streams.connectors.pacing import Backoff, Pacer, Priority
from streams.connectors.rest import Answer, CallFailed, OutcomeUnknown, Refused, Rest, Unreachable

log = logging.getLogger(__name__)

URI_BYTES_MAX = 8_000
"""Marketo takes 8 KB; a longer query goes into the body of a POST that stands for a GET."""

QUOTA_ZONE = ZoneInfo("America/Chicago")
"""The day's calls are counted from midnight there."""

EXPIRED_MAX = 5
"""So many expired tokens in a row are no coincidence: Marketo hands out the same one until its last second."""

SAID_EVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """A call. `endpoint` names it in metrics; `write`: repeated only where nothing was done; `seconds_max`: Marketo's own time-out and some."""

    method: str
    path: str
    endpoint: str
    query: Mapping[str, str] | None = None
    body: Any = None
    write: bool = False
    seconds_max: float = 40.0


class _Again(Exception):  # noqa: N818 - to be repeated, after so many seconds
    def __init__(self, reason: CallFailed, seconds: float) -> None:
        self.reason, self.seconds = reason, seconds


class Calls:
    """Makes calls. `tries_max`: how often each, before what went wrong is raised; None: until it goes right.

    `quota_pause_seconds_max`: ask again so long after the day's calls were used up, at the most.
    """

    def __init__(
        self,
        rest: Rest,
        url: str,
        tokens: Tokens,
        pacer: Pacer,
        called: Callable[[str, str], None],
        *,
        rng: random.Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
        tries_max: int | None = None,
        quota_pause_seconds_max: float | None = None,
    ) -> None:
        self._rest, self._url, self._tokens, self._pacer, self._called = rest, url, tokens, pacer, called
        self._random, self._sleep, self._now, self._backoff = rng, sleep, now, backoff or Backoff()
        self._tries_max, self._quota_pause_seconds_max = tries_max, quota_pause_seconds_max
        self._said_at = -SAID_EVERY_SECONDS

    async def json(self, request: Request, priority: Priority = Priority.FIRST) -> dict[str, Any]:
        """The envelope of a success. Raises Refused; OutcomeUnknown for a write only, or when tries are used up."""
        answer, envelope = await self._made(request, priority)
        assert envelope is not None, answer.status
        return envelope

    async def raw(self, request: Request, priority: Priority = Priority.FIRST) -> bytes:
        """A body that is no envelope, a file."""
        return (await self._made(request, priority, is_file=True))[0].body

    async def _made(
        self, request: Request, priority: Priority, is_file: bool = False
    ) -> tuple[Answer, dict[str, Any] | None]:
        waits, tries, bad_tokens = self._backoff.seconds(self._random), 0, 0
        while True:
            try:
                return await self._once(request, priority, is_file, waits)
            except Refused as error:
                if meaning_of(error.code) != "token":
                    raise
                bad_tokens += 1
                if bad_tokens > (1 if error.code == TOKEN_INVALID else EXPIRED_MAX):
                    log.critical("%s: a new token is refused too: %s", request.endpoint, error)
                    raise
                if bad_tokens > 1:
                    await self._sleep(next(waits))
            except _Again as again:
                tries, bad_tokens = tries + 1, 0
                self._say(request, again)
                if self._tries_max is not None and tries >= self._tries_max:
                    raise again.reason from None
                await self._sleep(again.seconds)

    async def _once(
        self, request: Request, priority: Priority, is_file: bool, waits: Iterator[float]
    ) -> tuple[Answer, dict[str, Any] | None]:
        """Raises Refused, OutcomeUnknown, and _Again for what may be repeated."""
        async with self._pacer.call(priority):
            try:
                token = await self._tokens.get()
            except (Unreachable, OutcomeUnknown) as error:
                raise _Again(error, next(waits)) from None
            try:
                answer = await self._rest.call(**self._arguments(request, token.header()))
                envelope = None if is_file and answer.status in (200, 206) else _envelope(answer)
            except Unreachable as error:
                self._called(request.endpoint, "unreachable")
                raise _Again(error, next(waits)) from None
            except OutcomeUnknown as error:
                self._called(request.endpoint, "unknown")
                if request.write:
                    raise
                raise _Again(error, next(waits)) from None
            except Refused as error:
                self._called(request.endpoint, error.code)
                if meaning_of(error.code) == "token":
                    self._tokens.give_up(token)
                self._sort(request, error, waits)
                raise
        self._called(request.endpoint, "success")
        return answer, envelope

    def _sort(self, request: Request, error: Refused, waits: Iterator[float]) -> None:
        """Raise what an error code means; return where it is a refusal."""
        meaning = meaning_of(error.code)
        if meaning == "rate":
            self._pacer.pause(next(waits))
            raise _Again(error, 0.0)
        if meaning == "quota":
            seconds = self._seconds_to_reset()
            self._pacer.pause(seconds)
            log.error("the day's calls to Marketo are used up (%s): asking again in %.0f s", QUOTA_USED_UP, seconds)
            raise _Again(error, 0.0)
        if meaning == "busy" or (meaning == "unsure" and not request.write):
            raise _Again(error, next(waits))
        if meaning == "unsure":
            raise OutcomeUnknown(f"{request.endpoint}: {error}", error.code)

    def _seconds_to_reset(self) -> float:
        now = datetime.fromtimestamp(self._now(), QUOTA_ZONE)
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), QUOTA_ZONE)
        seconds = midnight.timestamp() - self._now() + self._random.uniform(0.0, 5.0)
        return min(seconds, self._quota_pause_seconds_max or seconds)

    def _arguments(self, request: Request, headers: dict[str, str]) -> dict[str, Any]:
        url, query = f"{self._url}{request.path}", request.query
        arguments: dict[str, Any] = {"method": request.method, "url": url, "seconds_max": request.seconds_max}
        if request.body is not None:
            headers = {**headers, "Content-Type": "application/json"}
            arguments["body"] = msgspec.json.encode(request.body)
        if query and request.method == "GET" and _is_too_long(url, query):
            arguments |= {"method": "POST", "form": query, "query": {"_method": "GET"}}
        elif query:
            arguments["query"] = query
        return {**arguments, "headers": headers}

    def _say(self, request: Request, again: _Again) -> None:
        """Once a minute: whoever reads the log must see why nothing moves, and not see it a thousand times."""
        if self._now() >= self._said_at + SAID_EVERY_SECONDS:
            self._said_at = self._now()
            log.warning("%s is tried again: %s", request.endpoint, again.reason)


def _envelope(answer: Answer) -> dict[str, Any]:
    """The envelope of a success. Raises Refused with the first error, OutcomeUnknown where the answer says nothing."""
    if answer.status >= 500:
        raise OutcomeUnknown(f"HTTP {answer.status}")
    if answer.status == 429:
        raise Refused("606", "HTTP 429", 429)
    if answer.status != 200:
        raise Refused(*_first_error(answer, str(answer.status)), answer.status)
    envelope = answer.json()
    if not isinstance(envelope, dict) or "success" not in envelope:
        raise OutcomeUnknown("an answer without an envelope")
    if not envelope["success"]:
        raise Refused(*_first_error(answer, "unknown"))
    return envelope


def _first_error(answer: Answer, code: str) -> tuple[str, str]:
    try:
        errors = answer.json().get("errors") or [{}]
        return str(errors[0].get("code", code)), str(errors[0].get("message", f"HTTP {answer.status}"))
    except (OutcomeUnknown, AttributeError, LookupError, TypeError):
        return code, f"HTTP {answer.status}"


def _is_too_long(url: str, query: Mapping[str, str]) -> bool:
    """Counted as if every byte had to be escaped, which is the most that it can be."""
    return len(url) + sum(len(name) + 2 + 3 * len(value.encode()) for name, value in query.items()) > URI_BYTES_MAX
