"""A worker that gets less done than it could: it is stopped from outside, most of the time.

Nothing in the product is for this. SIGSTOP and SIGCONT take turns: a pulse whenever less is committed than may be by then,
and one every `STOP_SECONDS_MAX` anyway, so that heartbeats go out and health can answer: far below the session time-out, or
the group would give its partitions away. A pulse is short, because what one batch commits may be a thousand changes.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

PULSE_SECONDS = 0.02
LOOK_SECONDS = 0.1
STOP_SECONDS_MAX = 1.0


class Process(Protocol):
    """What can be sent a signal."""

    def send(self, number: signal.Signals) -> None: ...


class Throttle:
    """Lets a worker commit so many changes a second, on the whole. `run` in a task of its own; it ends by being cancelled."""

    def __init__(
        self,
        worker: Process,
        committed: Callable[[], Awaitable[int]],
        per_second: float,
        *,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._worker, self._committed, self._per_second = worker, committed, per_second
        self._now, self._pause = now, pause

    async def run(self) -> None:
        """Stop and let go in turn, until cancelled; the worker goes on then."""
        began, first = self._now(), await self._committed()
        pulsed = began
        try:
            while True:
                self._worker.send(signal.SIGSTOP)
                await self._pause(LOOK_SECONDS)
                passed = self._now() - began
                may_go = await self._committed() - first < self._per_second * passed
                if may_go or self._now() - pulsed >= STOP_SECONDS_MAX:
                    pulsed = self._now()
                    self._worker.send(signal.SIGCONT)
                    await self._pause(PULSE_SECONDS)
        finally:
            self._worker.send(signal.SIGCONT)
