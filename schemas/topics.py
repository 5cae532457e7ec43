"""The topic table: what stands on each topic, under which key, and for how long.

Names here are without the configurable prefix; `TopicSpec.named(prefix)` gives the name on the broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.activity import Activity
from schemas.apply_command import ApplyCommand
from schemas.apply_result import ApplyResult
from schemas.checkpoint import Checkpoint
from schemas.known_record import KnownRecord
from schemas.limits import MESSAGE_BYTES_MAX
from schemas.person_change import PersonChange
from schemas.policy_record import PolicyRecord
from schemas.rejection import Rejection
from schemas.source_change import SourceChange
from schemas.vocabulary import Contract

DAY_MILLISECONDS = 24 * 60 * 60 * 1000
FOR_EVER = -1
PARTITIONS = 4
"""Partitions of every topic unless `leadsync topics --partitions` says otherwise; policies has one."""


@dataclass(frozen=True)
class TopicSpec:
    """One topic: the contract of its messages, what its key is, its cleanup and retention (milliseconds)."""

    name: str
    contract: type[Contract]
    key: str
    retention_milliseconds: int
    compacted: bool = False
    single_partition: bool = False

    def named(self, prefix: str = "") -> str:
        """The topic's name on the broker."""
        return f"{prefix}{self.name}"

    def configs(self) -> dict[str, str]:
        """The topic's settings on the broker, as `leadsync topics` sets and checks them."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(self.retention_milliseconds),
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
        }


def _by_time(name: str, contract: type[Contract], key: str, days: int) -> TopicSpec:
    return TopicSpec(name, contract, key, days * DAY_MILLISECONDS)


STREAM = "the stream: the record's id, for a contact the id of the lead it came from"
PERSON = "person_key"
RECORD = "the record's id"

TOPICS: Mapping[str, TopicSpec] = {
    spec.name: spec
    for spec in (
        _by_time("marketo.changes", SourceChange, STREAM, 14),
        _by_time("dynamics.changes", SourceChange, STREAM, 14),
        _by_time("marketo.results", ApplyResult, PERSON, 14),
        _by_time("dynamics.results", ApplyResult, PERSON, 14),
        TopicSpec("person.changes", PersonChange, PERSON, FOR_EVER),
        _by_time("marketo.commands", ApplyCommand, PERSON, 14),
        _by_time("marketo.commands.background", ApplyCommand, PERSON, 14),
        _by_time("dynamics.commands", ApplyCommand, PERSON, 14),
        _by_time("dynamics.commands.background", ApplyCommand, PERSON, 14),
        _by_time("activity-log", Activity, PERSON, 90),
        TopicSpec("marketo.records", KnownRecord, RECORD, FOR_EVER, compacted=True),
        TopicSpec("dynamics.records", KnownRecord, RECORD, FOR_EVER, compacted=True),
        TopicSpec("checkpoints", Checkpoint, "the system", FOR_EVER, compacted=True, single_partition=True),
        TopicSpec("policies", PolicyRecord, "digest, or in-force", FOR_EVER, compacted=True, single_partition=True),
        _by_time("dead-letter", Rejection, "the key as it came", 30),
    )
}

INPUT_TOPICS = ("marketo.changes", "dynamics.changes", "marketo.results", "dynamics.results")
"""What intake reads; `sync` reads `person.changes`."""

CONNECTOR_TOPICS = ("marketo.records", "dynamics.records", "checkpoints")
"""What the connectors keep for themselves: each writes its own system's, and nobody else reads them."""
