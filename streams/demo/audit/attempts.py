"""What was written and never committed: the attempts of whoever was killed, fenced or stopped in the middle of a batch.

A batch that was given up is handled again from the same offset on the same table, so it must have said nothing else than
what was committed later: a worker that woke up with an old table, or that decided by chance or the clock, would show here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.demo.audit.reading import Log, digest

Place = tuple[int, int]
"""Partition and offset."""


class Written(NamedTuple):
    """One record."""

    key: str
    digest: bytes


@dataclass
class Attempts:
    """What was given up, by topic; and what is wrong with it."""

    given_up: defaultdict[str, list[Written]] = field(default_factory=lambda: defaultdict(list))
    findings: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many messages were taken back."""
        return sum(map(len, self.given_up.values()))

    def unlike(self, topic: str, said: Mapping[str, Collection[bytes]]) -> Iterator[str]:
        """Messages that say what nobody said in the end. `said`: what may have been said, by key."""
        for written in self.given_up[topic]:
            if written.digest not in said.get(written.key, ()):
                yield f"{topic} {written.key}: an attempt that was given up says what was never committed"


async def read_attempts(log: Log, topics: Iterable[str]) -> tuple[Attempts, dict[str, dict[str, set[bytes]]]]:
    """Read each topic both ways; gives what was given up, and what was committed by topic and key."""
    result, committed = Attempts(), dict[str, dict[str, set[bytes]]]()
    for topic in topics:
        everything = {_place(record): _written(record) async for record in log.everything(topic)}
        said: defaultdict[str, set[bytes]] = defaultdict(set)
        async for record in log.committed(topic):
            written = _written(record)
            said[written.key].add(written.digest)
            if everything.pop(_place(record), None) != written:
                result.findings.append(f"{topic}[{record.partition}]@{record.offset}: reads differently uncommitted")
        result.given_up[topic] = list(everything.values())
        committed[topic] = said
    for place in await log.left_open(topics):
        result.findings.append(f"{place.topic}[{place.partition}]: a transaction was left open")
    return result, committed


def _place(record: object) -> Place:
    return record.partition, record.offset  # type: ignore[attr-defined]


def _written(record: object) -> Written:
    key, value = record.key, record.value  # type: ignore[attr-defined]
    return Written((key or b"").decode(errors="replace"), digest(key, value))
