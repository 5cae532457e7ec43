"""The processor without Kafka: its two agents on topics that are lists, with tables that are dictionaries.

The agents are the shell's own, so that bytes are read, batches folded together and messages packed as in a worker. What the lane
and the broker see to is played: a batch of a partition takes effect whole or not at all (outputs, table writes, its place), so a
crash at any await is one of two things: before the commit nothing has happened, after it everything has. Whoever takes a
partition over fences whoever had it before: a batch that a zombie computed, from a table that others have written to since,
is refused when it is to be committed.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from schemas.vocabulary import System
from streams.agents import Intake, Sync
from streams.codec import decode_activity, decode_apply_command, decode_person_change, encode
from streams.demo.record import Published
from streams.lane import Batch, BatchResult, Output
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange
from streams.sync.person import PersonState, decode_person
from streams.sync.policy import Policy
from streams.tally import Tally

PERSON_CHANGES = "person.changes"
SOURCES = ("marketo.changes", "dynamics.changes")
RESULTS = ("marketo.results", "dynamics.results")
MILLISECONDS = 1_790_000_000_000


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Message(NamedTuple):
    """A record as the lane hands it over."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Partition:
    """Its records, the place up to which they are committed, its part of the table, and who may write to that."""

    records: list[Message] = field(default_factory=list)
    committed: int = 0
    table: dict[bytes, bytes] = field(default_factory=dict)
    epoch: int = 0


class Handled(NamedTuple):
    """A batch with everything that it causes, not yet committed."""

    place: Place
    epoch: int
    end: int
    records: tuple[Message, ...]
    result: BatchResult


class OnePolicy:
    """The policy in force, which never changes here."""

    def __init__(self, policy: Policy) -> None:
        self.in_force = policy

    def known(self, digest: str) -> Policy | None:
        """The one there is."""
        return self.in_force if digest == self.in_force.digest else None

    async def find(self, digests: Iterable[str]) -> None:
        """There is nothing to wait for."""
        raise LookupError(f"{set(digests)} is not the policy in force")


class Processor:
    """Topics and tables between the two systems, and the agents that work on them.

    `folded`, `commands`, `activities`: everything that was committed, per person, for the laws; `rejected`: dead letters.
    """

    def __init__(self, policy: Policy, partitions: int) -> None:
        policies, self.tally = OnePolicy(policy), Tally()
        self.policy, self.partitions = policy, partitions
        self.intake, self.sync = Intake(str, policies, self.tally), Sync(str, policies, self.tally)
        self.topics: dict[Place, Partition] = {}
        self.sources: dict[Place, None] = {}  # where something waits, in the order in which it came
        self.results: dict[Place, None] = {}
        self.changes: dict[Place, None] = {}
        self.folded: dict[str, list[PersonChange]] = {}
        self.commands: dict[str, list[ApplyCommand]] = {}
        self.activities: dict[str, list[Activity]] = {}
        self.rejected: list[bytes] = []
        self.errors_counted = 0
        self._waiting = dict.fromkeys(SOURCES, self.sources) | dict.fromkeys(RESULTS, self.results)
        self._waiting[PERSON_CHANGES] = self.changes

    def publish(self, published: Published) -> None:
        """A change lands on its system's topic."""
        self._append(f"{published.change.record.system}.changes", published.stream.encode(), encode(published.change))

    def answer(self, result: ApplyResult) -> None:
        """A result lands on its topic."""
        self._append(f"{result.system}.results", result.person_key.encode(), encode(result))

    def handle(self, place: Place, count: int) -> Handled:
        """An agent reads a batch and says what shall come of it; so far, nothing does."""
        partition = self.topics[place]
        end = min(partition.committed + count, len(partition.records))
        records = tuple(partition.records[partition.committed : end])
        table = {m.key: partition.table[m.key] for m in records if m.key in partition.table}
        agent = self.sync if place.topic == PERSON_CHANGES else self.intake
        result = cast(BatchResult, agent.handle(Batch(place.topic, place.partition, records, table)))
        return Handled(place, partition.epoch, end, records, result)

    def take_over(self, place: Place) -> None:
        """Another worker gets the partition: it goes on at what was committed, and the one before it is fenced."""
        self.topics[place].epoch += 1

    def commit(self, handled: Handled) -> list[ApplyCommand] | None:
        """Everything that a batch causes takes effect; gives the commands among it. None, and nothing does: it was fenced."""
        partition = self.topics[handled.place]
        if self.is_fenced(handled):
            return None
        for key, value in handled.result.writes.items():
            if value is None:
                partition.table.pop(key, None)
            else:
                partition.table[key] = value
        partition.committed = handled.end
        if handled.end == len(partition.records):
            self._waiting[handled.place.topic].pop(handled.place, None)
        if handled.place.topic == PERSON_CHANGES:
            self._note_folded(handled.records)
        self.errors_counted += handled.result.counted
        return [command for output in handled.result.outputs if (command := self._sent(output)) is not None]

    def is_fenced(self, handled: Handled) -> bool:
        """Whether somebody else got the partition since."""
        return handled.epoch != self.topics[handled.place].epoch

    def state(self, person_key: str) -> PersonState | None:
        """The committed state of a person."""
        stored = self.stored(person_key)
        return None if stored is None else decode_person(stored)

    def stored(self, person_key: str) -> bytes | None:
        """The same as it stands in the table."""
        key = person_key.encode()
        partition = self.topics.get(self._place(PERSON_CHANGES, key))
        return None if partition is None else partition.table.get(key)

    def persons(self) -> Collection[str]:
        """Everybody of whom something was folded."""
        return self.folded

    def _note_folded(self, records: Iterable[Message]) -> None:
        for record in records:
            change = decode_person_change(record.value)
            self.folded.setdefault(change.person_key, []).append(change)

    def _sent(self, output: Output) -> ApplyCommand | None:
        """An output is on its topic now; a command is the appliers' business."""
        body = output.value or b""
        if output.topic == PERSON_CHANGES:
            self._append(PERSON_CHANGES, output.key or b"", body)
        elif output.topic == "activity-log":
            activity = decode_activity(body)
            self.activities.setdefault(activity.person_key, []).append(activity)
        elif output.topic == "dead-letter":
            self.rejected.append(body)
        else:
            command = decode_apply_command(body)
            self.commands.setdefault(command.person_key, []).append(command)
            return command
        return None

    def _append(self, topic: str, key: bytes, value: bytes) -> None:
        place = self._place(topic, key)
        partition = self.topics.get(place)
        if partition is None:
            partition = self.topics[place] = Partition()
        offset = len(partition.records)
        partition.records.append(Message(offset, MILLISECONDS + offset, key, value))
        self._waiting[topic][place] = None

    def _place(self, topic: str, key: bytes) -> Place:
        return Place(topic, zlib.crc32(key) % self.partitions)


def systems_of(places: Mapping[Place, None]) -> set[System]:
    """The systems whose changes wait."""
    return {cast(System, place.topic.partition(".")[0]) for place in places}
