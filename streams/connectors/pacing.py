"""How often a system may be asked: so many calls in any window, so many at once, and pauses that it asks for.

A bucket of turns: a quarter of the window's calls may come at once, the rest is handed out evenly over the window, so that no
window ever holds more calls than allowed and a burst is not followed by a long silence. Where several wait, the first lane
and the feeds take turns, the first lane first; calls of the background lane only while no call of the first lane waits. Time comes in as
functions, so that tests need not wait.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum

MONOTONIC = time.monotonic


class Priority(IntEnum):
    """Who goes first where several wait."""

    FIRST = 0
    FEED = 1
    BACKGROUND = 2


@dataclass(frozen=True)
class Pace:
    """At most `calls` in any `window_seconds`, `concurrent` of them at once."""

    calls: int
    window_seconds: float
    concurrent: int


MARKETO_PACE = Pace(50, 20.0, 5)
"""Half of what Marketo allows (100 calls in 20 seconds, 10 at once), as its integration guide advises: others call it too."""

DYNAMICS_PACE = Pace(4_000, 300.0, 20)
"""Two thirds of what Dataverse allows a user (6,000 requests in 300 seconds, 52 at once)."""


BURST_SHARE = 0.25
FIRST_IN_A_ROW_MAX = 1
ROUNDING = 1e-6
"""A share of a turn: less than this is not waited for, since no clock may ever show it."""


class Pacer:
    """Grants calls. `pause` holds all of them back; `calls` counts those granted."""

    def __init__(
        self,
        pace: Pace,
        clock: Callable[[], float] = MONOTONIC,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.pace, self._clock, self._sleep = pace, clock, sleep
        self.calls = 0
        self._room = max(int(pace.calls * BURST_SHARE), 1)
        self._per_second = (pace.calls - self._room) / pace.window_seconds or 1 / pace.window_seconds
        self._turns, self._counted_at = float(self._room), clock()
        self._in_hand = self._first_in_a_row = 0
        self._paused_until = 0.0
        self._waiting: dict[Priority, deque[asyncio.Event]] = {priority: deque() for priority in Priority}
        self._was_feed = False
        self._granting: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def call(self, priority: Priority = Priority.FIRST) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the call lasts."""
        turn = asyncio.Event()
        self._waiting[priority].append(turn)
        self._wake()
        try:
            await turn.wait()
        except asyncio.CancelledError:
            self._give_up(priority, turn)
            raise
        try:
            yield
        finally:
            self._in_hand -= 1
            self._wake()

    async def room(self) -> None:
        """Wait until a call could be made now. Whoever gathers work before a call gathers it meanwhile."""
        while (seconds := self._seconds_to_wait()) > 0:
            await self._sleep(seconds)

    def pause(self, seconds: float) -> None:
        """Nobody is granted anything for so long."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    @property
    def paused_seconds(self) -> float:
        """For how long still; 0 when not."""
        return max(self._paused_until - self._clock(), 0.0)

    def _give_up(self, priority: Priority, turn: asyncio.Event) -> None:
        if turn.is_set():
            self._in_hand -= 1
            self._wake()
        else:
            self._waiting[priority].remove(turn)

    def _wake(self) -> None:
        if any(self._waiting.values()) and (self._granting is None or self._granting.done()):
            self._granting = asyncio.ensure_future(self._grant())

    async def _grant(self) -> None:
        while any(self._waiting.values()) and self._in_hand < self.pace.concurrent:
            seconds = self._seconds_to_wait()
            if seconds > 0:
                await self._sleep(seconds)
                continue
            turn = self._waiting[self._next()].popleft()
            self._turns -= 1
            self._in_hand += 1
            self.calls += 1
            turn.set()

    def _next(self) -> Priority:
        """Who goes now, of those who wait."""
        first, feed, background = (bool(self._waiting[priority]) for priority in Priority)
        if first and not (feed and self._first_in_a_row >= FIRST_IN_A_ROW_MAX):
            self._first_in_a_row += feed  # passed over
            return Priority.FIRST
        self._first_in_a_row = 0
        self._was_feed = feed and (first or not background or not self._was_feed)
        return Priority.FEED if self._was_feed else Priority.BACKGROUND

    def _seconds_to_wait(self) -> float:
        now = self._clock()
        self._turns = min(self._turns + (now - self._counted_at) * self._per_second, self._room)
        self._counted_at = now
        missing = 1 - self._turns
        return max(self._paused_until - now, missing / self._per_second if missing > ROUNDING else 0.0, 0.0)


@dataclass(frozen=True)
class Backoff:
    """Exponential with full jitter: a share drawn evenly between nothing and the step, which doubles up to `max_seconds`."""

    first_seconds: float = 0.5
    max_seconds: float = 60.0

    def seconds(self, rng: random.Random) -> Iterator[float]:
        """What to wait before each further try, without end."""
        step = self.first_seconds
        while True:
            yield rng.uniform(0.0, step)
            step = min(step * 2, self.max_seconds)
