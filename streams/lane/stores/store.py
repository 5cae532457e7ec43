"""What a lane asks of the place where its part of a table stands between two batches.

A store follows its changelog partition and never leads it: a batch is written here after its commit on Kafka, and only
if that commit is known to have happened. So the changelog is the truth, and whatever is doubtful about a store is mended by
reading it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from streams.lane.batch import Count, LaneError, Record

Writes = Mapping[bytes, bytes | None]


class StoreError(LaneError):
    """A local store cannot be opened, read or written. The process ends; the next one goes on from the checkpoint."""


class ChangelogFacts(NamedTuple):
    """What is known of a changelog partition when its reading begins, `at` seconds since the epoch.

    `log_id` is another one for a topic that was deleted and made anew. `deletions_kept_ms`: for how long at least a deletion
    stays to be read (`delete.retention.ms`). Both are None where the broker does not tell, or nobody asked.
    """

    log_id: str | None
    beginning: int
    end: int
    deletions_kept_ms: int | None
    at: float


class Store(Protocol):
    """One table partition. Used by one lane alone; nothing here is called while something else of it runs."""

    @property
    def lasting(self) -> bool:
        """Whether it outlives the process, so that its reading may begin in the middle."""

    @property
    def counted(self) -> int | None:
        """The sum of the agent's count over all values, where the store keeps it."""

    # -- Taking over -----------------------------------------------------------------------------------------------

    def begin(self, facts: ChangelogFacts) -> int:
        """Be ready to follow; the offset from which the changelog has to be read."""

    def follow(self, records: Sequence[Any]) -> None:
        """Take committed changelog records, in their order."""

    async def complete(self, end: int) -> None:
        """The changelog has been read up to `end`."""

    # -- Batches ---------------------------------------------------------------------------------------------------

    def table(self, records: Sequence[Record]) -> Mapping[bytes, bytes]:
        """What the agent may look up for a batch of these records: their keys at least."""

    def keep(self, writes: Writes, counted: int, next_offset: int | None, at: float) -> None:
        """Take what a batch wrote, after its commit: `next_offset` follows its last changelog record, where that is known.

        `counted`: by how much the batch changes the sum of the agent's count. `at`: a time, in seconds since the epoch, when
        the batch was not yet committed.
        """

    # -- Looking in, letting go ------------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key with its value. Walks the whole table."""

    def __len__(self) -> int:
        """How many keys there are. May walk the whole table."""

    def close(self) -> None:
        """Let go of it. What lasts stays for the next owner in this place."""


class Stores(Protocol):
    """Where the stores of one worker are."""

    def claim(self) -> AbstractContextManager[None]:
        """Keep others out for as long as the worker runs. Raises LaneError where another one is in."""

    def store(self, table: str, partition: int, count: Count | None) -> Store:
        """The store of a table partition, not yet begun. One at a time of each; the former one has been closed."""
