"""The agents' own functions over the stream, without a broker: some ten times faster than with one, to find what raises.

Each message is judged beforehand. A good one on a source topic must come out on `person.changes`, for the person that its key and
its topic's earlier messages say; a good one there must be folded, and the states, commands and activities must be byte for byte
what `step` gives when it folds the same changes one after the other. A bad one must come out on `dead-letter`, once, from its place,
for a reason that the judge allows. Everything that comes out must itself keep its contract.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import msgspec
from pydantic import ValidationError

import schemas
from schemas.identity import person_key_of, uuid5
from schemas.limits import BODY_BYTES_MAX, LIMITS
from schemas.vocabulary import Contract
from streams.agents import Intake, Sync
from streams.codec import decode_person_change, encode
from streams.lane import Batch, Output
from streams.policy import default_policy
from streams.sync.person import decode_person, encode_person
from streams.sync.policy import Policy
from streams.sync.step import step
from streams.sync.values import canonical
from streams.tally import Tally
from tests.fuzz.judging import Verdict, judged
from tests.fuzz.sending import MODELS, Sent, Stream

SLICE = 400
BATCHES = (1, 1, 2, 15, 16, 17, 100)
SLOW_SECONDS = 1.0
OUTCOMES = ("failed", "outcome_oversized")
CONTRACTS: dict[str, type[Contract]] = {
    "person.changes": schemas.PersonChange,
    "activity-log": schemas.Activity,
    "dead-letter": schemas.Rejection,
    **{
        f"{system}.commands{lane}": schemas.ApplyCommand
        for system in ("marketo", "dynamics")
        for lane in ("", ".background")
    },
}


class Taken(NamedTuple):
    """A record as aiokafka hands it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass
class Report:
    """What was done and what is wrong. `people_bytes`: what the states take by the end."""

    messages: int = 0
    good: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    stories: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    people: int = 0
    people_bytes: int = 0
    slowest_seconds: float = 0.0
    slowest_story: str = ""

    def find(self, what: str, value: bytes | None = None) -> None:
        """Something is wrong."""
        self.findings.append(what if value is None else f"{what}: {value[:2_000]!r} ({len(value)} bytes)")


class ShippedPolicy:
    """The shipped policy is in force, and there is no other."""

    def __init__(self, policy: Policy) -> None:
        self.in_force = policy

    def known(self, digest: str) -> Policy | None:
        return self.in_force if digest == self.in_force.digest else None

    async def find(self, digests: Iterable[str]) -> None:
        raise AssertionError(f"asked to wait for {list(digests)}")


class Broker:
    """The topics, as far as the agents see them, and both agents."""

    def __init__(self, policy: Policy, report: Report) -> None:
        self.policy, self.report = policy, report
        policies, tally = ShippedPolicy(policy), Tally()
        self.intake, self.sync = Intake(str, policies, tally), Sync(str, policies, tally)
        self.tables: dict[str, dict[bytes, bytes]] = {topic: {} for topic in MODELS}
        self.states: dict[bytes, bytes] = {}
        self._offsets: Counter[str] = Counter()

    def put(self, topic: str, sent: Sent | Output) -> Taken:
        """The record as it stands on its topic."""
        self._offsets[topic] += 1
        when = 1_790_000_000_000 if sent.timestamp_ms is None else sent.timestamp_ms
        return Taken(topic, 0, self._offsets[topic], when, sent.key, sent.value, tuple(sent.headers))

    def take_in(self, records: list[Taken], verdicts: list[Verdict]) -> list[Output]:
        """Intake reads a batch of one topic; what it says on `person.changes`."""
        topic = records[0].topic
        result = self.intake.handle(Batch(topic, 0, records, self.tables[topic]))
        rejected = self._rejections(result.outputs)
        said = [each for each in result.outputs if each.topic == "person.changes"]
        links = dict(self.tables[topic])
        expected: Counter[tuple[str, str, bytes]] = Counter()
        for record, verdict in zip(records, verdicts, strict=True):
            reason = rejected.pop(record.offset, None)
            if self._is_right(record, verdict, reason):
                *others, own = resolved(topic, record.key or b"", verdict.message, links)
                expected.update([(*other, b"null") for other in others])
                expected[*own, canonical_fields(verdict.message, self.policy)] += 1
        self._leftover(rejected)
        changes = [decode_person_change(each.value) for each in said]
        found = Counter((each.person_key, each.change_id, _canonical_json(each.fields)) for each in changes)
        if found != expected:
            self.report.find(f"{topic}: person.changes lacks {expected - found} or has too much: {found - expected}")
        self._write(topic, result.writes)
        if topic.endswith("changes") and self.tables[topic] != links:
            self.report.find(f"{topic}: links differ")
        return said

    def fold(self, records: list[Taken], verdicts: list[Verdict]) -> None:
        """Sync reads a batch of `person.changes`."""
        topic = "person.changes"
        result: Any = self.sync.handle(Batch(topic, 0, records, self.tables[topic]))
        if hasattr(result, "__await__"):
            result.close()
            self.report.find("a batch waits for a policy", b" ".join(each.value or b"" for each in records))
            return
        rejected = self._rejections(result.outputs)
        right: list[bytes] = []
        for record, verdict in zip(records, verdicts, strict=True):
            if self._is_right(record, verdict, rejected.pop(record.offset, None)):
                right += self._folded(record)
        self._leftover(rejected)
        found = [each.value for each in result.outputs if each.topic != "dead-letter"]
        if sorted(found) != sorted(right):
            self.report.find(
                f"{len(found)} outputs, by the fold {len(right)}", b"\n".join(r.value or b"" for r in records)
            )
        self._write(topic, result.writes)
        for key in {record.key for record in records if record.key in self.states}:
            if self.tables[topic].get(key) != self.states[key]:
                self.report.find(f"the state of {key!r} is not what a fold gives", self.tables[topic].get(key))

    def _folded(self, record: Taken) -> list[bytes]:
        key, change = record.key or b"", decode_person_change(record.value)
        before = self.states.get(key)
        outcome = step(None if before is None else decode_person(before), change, self.policy)
        if outcome.state is not None:
            self.states[key] = encode_person(outcome.state)
        return [*map(encode, outcome.commands), *map(encode, outcome.activities)]

    def check_states(self) -> None:
        """What is kept of a person keeps its limits, whatever befell them."""
        for key, encoded in self.states.items():
            person = decode_person(encoded)
            names = {*person.at_rest, *person.moving, *(person.conversion.void if person.conversion else ())}
            kept = {
                "FIELDS_MAX": len(names),
                "REQUESTS_MAX": len(person.requests),
                "CLOSED_RECORDS_MAX": max(len(person.marketo.closed), len(person.dynamics.closed)),
                "VALUES_HELD_MAX": max((len(field.held_since) for field in person.moving.values()), default=0),
                "CAUSES_MAX": max(len(each.flight.causes) for each in (person.marketo, person.dynamics) if each.flight)
                if person.marketo.flight or person.dynamics.flight
                else 0,
            }
            over = {name: count for name, count in kept.items() if count > LIMITS[name].most}
            strange = names - self.policy.fields.keys()
            if over or strange or len(encoded) > BODY_BYTES_MAX:
                self.report.find(
                    f"the state of {key!r} has {over}, fields of no policy {strange}, {len(encoded)} bytes"
                )

    def _is_right(self, record: Taken, verdict: Verdict, reason: str | None) -> bool:
        """Whether it was taken; what became of it is held against its verdict."""
        report = self.report
        if reason is None:
            report.good += 1
            if not verdict.is_good and not verdict.either:
                report.find(
                    f"{record.topic}: taken, though {set(verdict.reasons)}, key {record.key!r:.200}", record.value
                )
        else:
            report.rejected[reason] += 1
            if reason == "outcome_oversized" and verdict.is_good and self._is_large(record):
                return False
            if reason not in verdict.reasons:
                said = set(verdict.reasons) or "good"
                report.find(
                    f"{record.topic}: rejected as {reason}, though {said}, key {record.key!r:.200}", record.value
                )
        return reason is None and verdict.message is not None

    def _is_large(self, record: Taken) -> bool:
        """Whether a body at its limit, or a state near it, explains that what it causes is too large."""
        return len(record.value or b"") + len(self.states.get(record.key or b"", b"")) > BODY_BYTES_MAX // 2

    def _rejections(self, outputs: Iterable[Output]) -> dict[int, str]:
        """By offset; on the way, whether each output keeps its contract."""
        found: dict[int, str] = {}
        for output in outputs:
            try:
                message: Any = CONTRACTS[output.topic].model_validate_json(output.value or b"")
            except ValidationError as error:
                self.report.find(f"{output.topic}: not in the shape of its contract: {error}", output.value)
                continue
            if len(output.value or b"") > BODY_BYTES_MAX:
                self.report.find(f"{output.topic}: {len(output.value or b'')} bytes")
            if output.topic == "dead-letter":
                if message.offset in found:
                    self.report.find(f"{message.topic}[{message.offset}] stands in dead-letter twice")
                if message.reason == "failed":
                    self.report.find(f"{message.topic}: the core raised {message.detail}")
                found[message.offset] = message.reason
        return found

    def _leftover(self, rejected: dict[int, str]) -> None:
        if rejected:
            self.report.find(f"rejected, though nobody sent them: {rejected}")

    def _write(self, topic: str, writes: Any) -> None:
        for key, value in writes.items():
            if value is None:
                self.tables[topic].pop(key, None)
            else:
                self.tables[topic][key] = value


def resolved(topic: str, key: bytes, message: Any, links: dict[bytes, bytes]) -> list[tuple[str, str]]:
    """The persons and change ids that a good message of a source topic leads to; `links` learns from it."""
    if topic.endswith("results"):
        return [(message.person_key, message.result_id)]
    link = links.get(key)
    learned, _, since = ("", "", "") if link is None else link.decode().rpartition("\0")
    person_key = message.person_key or learned or person_key_of(message.record.system, key.decode())
    is_over = bool(since) and message.version is not None and message.version <= int(since)
    if learned and (is_over or message.kind == "requested"):
        person_key = learned
    if person_key != learned:
        version = since if message.version is None else message.version
        links[key] = f"{person_key}\0{version}".encode()
    own = (person_key, message.change_id)
    if learned in ("", person_key):
        return [own]
    return [(learned, uuid5(f"unlinked/{learned}/{message.change_id}")), own]


def canonical_fields(message: Any, policy: Policy) -> bytes:
    """The fields that a good message leads to, each converted by itself."""
    shown = getattr(message, "row", None) or message
    fields = getattr(shown, "fields", None)
    if fields is None:
        return b"null"
    inbound, system = policy.inbound[shown.record.type], shown.record.system
    rules = [(inbound[name], value) for name, value in fields.items() if name in inbound]
    return _canonical_json({rule.name: canonical(rule, system, value) for rule, value in rules})


def _canonical_json(fields: Any) -> bytes:
    return msgspec.json.encode(fields, order="sorted")


def run(messages: int, seed: int, tell: Any = None) -> Report:
    """So many messages of a seed; what is wrong is in the report."""
    policy, report = default_policy(), Report()
    broker, stream, random = Broker(policy, report), Stream(policy, seed), Random(seed)
    while report.messages < messages and len(report.findings) < 100:
        count = min(SLICE, messages - report.messages)
        waiting: dict[str, list[tuple[Taken, Verdict, str]]] = {topic: [] for topic in MODELS}
        for sent in stream.messages(count):
            verdict = judged(sent.topic, MODELS[sent.topic], sent.key, sent.value)
            waiting[sent.topic].append((broker.put(sent.topic, sent), verdict, sent.story))
            report.stories[sent.story.partition(", ")[2] or "as it was made"] += 1
        for topic in MODELS:
            for batch in _batches(waiting[topic], random):
                _handle(broker, topic, batch, waiting)
        report.messages += count
        if tell is not None:
            tell(report)
    broker.check_states()
    report.people = len(broker.states)
    report.people_bytes = sum(len(key) + len(value) for key, value in broker.states.items())
    return report


def _handle(broker: Broker, topic: str, batch: list[Any], waiting: Any) -> None:
    records, verdicts = [each[0] for each in batch], [each[1] for each in batch]
    began = time.thread_time()
    try:
        if topic == "person.changes":
            broker.fold(records, verdicts)
        else:
            for output in broker.take_in(records, verdicts):
                record = broker.put("person.changes", output)
                verdict = judged("person.changes", schemas.PersonChange, record.key, record.value)
                waiting["person.changes"].append((record, verdict, "by intake"))
    except Exception as error:  # whatever it is: nothing may escape
        broker.report.find(
            f"{topic}: {type(error).__name__}: {error}", b"\n".join(each.value or b"" for each in records)
        )
    seconds = (time.thread_time() - began) / len(batch)
    if seconds > broker.report.slowest_seconds:
        broker.report.slowest_seconds, broker.report.slowest_story = seconds, f"{topic}: {batch[0][2]}"
    if seconds > SLOW_SECONDS:
        broker.report.find(f"{topic}: {batch[0][2]}: {seconds:.1f} s for one message", records[0].value)


def _batches(waiting: list[Any], random: Random) -> Iterator[list[Any]]:
    while waiting:
        size = random.choice(BATCHES)
        yield waiting[:size]
        del waiting[:size]
