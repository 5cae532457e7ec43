"""What an agent of the lane is given, what it returns, and what it is.

The contract of `handle`: it reads the batch and its table, decides, and returns everything that shall happen. It sends
nothing and changes nothing; the lane does both, in one transaction. The same records against the same table must give
the same result, because a batch that was not committed is handled again, perhaps cut differently.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class LaneError(Exception):
    """The lane cannot go on; the process ends and its supervisor starts it again from the last commit."""


class Record(Protocol):
    """A source record as aiokafka's parser makes it: nothing is decoded or copied on the way.

    `timestamp` is in milliseconds since the epoch. Topic and partition are the batch's.
    """

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Output(NamedTuple):
    """One record to send. Its partition follows from the key as in every Kafka client (murmur2); no key: partition 0."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp_ms: int | None = None


class BatchResult(NamedTuple):
    """Everything a batch causes. `writes` are the table's new values; None deletes the key.

    `counted`: by how much the writes change the sum of the agent's count, see `BatchAgent.counts`.
    """

    outputs: Sequence[Output] = ()
    writes: Mapping[bytes, bytes | None] = {}
    counted: int = 0


class Batch(NamedTuple):
    """Records of one source partition in their order, and that partition's part of the topic's table.

    `table` is empty for a topic without one. It shows what was committed before this batch, and is asked for the keys of
    the batch's records only: a store on disk has looked those up beforehand, and shows no others.
    """

    topic: str
    partition: int
    records: Sequence[Record]
    table: Mapping[bytes, bytes]


Handle = Callable[[Batch], BatchResult | Awaitable[BatchResult]]
Count = Callable[[bytes], int]


@dataclass(frozen=True, slots=True)
class BatchAgent:
    """A function over batches, the topics it reads and the table that it alone writes for each.

    `handle` may return an awaitable, to wait for something the batch needs; a rebalance cancels the wait and the batch
    is handled again by whoever holds the partition then. `ready` is awaited once, before the first batch.
    `counts`: topic -> what a value of its table counts for; a store that lasts keeps the sum over all values, so that nobody
    has to walk them. Each result says by how much it changes.
    The name is part of the transactional ids: it never changes for as long as the app id stays.
    """

    name: str
    topics: tuple[str, ...]
    handle: Handle
    tables: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], Awaitable[None]] | None = None
    counts: Mapping[str, Count] = field(default_factory=dict)

    def __post_init__(self) -> None:
        strangers = (self.tables.keys() | self.counts.keys()) - set(self.topics)
        if strangers:
            raise LaneError(f"agent {self.name}: tables for topics that it does not read: {sorted(strangers)}")


def check_agents(agents: Sequence[BatchAgent]) -> None:
    """One agent per name, one reader per topic, one writer per table: anything else would fence or overwrite itself."""
    _refuse_twice("agent name", [agent.name for agent in agents])
    _refuse_twice("source topic", [topic for agent in agents for topic in agent.topics])
    _refuse_twice("table", [table for agent in agents for table in agent.tables.values()])


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LaneError(f"{what} used more than once: {', '.join(twice)}")
