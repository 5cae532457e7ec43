"""A producer that repeats itself and mixes up records, as far as the contract lets it: what happened to one record keeps its order.

A message waits with its stream now and then, while others overtake it; what may go at one moment goes in any order. Some
are sent again, at once or a good while later, when the record has moved on.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import msgspec

from streams import cloudevents
from streams.demo.wire import Sender
from streams.settings import Settings


@dataclass(frozen=True)
class Habits:
    """How often (shares between 0 and 1), and how long (seconds, from and to)."""

    held_back: float = 0.05
    held_back_seconds: tuple[float, float] = (0.02, 1.5)
    repeated: float = 0.03
    repeated_seconds: tuple[float, float] = (0.0, 8.0)


class Letter(NamedTuple):
    """A message on its way. `number`: in the order in which the systems told."""

    number: int
    topic: str
    key: str
    message: msgspec.Struct
    headers: cloudevents.Headers


@dataclass
class Stream:
    """What waits of one key of a topic, in its order, until a moment."""

    not_before: float = 0.0
    waiting: deque[Letter] = field(default_factory=deque)


class DisorderlySender(Sender):
    """`repeated` and `reordered` count messages: sent again, and overtaken by one that was told later."""

    def __init__(self, settings: Settings, rng: random.Random, habits: Habits | None = None) -> None:
        super().__init__(settings)
        self.repeated = 0
        self.reordered = 0
        self._random, self._habits = rng, habits or Habits()
        self._streams: dict[tuple[str, str], Stream] = {}
        self._again: list[tuple[float, int, Letter]] = []
        self._numbers = count()
        self._latest = -1

    @property
    def unanswered(self) -> int:
        held_back = sum(len(stream.waiting) for stream in self._streams.values())
        return super().unanswered + held_back + len(self._again)

    async def pass_on(self) -> None:
        now = time.monotonic()
        due = [place for place, stream in self._streams.items() if stream.not_before <= now]
        while due:
            chosen = self._random.randrange(len(due))
            stream = self._streams[due[chosen]]
            await self._tell(stream.waiting.popleft(), now)
            if not stream.waiting:
                del self._streams[due[chosen]]
                due[chosen] = due[-1]
                due.pop()
        while self._again and self._again[0][0] <= now:
            self.repeated += 1
            await self._tell(heapq.heappop(self._again)[2], now)

    async def _send(self, topic: str, key: str, message: msgspec.Struct, headers: cloudevents.Headers) -> None:
        stream = self._streams.get((topic, key))
        if stream is None:
            stream = self._streams[topic, key] = Stream()
            if self._random.random() < self._habits.held_back:
                stream.not_before = time.monotonic() + self._random.uniform(*self._habits.held_back_seconds)
        stream.waiting.append(Letter(next(self._numbers), topic, key, message, headers))

    async def _tell(self, letter: Letter, now: float) -> None:
        self.reordered += letter.number < self._latest
        self._latest = max(self._latest, letter.number)
        if self._random.random() < self._habits.repeated:
            at = now + self._random.uniform(*self._habits.repeated_seconds)
            heapq.heappush(self._again, (at, next(self._numbers), letter))
        await super()._send(letter.topic, letter.key, letter.message, letter.headers)
