"""How much may be under way between its reading and its commit, so that no transaction stays open for long.

While the transaction of one lane is open, the lanes beside it decide about their batches, in the same thread; on a machine
that gives a worker a tenth of what it needs, that takes ten times as long. A transaction that is open for longer than its
time-out is aborted by the broker and its producer fenced: the worker would end, start again, take as much, and never get on.
So the records under way are limited, all lanes together. The limit doubles with a batch that took little time, and shrinks
with one that took too much. It begins small, because whoever has just been started may have been ended by this very thing.

On a machine with nothing else to do the limit is soon at its most: enough for some lanes to wait for the broker while one
decides. More would only put their batches out of the processor's cache.
"""

import asyncio

from streams.lane.settings import LaneSettings

RECORDS_AT_FIRST = 100
BATCHES_MAX = 4
SHARE_OF_TIMEOUT = 0.2  # of the transaction's time-out: how long a batch may take from its reading to its commit


class Pace:
    """The limit of one worker. First come, first served."""

    def __init__(self, settings: LaneSettings) -> None:
        self._records_max = BATCHES_MAX * settings.batch_records
        self._seconds_max = SHARE_OF_TIMEOUT * settings.transaction_timeout_ms / 1000
        self.limit = min(RECORDS_AT_FIRST, self._records_max)
        self._under_way = 0
        self._turn = asyncio.Lock()
        self._less = asyncio.Event()

    async def begin(self, records: int) -> int:
        """Wait until of so many records some may be taken: all, or at least half of what is allowed. Returns how many."""
        async with self._turn:
            while self._under_way and self.limit - self._under_way < min(records, self.limit // 2):
                self._less.clear()
                await self._less.wait()
            taken = max(1, min(records, self.limit - self._under_way))
            self._under_way += taken
            return taken

    def end(self, records: int, seconds: float | None) -> None:
        """So many are no longer under way. `seconds`: how long that took; None where it says nothing of the machine."""
        self._under_way -= records
        if seconds is not None:
            if seconds > self._seconds_max:
                self.limit = max(1, int(self.limit * self._seconds_max / seconds))
            elif seconds < self._seconds_max / 2:
                self.limit = min(2 * self.limit, self._records_max)
        self._less.set()
