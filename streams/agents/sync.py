"""From the changes of persons to their states, and to commands and activities."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping, Sequence
from time import perf_counter
from typing import cast

from schemas.policy_record import is_digest
from streams import cloudevents
from streams.admission import of_its_person
from streams.agents.packing import RECORDS_AT_ONCE, Policies, Topic, fault, fitting, rejected
from streams.codec import Unreadable, decode_person_change, encode
from streams.lane import Batch, BatchResult, Output, Record
from streams.sync.messages import Activity, ApplyCommand, PersonChange
from streams.sync.outcome import Outcome
from streams.sync.person import PersonState, decode_person, encode_person
from streams.sync.step import advance
from streams.tally import Tally

SYNC = "sync"
COMMAND = cloudevents.type_of("apply-command/1")
ACTIVITY = cloudevents.type_of("activity/1")
FROM_SYNC = cloudevents.source_of(SYNC)


class Sync:
    """Reads `person.changes`, alone writes the table `people`, sends commands and activities."""

    def __init__(self, topic: Topic, policies: Policies, tally: Tally) -> None:
        self._topic, self._policies, self._tally = topic, policies, tally
        self._activity_log = topic("activity-log")
        self._commands = {
            (system, lane): topic(f"{system}.commands" + (".background" if lane == "background" else ""))
            for system in ("marketo", "dynamics")
            for lane in ("first", "background")
        }
        self.topics = (topic("person.changes"),)
        self.tables = {self.topics[0]: "people"}

    def handle(self, batch: Batch) -> BatchResult | Awaitable[BatchResult]:
        """One batch. Awaits only when a change is stamped with a policy that has yet to be read."""
        folding = self._fold(batch)
        try:
            missing = next(folding)
        except StopIteration as end:
            return cast(BatchResult, end.value)
        return self._fold_later(folding, missing)

    async def _fold_later(self, folding: Generator[str, None, BatchResult], missing: str) -> BatchResult:
        while True:
            await self._policies.find({missing})
            try:
                missing = next(folding)
            except StopIteration as end:
                return cast(BatchResult, end.value)

    def _fold(self, batch: Batch) -> Generator[str, None, BatchResult]:
        """Yields each policy that it has to wait for.

        A few records are read, then their persons, then they are folded: each loop finds its code in the processor's cache,
        and what one record needs is still there when its turn comes. One by one, or a batch as a whole, takes a third more.
        """
        outputs: list[Output] = []
        writes: dict[bytes, bytes | None] = {}
        counted = 0
        for begin in range(0, len(batch.records), RECORDS_AT_ONCE):
            records = batch.records[begin : begin + RECORDS_AT_ONCE]
            changes = [_read_person_change(record) for record in records]
            for place, change in enumerate(changes):
                while isinstance(change, PersonChange) and self._policies.known(change.policy) is None:
                    if is_digest(change.policy):
                        yield change.policy
                    else:  # nobody waits for what `policies` can never hold
                        changes[place] = change = Unreadable("invalid", f"policy is {change.policy!r}; it is a digest")
            began = perf_counter()
            counted += self._fold_some(batch, records, changes, outputs, writes)
            self._tally.core_seconds += perf_counter() - began
            self._tally.core_changes += len(changes)
        return BatchResult(outputs, writes, counted)

    def _fold_some(
        self,
        batch: Batch,
        records: Sequence[Record],
        changes: Sequence[PersonChange | Unreadable],
        outputs: list[Output],
        writes: dict[bytes, bytes | None],
    ) -> int:
        counted = 0  # by how many more errors are open after these records
        persons = [_person(writes, batch.table, record.key or b"") for record in records]
        latest: dict[bytes, PersonState | None] = {}  # of who was changed among these records
        for record, change, person in zip(records, changes, persons, strict=True):
            if isinstance(change, Unreadable):
                outputs.append(rejected(batch, record, change, FROM_SYNC, self._topic, self._tally))
                continue
            key = record.key or b""
            try:
                outcome, encoded = self._folded(latest.pop(key, person), change, outputs)
            except Unreadable as error:
                outputs.append(rejected(batch, record, error, FROM_SYNC, self._topic, self._tally))
                if key in writes:
                    latest[key] = _person(writes, batch.table, key)  # the core may have begun to change the other
                continue
            if encoded is not None:
                writes[key], latest[key] = encoded, outcome.state
            counted += self._count(outcome)
        return counted

    def _folded(
        self, person: PersonState | None, change: PersonChange, outputs: list[Output]
    ) -> tuple[Outcome, bytes | None]:
        """Fold a change into a state that is nobody else's, and put what it sends among the outputs."""
        policy = self._policies.known(change.policy)
        if policy is None:
            raise LookupError(f"policy {change.policy} is not on the topic {self._topic('policies')}")
        try:
            outcome = advance(person, change, policy)
            encoded = None if outcome.state is None else fitting(encode_person(outcome.state))
            packed = [self._packed_command(each) for each in outcome.commands]
            packed += [self._packed_activity(each) for each in outcome.activities]
        except Unreadable:
            raise
        except Exception as error:  # a fault of the core: the change is rejected, its person left as it was
            raise fault(error) from error
        outputs += packed
        return outcome, encoded

    def _packed_command(self, command: ApplyCommand) -> Output:
        headers = cloudevents.headers(command.command_id, COMMAND, FROM_SYNC)
        topic = self._commands[command.system, command.lane]
        return Output(topic, command.person_key.encode(), fitting(encode(command)), headers)

    def _packed_activity(self, activity: Activity) -> Output:
        headers = cloudevents.headers(activity.activity_id, ACTIVITY, FROM_SYNC, activity.time)
        return Output(self._activity_log, activity.person_key.encode(), fitting(encode(activity)), headers)

    def _count(self, outcome: Outcome) -> int:
        """By how much more errors are open; that is told after the commit."""
        tally = self._tally
        tally.effects[outcome.effect] += 1
        for activity in outcome.activities:
            if activity.kind == "collision":
                tally.collisions[activity.record_type or "lead", activity.winner or ""] += 1
            elif activity.kind == "failed":
                tally.errors_opened[activity.system or ""] += 1
            elif activity.kind == "closed":
                tally.errors_closed[activity.system or ""] += 1
        return outcome.errors_opened - outcome.errors_closed


def _read_person_change(record: Record) -> PersonChange | Unreadable:
    """What the record says, or why it cannot be read here."""
    try:
        return of_its_person(decode_person_change(record.value), record.key)
    except Unreadable as error:
        return error.with_traceback(None)  # with it, a kept error would keep its batch until the collector comes


def _person(writes: Mapping[bytes, bytes | None], table: Mapping[bytes, bytes], key: bytes) -> PersonState | None:
    """As this batch, or else a former one, left it."""
    encoded = writes.get(key) or table.get(key)
    return None if encoded is None else decode_person(encoded)
