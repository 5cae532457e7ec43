"""Between the systems and Kafka in the demo's own process: feeds and answers out, commands in, as badly as the contracts allow."""

from __future__ import annotations

import asyncio
import time

from streams.demo.carrier import Carrier
from streams.demo.feeding import Feeding
from streams.demo.wire import Sender, Watch

TICK_SECONDS = 0.01


class Carrying:
    """`carrier` and `feeding` are the simulation, `sender` and `watch` our end of Kafka."""

    def __init__(self, carrier: Carrier, feeding: Feeding, sender: Sender, watch: Watch) -> None:
        self.carrier, self.feeding, self._sender, self._watch = carrier, feeding, sender, watch

    @property
    def sent(self) -> int:
        return self._sender.sent

    @property
    def applied(self) -> int:
        return self.carrier.applied

    @property
    def waiting(self) -> int:
        return self.carrier.waiting + self.feeding.waiting + self._sender.unanswered

    @property
    def stirred(self) -> tuple[int, ...]:
        return self.sent, self.applied

    async def start(self) -> None:
        await self._sender.start()

    async def stop(self) -> None:
        await self._sender.stop()

    async def ready(self) -> None:
        """Nothing was started."""

    async def run(self) -> None:
        """What a system does at one moment reaches Kafka in one order."""
        while True:
            now = time.time()
            results = list(self.carrier.run(now))
            await self._sender.changes(list(self.feeding.collect(now)))
            await self._sender.results(results)
            await self._sender.pass_on()
            await asyncio.sleep(TICK_SECONDS)

    async def unread(self) -> int:
        return await self._watch.unread(self._sender.ends)

    async def upstream(self) -> str | None:
        if self.feeding.waiting:
            return f"{self.feeding.waiting} changes to be read from the systems"
        if self.carrier.waiting:
            return f"{self.carrier.waiting} commands or answers on their way"
        if self._sender.unanswered:
            return f"the broker to take {self._sender.unanswered} messages"
        if unread := await self.unread():
            return f"the workers to read {unread} changes and results"
        return None

    async def downstream(self) -> str | None:
        """The carrier takes commands as they are read."""
        return None

    def disturb(self, share: float) -> None:
        """The carrier is bad enough all the time."""

    def report(self, edits: int) -> None:
        return None
