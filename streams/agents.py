"""The two agents, with no decision in them: read a batch, let the pure core decide, pack what it decided.

`intake` turns records' changes and systems' answers into changes of persons; `sync` folds those into the persons and sends
commands and activities. A message that cannot be read, or on which the core raises, is rejected as a whole and its person
is left as it was; the partition goes on. (Design, "Bad input".)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from time import perf_counter
from typing import Protocol, cast

from schemas.rejection import Reason
from schemas.topics import BODY_BYTES_MAX
from schemas.vocabulary import ID_CHARACTERS_MAX, System
from streams import cloudevents
from streams.codec import (
    Unreadable,
    decode_apply_result,
    decode_person_change,
    decode_source_change,
    encode,
    rejection_of_record,
)
from streams.intake import Resolved, resolve_change, resolve_result
from streams.lane import Batch, BatchResult, Output, Record
from streams.sync.messages import Activity, ApplyCommand, ApplyResult, PersonChange, SourceChange
from streams.sync.outcome import Outcome
from streams.sync.person import PersonState, decode_person, encode_person
from streams.sync.policy import Policy
from streams.sync.step import step
from streams.tally import Tally

INTAKE, SYNC = "intake", "sync"
RECENT_PEOPLE = 32
"""How many decoded states a batch keeps at hand: for somebody edited in bursts."""
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


def rejected(record: Record, error: Unreadable, source: str, topic: Topic, tally: Tally) -> Output:
    """The dead letter of a record: same key, so that corrected ones can be put back in order."""
    tally.rejections[error.reason] += 1
    body = rejection_of_record(record, error)
    ce_id = f"{record.topic}/{record.partition}/{record.offset}"
    return Output(topic("dead-letter"), record.key, body, cloudevents.headers(ce_id, REJECTION, source))


def key_of(record: Record) -> str:
    """A message's key as text. Raises Unreadable."""
    if not record.key:
        raise Unreadable("no_key", "the message has no key")
    try:
        key = record.key.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("no_key", f"the key is not UTF-8: {error}") from None
    if len(key) > ID_CHARACTERS_MAX:
        raise Unreadable("no_key", f"the key has {len(key)} characters; allowed are {ID_CHARACTERS_MAX}")
    return key


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
        for record in batch.records:
            try:
                stream = key_of(record)
                change = _of_this_topic(decode_source_change(record.value), stream, system)
                key = record.key or b""
                learned = links.get(key) or batch.table.get(key)
                resolved = self._resolved(stream, change, learned, policy)
                outputs += [self._packed(each) for each in resolved.changes]
            except Unreadable as error:
                outputs.append(rejected(record, error, FROM_INTAKE, self._topic, self._tally))
                continue
            linked = resolved.person_key.encode()
            if linked != learned:
                links[key] = linked
        return BatchResult(outputs, links)

    @staticmethod
    def _resolved(stream: str, change: SourceChange, learned: bytes | None, policy: Policy) -> Resolved:
        try:
            return resolve_change(stream, change, learned.decode() if learned else None, policy)
        except (
            Exception
        ) as error:  # whatever a value made the core raise: the change is rejected, the partition goes on
            raise _fault(error) from error

    def _results_in(self, batch: Batch, system: System) -> BatchResult:
        outputs: list[Output] = []
        policy = self._policies.in_force
        for record in batch.records:
            try:
                result = _to_this_person(decode_apply_result(record.value), key_of(record), system)
                outputs.append(self._packed(self._answered(result, policy)))
            except Unreadable as error:
                outputs.append(rejected(record, error, FROM_INTAKE, self._topic, self._tally))
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


def _of_this_topic(change: SourceChange, stream: str, system: System) -> SourceChange:
    record = change.record
    if record.system != system:
        raise Unreadable("invalid", f"record.system is {record.system!r}; on this topic it is {system!r}")
    if record.type != "contact" and record.id != stream:
        raise Unreadable("wrong_key", f"the key is {stream!r}; the stream of {record.type} {record.id!r} is its id")
    return change


def _to_this_person(result: ApplyResult, key: str, system: System) -> ApplyResult:
    if result.person_key != key:
        raise Unreadable("wrong_key", f"the key is {key!r} and person_key is {result.person_key!r}; they are the same")
    named = [system, result.system, *(r.system for r in (result.record, result.row and result.row.record) if r)]
    if len(set(named)) > 1:
        raise Unreadable("invalid", f"system is {result.system!r}; on this topic everything is of {system!r}")
    return result


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

        A record is read, folded and packed before the next is looked at, and states are let go of soon: what one record
        needs is still in the processor's cache then. A batch decoded as a whole takes a third more time.
        """
        outputs: list[Output] = []
        writes: dict[bytes, bytes | None] = {}
        recent: dict[str, PersonState | None] = {}
        tally = self._tally
        for record in batch.records:
            try:
                change = _of_its_key(decode_person_change(record.value), key_of(record))
                while self._policies.known(change.policy) is None:
                    yield change.policy
                began, key = perf_counter(), change.person_key
                state = recent[key] if key in recent else _person(writes, batch.table, key.encode())
                outcome, packed, encoded = self._folded(state, change)
            except Unreadable as error:
                outputs.append(rejected(record, error, FROM_SYNC, self._topic, tally))
                continue
            outputs += packed
            if len(recent) >= RECENT_PEOPLE:
                recent.clear()
            recent[key] = outcome.state
            if encoded is not None:
                writes[key.encode()] = encoded
            self._count(batch.partition, outcome)
            tally.core_changes += 1
            tally.core_seconds += perf_counter() - began
        return BatchResult(outputs, writes)

    def _folded(self, state: PersonState | None, change: PersonChange) -> tuple[Outcome, list[Output], bytes | None]:
        policy = self._policies.known(change.policy)
        if policy is None:
            raise LookupError(f"policy {change.policy} is not on the topic {self._topic('policies')}")
        try:
            outcome = step(state, change, policy)
            packed = [self._packed_command(each) for each in outcome.commands]
            packed += [self._packed_activity(each) for each in outcome.activities]
            encoded = None if outcome.state is None else _fitting(encode_person(outcome.state))
        except Unreadable:
            raise
        except Exception as error:  # a fault of the core: the change is rejected, its person left as it was
            raise _fault(error) from error
        return outcome, packed, encoded

    def _packed_command(self, command: ApplyCommand) -> Output:
        headers = cloudevents.headers(command.command_id, COMMAND, FROM_SYNC)
        topic = self._commands[command.system, command.lane]
        return Output(topic, command.person_key.encode(), _fitting(encode(command)), headers)

    def _packed_activity(self, activity: Activity) -> Output:
        headers = cloudevents.headers(activity.activity_id, ACTIVITY, FROM_SYNC, activity.time)
        return Output(self._activity_log, activity.person_key.encode(), _fitting(encode(activity)), headers)

    def _count(self, partition: int, outcome: Outcome) -> None:
        tally = self._tally
        tally.effects[outcome.effect] += 1
        for activity in outcome.activities:
            if activity.kind == "collision":
                tally.collisions[activity.record_type or "lead", activity.winner or ""] += 1
            elif activity.kind == "failed":
                tally.errors_opened[activity.system or ""] += 1
            elif activity.kind == "closed":
                tally.errors_closed[activity.system or ""] += 1
        tally.errors_open[partition] += outcome.errors_opened - outcome.errors_closed


def _of_its_key(change: PersonChange, key: str) -> PersonChange:
    if change.person_key != key:
        raise Unreadable("wrong_key", f"the key is {key!r} and person_key is {change.person_key!r}")
    return change


def _person(writes: Mapping[bytes, bytes | None], table: Mapping[bytes, bytes], key: bytes) -> PersonState | None:
    """As this batch, or else a former one, left it."""
    encoded = writes.get(key) or table.get(key)
    return None if encoded is None else decode_person(encoded)
