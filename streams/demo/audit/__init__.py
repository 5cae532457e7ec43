"""The topics of an installation at rest, read from their beginning and held against a second fold by the pure core.

Exactly once, proven from end to end: what stands in the sources, folded again by `streams.intake`, must be what stands in
`person.changes`, no message more, less or elsewhere in its key's order; `person.changes`, folded again by `streams.sync`,
must be the commands, the activities and the bytes of every person's state that are on their topics; and what was written
and never committed must be what was committed later. Which rule of "Always true" (design, 4.1) is held by what:

    convergence, authority,      the oracle's comparison of every field (demo/oracle/verdict.py), nothing due or in flight in the
    no loss, no invention,       workers' states (demo/resting.py), what the oracle and the activity log complain of (demo/ledger.py)
    order independence           the same, with producers that repeat and reorder (demo/chaos/disorder.py)
    determinism                  the second fold (sources.py, people.py) and the attempts that were given up (attempts.py)
    quiet                        laws.py, from the second fold and the oracle's count of edits; demo/resting.py: nothing is due
    audit                        activities are those of the second fold, each id once (people.py, laws.py, demo/ledger.py)
    faults                       all of it, after whatever was done to workers, broker and stores (demo/chaos)

Everything must be quiet: see `demo/quiet.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.rejection import Rejection
from schemas.vocabulary import SYSTEMS
from streams.demo.audit import laws
from streams.demo.audit.attempts import Attempts, read_attempts
from streams.demo.audit.lanes import follows
from streams.demo.audit.people import People, refold_people, states_written
from streams.demo.audit.reading import Log
from streams.demo.audit.sources import Origin, Sources, links_written, refold_sources
from streams.demo.wire import COMMAND_TOPICS
from streams.settings import Settings
from streams.sync.policy import Policy
from streams.topics import changelog_topic

OUTPUT_TOPICS = ("person.changes", *COMMAND_TOPICS, "activity-log", "dead-letter")


@dataclass
class Audit:
    """What was read, and what is wrong with it."""

    sources: Sources
    people: People
    attempts: Attempts
    rejected: set[Origin]
    messages: int = 0
    """Committed messages read, each topic as often as it was read through."""
    findings: list[str] = field(default_factory=list)


async def audit(settings: Settings, policy: Policy, policies: Collection[Policy] = ()) -> Audit:
    """Read everything twice. `policy`: the one in force; `policies`: others under which changes were folded."""
    known = {each.digest: each for each in (policy, *policies)}
    async with Log(settings) as log:
        rejected, findings = await _rejected(log)
        sources = await refold_sources(log, policy, rejected)
        people = await refold_people(log, known, rejected)
        findings += [*sources.findings(), *people.findings(), *laws.ids(sources, people)]
        findings += await _tables_differ(log, sources, people)
        attempts = await _attempts(log, sources, people)
        return Audit(sources, people, attempts, rejected, log.read, [*findings, *attempts.findings])


async def _rejected(log: Log) -> tuple[set[Origin], list[str]]:
    """What stands in `dead-letter`, by its origin; and what stands there twice."""
    found: set[Origin] = set()
    twice: list[str] = []
    async for record in log.committed(log.settings.topic("dead-letter")):
        letter = Rejection.model_validate_json(record.value)
        origin = letter.topic, letter.partition, letter.offset
        if origin in found and letter.put_back is None:
            twice.append(f"dead-letter: {letter.topic}[{letter.partition}]@{letter.offset} was rejected twice")
        found.add(origin)
    return found, twice


async def _tables_differ(log: Log, sources: Sources, people: People) -> list[str]:
    """Each table, byte for byte; and each write to one a value that the fold went through, in its order."""
    found = list(_table_differs("people", people.trails, await states_written(log)))
    for system in SYSTEMS:
        found += _table_differs(f"{system}-links", sources.links[system], await links_written(log, system))
    return found


def _table_differs(
    table: str, trails: Mapping[str, Sequence[bytes]], written: Mapping[str, Sequence[bytes]]
) -> Iterator[str]:
    for key in sorted(trails.keys() | written.keys()):
        trail, writes = trails.get(key, ()), written.get(key, ())
        if trail[-1:] != writes[-1:]:
            yield f"{table} {key}: the table differs from a fold of the log"
        elif not follows(trail, writes):
            yield f"{table} {key}: the table has held what no fold of the log gives"


async def _attempts(log: Log, sources: Sources, people: People) -> Attempts:
    """What was given up of a table's writes need only be a value that the fold went through: batches are cut anew."""
    settings = log.settings
    trails: dict[str, Mapping[str, Collection[bytes]]] = {
        changelog_topic(settings, f"{system}-links"): sources.links[system] for system in SYSTEMS
    }
    trails[changelog_topic(settings, "people")] = people.trails
    attempts, committed = await read_attempts(log, [*map(settings.topic, OUTPUT_TOPICS), *trails])
    for topic, said in {**committed, **trails}.items():
        attempts.findings += attempts.unlike(topic, said)
    return attempts
