"""What a store on disk asks of the agents: that they look up their records' keys only, and say how the count changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product
from types import SimpleNamespace
from typing import Any

from streams.agents import Intake, Sync
from streams.codec import encode
from streams.error_count import errors_in
from streams.lane import Batch, BatchResult
from streams.policy import default_policy
from streams.sync.person import decode_person
from streams.sync.policy import Policy
from streams.tally import Tally
from tests.kafka.load import edits
from tests.simulation.profiles import PROFILES
from tests.simulation.world import World

SEEDS = 6
BATCH_RECORDS = 7


class OnePolicy:
    """The policy of a world."""

    def __init__(self, policy: Policy) -> None:
        self.in_force = policy

    def known(self, digest: str) -> Policy | None:
        return self.in_force

    async def find(self, digests: Iterable[str]) -> None:
        raise AssertionError(f"asked to wait for {list(digests)}")


class RecordsKeys(dict[bytes, bytes]):
    """The table of a batch as a store on disk hands it over; whoever asks it for another key gets nothing there."""

    def __init__(self, table: dict[bytes, bytes], keys: set[bytes]) -> None:
        super().__init__({key: table[key] for key in keys & table.keys()})
        self._keys = keys

    def get(self, key: bytes, default: Any = None) -> Any:
        assert key in self._keys, f"{key!r} is the key of none of the batch's records"
        return super().get(key, default)


def batches(topic: str, messages: Iterable[tuple[bytes, bytes]], table: dict[bytes, bytes]) -> Iterator[Batch]:
    waiting = iter(messages)
    while taken := list(islice(waiting, BATCH_RECORDS)):
        records: list[Any] = [SimpleNamespace(offset=0, timestamp=0, key=k, value=v, headers=()) for k, v in taken]
        yield Batch(topic, 0, records, RecordsKeys(table, {key for key, _ in taken}))


def test_sync_says_by_how_much_the_open_errors_change() -> None:
    """Summed up it is what all states together hold, after each batch; in every kind of world."""
    ever = 0
    for seed, profile in product(range(SEEDS), PROFILES.values()):
        world = World(seed, profile)
        world.run()
        policies, table, counted = OnePolicy(world.policy), dict[bytes, bytes](), 0
        sync = Sync(str, policies, Tally())
        folded = world.processor.folded
        messages = [(key.encode(), encode(change)) for key, changes in folded.items() for change in changes]
        for batch in batches("person.changes", messages, table):
            result = sync.handle(batch)
            assert isinstance(result, BatchResult)
            table.update({key: value for key, value in result.writes.items() if value is not None})
            counted += result.counted
            ever += abs(result.counted)
            assert (
                counted
                == sum(map(errors_in, table.values()))
                == sum(len(decode_person(v).errors) for v in table.values())
            )
        states = {
            key: stored for key in world.processor.persons() if (stored := world.processor.stored(key)) is not None
        }
        assert {key.decode(): value for key, value in table.items()} == states
    assert ever, "in some of these worlds errors open and close"


def test_intake_looks_up_the_streams_of_its_records_only() -> None:
    """Its links are its topic's own."""
    messages, _ = edits(20, 3)
    intake, table = Intake(str, OnePolicy(default_policy()), Tally()), dict[bytes, bytes]()
    for batch in batches("marketo.changes", [(key, body) for _, key, body in messages], table):
        result = intake.handle(batch)
        table.update({key: value for key, value in result.writes.items() if value is not None})
    assert len(table) == 20
