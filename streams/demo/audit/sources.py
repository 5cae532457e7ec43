"""Intake, done again by the pure core: the sources, record by record, beside `person.changes` and the links' changelogs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from schemas.topics import INPUT_TOPICS
from schemas.vocabulary import SYSTEMS, System
from streams.codec import decode_apply_result, decode_person_change, decode_source_change, encode
from streams.demo.audit.lanes import Lanes, Said, compared, lanes
from streams.demo.audit.reading import Log, digest
from streams.intake import resolve_change, resolve_result
from streams.sync.messages import PersonChange
from streams.sync.policy import Policy
from streams.topics import changelog_topic

Origin = tuple[str, int, int]
"""Topic on the broker, partition and offset of a message."""

SYSTEM_OF: dict[str, System] = {
    "marketo.changes": "marketo",
    "marketo.results": "marketo",
    "dynamics.changes": "dynamics",
    "dynamics.results": "dynamics",
}


@dataclass
class Sources:
    """What intake must have made of all sources (`right`), and what it has (`found`)."""

    right: Lanes = field(default_factory=lanes)
    found: Lanes = field(default_factory=lanes)
    sent: Counter[str] = field(default_factory=Counter)
    """Source messages by id; a producer may send one again."""
    links: dict[System, defaultdict[str, list[bytes]]] = field(
        default_factory=lambda: {system: defaultdict(list) for system in SYSTEMS}
    )
    """Digests of each stream's links to persons, one after the other."""
    unread: list[str] = field(default_factory=list)
    _source_of: dict[bytes, tuple[str, str]] = field(default_factory=dict)

    def findings(self) -> Iterator[str]:
        """What is wrong."""
        yield from self.unread
        yield from compared(self.right, self.found)

    def put(self, name: str, stream: bytes, change: PersonChange) -> None:
        """One source message must have led to this."""
        key = change.person_key.encode()
        said = Said(change.change_id, digest(key, encode(change)))
        self._source_of[said.digest] = name, stream.decode()
        self.right[name, stream.decode(), change.person_key].append(said)

    def see(self, record: Any) -> None:
        """This stands on `person.changes`."""
        said = Said(decode_person_change(record.value).change_id, digest(record.key, record.value))
        source = self._source_of.get(said.digest, ("person.changes", "of no source"))
        self.found[(*source, record.key.decode())].append(said)


async def refold_sources(log: Log, policy: Policy, rejected: set[Origin]) -> Sources:
    """Read all sources and what came of them. `rejected`: what stands in `dead-letter` instead."""
    result, learned = Sources(), dict[tuple[System, bytes], bytes]()
    for name in INPUT_TOPICS:
        async for record in log.committed(log.settings.topic(name)):
            if (record.topic, record.partition, record.offset) in rejected:
                continue
            try:
                _refold(result, learned, name, record, policy)
            except Exception as error:  # a message that stands in no dead letter was folded by the workers
                result.unread.append(f"{name}[{record.partition}]@{record.offset}: in no dead letter, and {error}")
    async for record in log.committed(log.settings.topic("person.changes")):
        result.see(record)
    return result


def _refold(
    result: Sources, learned: dict[tuple[System, bytes], bytes], name: str, record: Any, policy: Policy
) -> None:
    if name.endswith(".results"):
        answer = decode_apply_result(record.value)
        result.sent[answer.result_id] += 1
        result.put(name, record.key, resolve_result(answer, policy))
        return
    change, system = decode_source_change(record.value), SYSTEM_OF[name]
    result.sent[change.change_id] += 1
    stream, before = record.key.decode(), learned.get((system, record.key))
    resolved = resolve_change(stream, change, before, policy)
    if resolved.link != before:
        learned[system, record.key] = resolved.link
        result.links[system][stream].append(digest(record.key, resolved.link))
    for each in resolved.changes:
        result.put(name, record.key, each)


async def links_written(log: Log, system: System) -> dict[str, list[bytes]]:
    """Digests of the committed writes to the links of a system's streams, by stream."""
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    async for record in log.committed(changelog_topic(log.settings, f"{system}-links")):
        found[record.key.decode()].append(digest(record.key, record.value))
    return found
