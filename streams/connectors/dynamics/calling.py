"""One call to the Web API with its repeats: whatever may be made again is made again here.

* 429: nobody calls before `Retry-After` is over; then again. 401: a new token, then again. No connection: again. None of
  these can have done anything, so this holds for reads and writes alike.
* A read without an answer that can be used is made again with exponential backoff. A write may have been carried out by then:
  it raises OutcomeUnknown, and whoever wrote must read before anything else.
* What is forbidden (403) is made again until it is not; a write on one record raises Refused, since others may be allowed.
* Everything else that is no success raises Refused.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from streams.connectors.dynamics.tokens import Tokens
from streams.connectors.dynamics.verdict import Verdict, refusal_of, retry_after_seconds, verdict_of
from streams.connectors.pacing import Backoff, Pacer, Priority
from streams.connectors.rest import Answer, CallFailed, OutcomeUnknown, Refused, Rest, Unreachable

log = logging.getLogger(__name__)

TRIES_MAX = 4
"""Of an impatient caller."""
ODATA = {"Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}

Called = Callable[[str, str], None]
Read = TypeVar("Read")


@dataclass(frozen=True)
class Request:
    """One call. `endpoint` is its route, without ids: for metrics and logs. `on_one_record`: a 403 is about that.

    `unanswered_max`: so often it is made without an answer that says what was done; of what may change something that is once.
    """

    endpoint: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = field(default=None, repr=False)
    unanswered_max: float = math.inf
    priority: Priority = Priority.FIRST
    on_one_record: bool = False


class Caller:
    """Makes calls. A patient one waits without end, for credentials and privileges too, and says so once."""

    def __init__(
        self,
        rest: Rest,
        tokens: Tokens,
        pacer: Pacer,
        called: Called,
        rng: random.Random,
        sleep: Callable[[float], Awaitable[None]],
        backoff: Backoff,
        patient: bool,
        seconds_max: float,
    ) -> None:
        self._rest, self._tokens, self._pacer, self._called = rest, tokens, pacer, called
        self._random, self.sleep, self._backoff = rng, sleep, backoff
        self.patient, self._seconds_max = patient, seconds_max
        self._troubles: dict[str, str] = {}

    @property
    def trouble(self) -> str | None:
        """What keeps calls from being answered, in one line; None while they are."""
        return next(iter(self._troubles.values()), None)

    async def call(self, request: Request, read: Callable[[Answer], Read]) -> Read:
        """The answer as `read` makes it, which may raise OutcomeUnknown too. Raises Refused and OutcomeUnknown."""
        waits, tries = self._backoff.seconds(self._random), 0
        while True:
            tries += 1
            try:
                found = read(await self._answered(request))
            except CallFailed as error:
                if request.on_one_record and isinstance(error, Refused) and error.status == 403:
                    raise
                if not self._may_repeat(error, request.unanswered_max, tries):
                    if tries > 1:
                        self._troubles.pop(request.endpoint, None)  # nobody waits for it any more
                    raise
                await self.wait(request.endpoint, error, waits)
            else:
                self.well(request.endpoint)
                return found

    async def wait(self, endpoint: str, error: CallFailed, waits: Iterator[float]) -> None:
        """Before it is tried again. Only the first failure of a kind is worth a line."""
        why = told(error)
        if self._troubles.get(endpoint) != why:
            self._troubles[endpoint] = why
            log.warning("Dynamics, %s: %s; trying again until it is answered", endpoint, why)
        await self.sleep(next(waits))

    def well(self, endpoint: str) -> None:
        """It was answered."""
        if self._troubles.pop(endpoint, None) is not None:
            log.info("Dynamics, %s: answered again", endpoint)

    def held_back(self, answer: Answer) -> None:
        """Heed a 429, of a call or of an operation in a batch."""
        self._pacer.pause(retry_after_seconds(answer))

    def waits(self) -> Iterator[float]:
        """The waits before further tries."""
        return self._backoff.seconds(self._random)

    def _may_repeat(self, error: CallFailed, unanswered_max: float, tries: int) -> bool:
        if isinstance(error, OutcomeUnknown) and tries >= unanswered_max:
            return False
        if isinstance(error, Refused) and not (self.patient and error.status in (401, 403)):
            return False
        return self.patient or tries < TRIES_MAX

    async def _answered(self, request: Request) -> Answer:
        """After what Dataverse itself asks for: a pause, or a token that is younger. Raises Unreachable, OutcomeUnknown, Refused."""
        renewed = False
        while True:
            token = await self._tokens.token()
            answer = await self._once(request, token)
            if answer.status == 429:
                self.held_back(answer)
            elif answer.status == 401 and not renewed:
                renewed = True
                self._tokens.forget(token)
            else:
                return _certain(answer, request)

    async def _once(self, request: Request, token: str) -> Answer:
        outcome = "no_answer"
        try:
            async with self._pacer.call(request.priority):
                answer = await self._rest.call(
                    request.method,
                    request.url,
                    headers={**ODATA, **request.headers, "Authorization": f"Bearer {token}"},
                    body=request.body,
                    seconds_max=self._seconds_max,
                )
            outcome = str(answer.status)
            return answer
        except Unreachable:
            outcome = "unreachable"
            raise
        finally:
            self._called(request.endpoint, outcome)


def told(error: CallFailed) -> str:
    """For a log. Dataverse's message may quote values, so it gets the code only."""
    return f"HTTP {error.status} {error.code}" if isinstance(error, Refused) else str(error)


def _certain(answer: Answer, request: Request) -> Answer:
    verdict = verdict_of(answer)
    if verdict is Verdict.DONE:
        return answer
    if verdict is Verdict.UNKNOWN:
        raise OutcomeUnknown(f"{request.endpoint} was answered HTTP {answer.status}")
    raise refusal_of(answer)
