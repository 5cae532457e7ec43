"""The end of a demo: every field of every person compared, and everything counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from streams.demo.audit import audit
from streams.demo.audit.laws import quiet
from streams.demo.ledger import Ledger
from streams.demo.oracle.verdict import Difference, differences
from streams.demo.resting import errors_open, miscounted, read_people, receivers_in_error, unfinished
from streams.demo.stage import Stage
from streams.demo.summary import (
    DIFFERENCES_MAX,
    Collisions,
    Creations,
    Failures,
    LandingSeconds,
    Summary,
    Winners,
)
from streams.sync.person import PersonState


class Course(NamedTuple):
    """What only the runner knows: how many edits and corrections there were, and how long they took."""

    edits: int
    corrections: int
    events: int
    busy_seconds: float
    seconds: float


async def report(stage: Stage, course: Course) -> Summary:
    """Compare and count. Everything must be quiet."""
    people = await read_people(stage.settings, stage.watch)
    found, at_large = list(_differences(stage, people)), list[str]()
    under_chaos = None
    if stage.chaos is not None:
        audited = await audit(stage.settings, stage.policy)
        courses = quiet(audited.people.courses, stage.world.oracle.people)
        at_large = [f"audit: {each}" for each in (*audited.findings, *courses)] + list(stage.chaos.findings())
        under_chaos = stage.chaos.report(audited.messages, audited.attempts.count)
    ledger, landings = stage.ledger, stage.world.landings
    failures = Failures(
        opened=ledger.opened, closed=ledger.closed, open=errors_open(people), for_good=ledger.failed_for_good
    )
    return Summary(
        people=stage.people,
        alike=stage.people - len({each.person_key for each in found}),
        edits=course.edits,
        corrections=course.corrections,
        collisions=_collisions(ledger),
        creations=Creations(**{str(system): number for system, number in ledger.creations.items()}),
        failures=failures,
        skipped=ledger.skipped,
        dead_letters=ledger.dead_letters,
        landing_seconds=LandingSeconds(p50=round(landings.percentile(0.5), 3), p99=round(landings.percentile(0.99), 3)),
        commands=stage.between.applied,
        events=stage.between.sent,
        events_per_second=round(course.events / course.busy_seconds, 1),
        seconds=round(course.seconds, 1),
        seed=stage.plan.seed,
        workers=stage.plan.workers,
        kills=stage.fleet.kills,
        worker_restarts=stage.fleet.restarts,
        rest=stage.between.report(course.edits),
        chaos=under_chaos,
        differences=tuple([*_at_large(ledger), *at_large, *map(str, found)][:DIFFERENCES_MAX]),
    )


def _differences(stage: Stage, people: Mapping[str, PersonState]) -> Iterator[Difference]:
    """Between the systems and with the oracle; in the workers' state; and what must not have happened at all."""
    yield from differences(stage.world.oracle, receivers_in_error(people))
    yield from miscounted(people, stage.ledger.errors)
    yield from unfinished(people, stage.policy)
    for complaint in [*stage.world.oracle.complaints, *stage.ledger.complaints]:
        key, _, text = complaint.partition(": ")
        yield Difference(key, "history", text)


def _at_large(ledger: Ledger) -> Iterator[str]:
    """What is wrong and no single person's. The simulated systems keep to the contracts, so a dead letter is a fault."""
    for rejection in ledger.rejections:
        yield f"dead-letter: {rejection}"


def _collisions(ledger: Ledger) -> Collisions:
    def winners(kind: str) -> Winners:
        return Winners(marketo=ledger.collisions[kind, "marketo"], dynamics=ledger.collisions[kind, "dynamics"])

    return Collisions(lead=winners("lead"), contact=winners("contact"))
