"""From the changes of records and the answers of systems to the changes of persons."""

from __future__ import annotations

from schemas.vocabulary import System
from streams import cloudevents
from streams.admission import key_of, of_its_command, of_its_stream
from streams.agents.packing import RECORDS_AT_ONCE, Policies, Topic, fault, fitting, rejected
from streams.codec import Unreadable, decode_apply_result, decode_source_change, encode
from streams.intake import Resolved, resolve_change, resolve_result
from streams.lane import Batch, BatchResult, Output, Record
from streams.sync.messages import ApplyResult, PersonChange, SourceChange
from streams.sync.policy import Policy
from streams.tally import Tally

INTAKE = "intake"
PERSON_CHANGE = cloudevents.type_of("person-change/1")
FROM_INTAKE = cloudevents.source_of(INTAKE)


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
            raise fault(error) from error

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
            raise fault(error) from error

    def _packed(self, change: PersonChange) -> Output:
        headers = cloudevents.headers(change.change_id, PERSON_CHANGE, FROM_INTAKE, change.time)
        return Output(self._person_changes, change.person_key.encode(), fitting(encode(change)), headers)


def _read_source_change(record: Record, system: System) -> SourceChange | Unreadable:
    """What the record says, or why it cannot be read here."""
    try:
        return of_its_stream(decode_source_change(record.value), key_of(record.key), system)
    except Unreadable as error:
        return error.with_traceback(None)  # with it, a kept error would keep its batch until the collector comes
