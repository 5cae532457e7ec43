"""What the lane tells whoever watches it: a closed list of callbacks, all of them free to do nothing.

Callbacks run on the event loop between batches: they must be quick and must not raise.
"""

from collections.abc import Mapping, Set
from typing import NamedTuple

SILENT_SECONDS = 30.0
"""Without a lag for so long, Kafka is away. A worker that gets a tenth of what it needs has its answer within some seconds."""


class BatchDone(NamedTuple):
    """One committed batch. Times in seconds; record timestamps in milliseconds since the epoch. `counted`: see `BatchResult`."""

    agent: str
    topic: str
    partition: int
    records: int
    handle_seconds: float
    commit_seconds: float
    oldest_timestamp_ms: int
    newest_timestamp_ms: int
    outputs: Mapping[str, int]
    table_writes: int
    counted: int = 0


class Observer:
    """Does nothing; override what you want to know."""

    def batch_done(self, done: BatchDone) -> None:
        """A batch was committed; `done.outputs` counts records by topic, changelogs not included."""

    def lag(self, records: Mapping[tuple[str, int], int]) -> None:
        """About once a second, while Kafka answers: how many offsets of each held source partition are not yet committed."""

    def oldest(self, timestamps_ms: Mapping[tuple[str, int], int]) -> None:
        """With each `lag`: the timestamp of the oldest fetched record of each source partition that has one waiting."""

    def assigned(self, partitions: Set[tuple[str, int]]) -> None:
        """The source partitions this worker holds from now on; empty when it lost them all."""

    def recovery(self, table: str, partition: int, loaded: int, position: int, end: int) -> None:
        """A changelog is being read: `loaded` records so far, at offset `position` of `end`; equal when done."""

    def ready(self, ready: bool) -> None:
        """True when all tables of the assignment are loaded and its partitions flow; False during a rebalance."""
