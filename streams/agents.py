"""The two agents, with no decision in them: read a batch, let the pure core decide, pack what it decided.

`intake` turns records' changes and systems' answers into changes of persons; `sync` folds those into the persons and sends
commands and activities. A message that cannot be read, or on which the core raises, is rejected as a whole and its person
is left as it was; the partition goes on. (Design, "Bad input".)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Protocol, cast

from schemas.limits import BODY_BYTES_MAX, REJECTED_KEY_BYTES_MAX
from schemas.policy_record import is_digest
from schemas.rejection import Reason
from schemas.vocabulary import System
from streams import cloudevents
from streams.admission import key_of, of_its_command, of_its_person, of_its_stream
from streams.codec import (
    Unreadable,
    decode_apply_result,
    decode_person_change,
    decode_source_change,
    encode,
    rejection_of,
)
from streams.intake import Resolved, resolve_change, resolve_result
from streams.lane import Batch, BatchResult, Output, Record
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange, SourceChange
from streams.sync.outcome import Outcome
from streams.sync.person import PersonState, decode_person, encode_person
from streams.sync.policy import Policy
from streams.sync.step import advance
from streams.tally import Tally

INTAKE, SYNC = "intake", "sync"
RECORDS_AT_ONCE = 16
"""How many records of a batch go through each loop together; what they need fits into a processor's cache."""
PERSON_CHANGE = cloudevents.type_of("person-change/1")
COMMAND = cloudevents.type_of("apply-command/1")
ACTIVITY = cloudevents.type_of("activity/1")
REJECTION = cloudevents.type_of("rejection/1")
FROM_INTAKE, FROM_SYNC = cloudevents.source_of(INTAKE), cloudevents.source_of(SYNC)

Topic = Callable[[str], str]


class Policies(Protocol):
    """The policies that a worker knows."""

    @property
    def in_force(self) -> Policy: ...
    def known(self, digest: str) -> Policy | None: ...
    async def find(self, digests: Iterable[str]) -> None: ...


def rejected(batch: Batch, record: Record, error: Unreadable, source: str, topic: Topic, tally: Tally) -> Output:
    """The dead letter of a record: same key, so that corrected ones can be put back in order; cut where no key can be so long."""
    tally.rejections[error.reason] += 1
    body = rejection_of(
        topic=batch.topic,
        partition=batch.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        value=record.value,
        headers=record.headers,
        reason=error.reason,
        detail=error.detail,
    )
    ce_id = f"{batch.topic}/{batch.partition}/{record.offset}"
    key = record.key and record.key[:REJECTED_KEY_BYTES_MAX]
    return Output(topic("dead-letter"), key, body, cloudevents.headers(ce_id, REJECTION, source))


def _fault(error: Exception, reason: Reason = "failed") -> Unreadable:
    return Unreadable(reason, f"{type(error).__name__}: {error}")


def _fitting(body: bytes) -> bytes:
    if len(body) > BODY_BYTES_MAX:
        raise Unreadable(
            "outcome_oversized", f"it would cause a message of {len(body)} bytes; allowed are {BODY_BYTES_MAX}"
        )
    return body


class Intake:
    """Reads `*.changes` and `*.results`; sends `person.changes`; keeps the links from streams to persons."""

    def __init__(self, topic: Topic, policies: Policies, tally: Tally) -> None:
        self._topic, self._policies, self._tally = topic, policies, tally
        self._person_changes = topic("person.changes")
        self._systems: dict[str, System] = {
            topic("marketo.changes"): "marketo",
            topic("dynamics.changes"): "dynamics",
            topic("marketo.results"): "marketo",
            topic("dynamics.results"): "dynamics",
        }
        self._results = {topic("marketo.results"), topic("dynamics.results")}

    @property
    def topics(self) -> tuple[str, ...]:
        """The source topics."""
        return tuple(self._systems)

    @property
    def tables(self) -> dict[str, str]:
        """The links' table of each topic that has streams."""
        return {topic: f"{system}-links" for topic, system in self._systems.items() if topic not in self._results}

    def handle(self, batch: Batch) -> BatchResult:
        """One batch of one topic."""
        system = self._systems[batch.topic]
        self._tally.changes_in[system] += len(batch.records)
        return self._results_in(batch, system) if batch.topic in self._results else self._changes_in(batch, system)

    def _changes_in(self, batch: Batch, system: System) -> BatchResult:
        outputs: list[Output] = []
        links: dict[bytes, bytes | None] = {}
        policy = self._policies.in_force
        for begin in range(0, len(batch.records), RECORDS_AT_ONCE):
            records = batch.records[begin : begin + RECORDS_AT_ONCE]
            changes = [_read_source_change(record, system) for record in records]
            for record, change in zip(records, changes, strict=True):
                if isinstance(change, Unreadable):
                    outputs.append(rejected(batch, record, change, FROM_INTAKE, self._topic, self._tally))
                    continue
                key = record.key or b""
                link = links.get(key) or batch.table.get(key)
                try:
                    resolved = self._resolved(key.decode(), change, link, policy)
                    outputs += [self._packed(each) for each in resolved.changes]
                except Unreadable as error:
                    outputs.append(rejected(batch, record, error, FROM_INTAKE, self._topic, self._tally))
                    continue
                if resolved.link != link:
                    links[key] = resolved.link
        return BatchResult(outputs, links)

    @staticmethod
    def _resolved(stream: str, change: SourceChange, link: bytes | None, policy: Policy) -> Resolved:
        try:
            return resolve_change(stream, change, link, policy)
        except (
            Exception
        ) as error:  # whatever a value made the core raise: the change is rejected, the partition goes on
            raise _fault(error) from error

    def _results_in(self, batch: Batch, system: System) -> BatchResult:
        outputs: list[Output] = []
        policy = self._policies.in_force
        for record in batch.records:
            try:
                result = of_its_command(decode_apply_result(record.value), key_of(record.key), system)
                outputs.append(self._packed(self._answered(result, policy)))
            except Unreadable as error:
                outputs.append(rejected(batch, record, error, FROM_INTAKE, self._topic, self._tally))
        return BatchResult(outputs)

    @staticmethod
    def _answered(result: ApplyResult, policy: Policy) -> PersonChange:
        try:
            return resolve_result(result, policy)
        except Exception as error:  # see `_resolved`
            raise _fault(error) from error

    def _packed(self, change: PersonChange) -> Output:
        headers = cloudevents.headers(change.change_id, PERSON_CHANGE, FROM_INTAKE, change.time)
        return Output(self._person_changes, change.person_key.encode(), _fitting(encode(change)), headers)


def _read_source_change(record: Record, system: System) -> SourceChange | Unreadable:
    """What the record says, or why it cannot be read here."""
    try:
        stream = key_of(record.key)
        return of_its_stream(decode_source_change(record.value), stream, system)
    except Unreadable as error:
        return error.with_traceback(None)  # with it, a kept error would keep its batch until the collector comes


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
            counted += self._count(batch.partition, outcome)
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
            encoded = None if outcome.state is None else _fitting(encode_person(outcome.state))
            packed = [self._packed_command(each) for each in outcome.commands]
            packed += [self._packed_activity(each) for each in outcome.activities]
        except Unreadable:
            raise
        except Exception as error:  # a fault of the core: the change is rejected, its person left as it was
            raise _fault(error) from error
        outputs += packed
        return outcome, encoded

    def _packed_command(self, command: ApplyCommand) -> Output:
        headers = cloudevents.headers(command.command_id, COMMAND, FROM_SYNC)
        topic = self._commands[command.system, command.lane]
        return Output(topic, command.person_key.encode(), _fitting(encode(command)), headers)

    def _packed_activity(self, activity: Activity) -> Output:
        headers = cloudevents.headers(activity.activity_id, ACTIVITY, FROM_SYNC, activity.time)
        return Output(self._activity_log, activity.person_key.encode(), _fitting(encode(activity)), headers)

    def _count(self, partition: int, outcome: Outcome) -> int:
        tally = self._tally
        tally.effects[outcome.effect] += 1
        for activity in outcome.activities:
            if activity.kind == "collision":
                tally.collisions[activity.record_type or "lead", activity.winner or ""] += 1
            elif activity.kind == "failed":
                tally.errors_opened[activity.system or ""] += 1
            elif activity.kind == "closed":
                tally.errors_closed[activity.system or ""] += 1
        if more := outcome.errors_opened - outcome.errors_closed:
            tally.errors_open[partition] += more
        return more


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
