"""How long to wait before what may have failed for a moment is tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from streams.connectors.pacing import Backoff


@dataclass(frozen=True)
class Patience:
    """`begin` for each thing that is tried: what it gives waits ever longer, with some chance in it."""

    rng: random.Random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    backoff: Backoff = field(default_factory=Backoff)

    def begin(self) -> Callable[[], Awaitable[None]]:
        """Call and await it before each further try."""
        seconds = self.backoff.seconds(self.rng)
        return lambda: self.sleep(next(seconds))
