"""What the two systems' feeds give to the connectors, in the order in which connectors put it on Kafka.

Marketo lists every change; what appliers and requests put into a stream by themselves goes its own way and may be a little earlier
or later. In Dynamics an announced `linked` always precedes the row, which is read now and then. Connectors repeat themselves at times.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.marketo import SimulatedMarketo
from streams.demo.record import Published
from streams.demo.system import SimulatedSystem

READ_EVERY_SECONDS = 0.25
READ_SHARE = 0.6
REPEATED_SHARE = 0.005
REPEATED_MAX = 5


class Feeding:
    """The connectors' side of both systems."""

    def __init__(self, marketo: SimulatedMarketo, dynamics: SimulatedDynamics, rng: random.Random) -> None:
        self._marketo, self._dynamics, self._random = marketo, dynamics, rng
        self._read_at = 0.0

    @property
    def waiting(self) -> int:
        """Changes that the connectors have not seen yet."""
        systems: tuple[SimulatedSystem, ...] = (self._marketo, self._dynamics)
        return len(self._dynamics.unread) + sum(len(each.feed) + len(each.announced) for each in systems)

    def collect(self, now: float) -> Iterator[tuple[System, Published]]:
        """What the connectors find now."""
        self._read_some(now)
        queues = [self._marketo.announced, self._marketo.feed]
        self._random.shuffle(queues)
        for queue in queues:
            yield from ((MARKETO, each) for each in self._drained(queue, repeats=queue is self._marketo.feed))
        yield from ((DYNAMICS, each) for each in self._drained(self._dynamics.announced, repeats=False))
        yield from ((DYNAMICS, each) for each in self._drained(self._dynamics.feed, repeats=True))

    def _read_some(self, now: float) -> None:
        """Change tracking comes by: some rows, those that waited longest, as they are now."""
        if now >= self._read_at:
            self._read_at = now + READ_EVERY_SECONDS * self._random.uniform(0.5, 1.5)
            self._dynamics.read_all(int(len(self._dynamics.unread) * READ_SHARE) + 1)

    def _drained(self, queue: deque[Published], repeats: bool) -> Iterator[Published]:
        taken = list(queue)
        queue.clear()
        if repeats and taken and self._random.random() < REPEATED_SHARE * len(taken):
            taken += taken[-REPEATED_MAX:]
        yield from taken
