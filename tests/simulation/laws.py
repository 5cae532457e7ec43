"""What must be true of every history (design, "Always true"), beside what the oracle says of its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.demo.oracle.facts import PersonFacts
from streams.demo.oracle.sight import unseen
from streams.sync.messages import Activity, ApplyCommand, PersonChange
from streams.sync.person import PersonState, encode_person
from streams.sync.step import step
from tests.simulation.findings import Finding

if TYPE_CHECKING:
    from tests.simulation.world import World

ENDS_A_FLIGHT = frozenset({"deleted", "converted", "merged", "unlinked", "linked"})
ANSWERS_THAT_END = frozenset({"refused", "conflict", "gone", "linked"})


def broken_laws(world: World) -> list[Finding]:
    """Everything that is wrong with how it came about."""
    found: list[Finding] = []
    for person_key in world.processor.folded:
        for law in (_refolded, _one_in_flight, _activities_once, _quiet, _nothing_left):
            name = law.__name__.strip("_")
            found += [Finding(name, f"{person_key}: {name}: {text}") for text in law(world, person_key)]
    if world.profile.few_values:
        return found
    return found + [Finding("collision", f"collision: {text}") for text in _collisions(world)]


def _refolded(world: World, person_key: str) -> Iterator[str]:
    """Determinism: the same log gives the same bytes."""
    processor = world.processor
    state: PersonState | None = None
    commands: list[ApplyCommand] = []
    activities: list[Activity] = []
    for change in processor.folded[person_key]:
        outcome = step(state, change, world.policy)
        state = outcome.state
        commands += outcome.commands
        activities += outcome.activities
    if (None if state is None else encode_person(state)) != processor.states.get(person_key):
        yield "another state"
    if commands != [command for _, command in processor.commands[person_key]]:
        yield "other commands"
    if activities != processor.activities[person_key]:
        yield "other activities"


def _one_in_flight(world: World, person_key: str) -> Iterator[str]:
    """One command at a time per person and system: between two something must have ended the first."""
    folded = world.processor.folded[person_key]
    last: dict[System, tuple[int, ApplyCommand]] = {}
    for number, command in world.processor.commands[person_key]:
        before = last.get(command.system)
        if before is not None and before[1].command_id != command.command_id:
            between = folded[before[0] + 1 : number + 1]
            if not any(_may_end(change, before[1]) for change in between):
                yield f"revision {command.revision} for {command.system} while {before[1].revision} was in flight"
        last[command.system] = (number, command)


def _may_end(change: PersonChange, command: ApplyCommand) -> bool:
    if change.system != command.system:
        return False
    if change.kind == "answered":
        return (
            change.command_id == command.command_id and change.answer in ANSWERS_THAT_END
        ) or change.revision is not None
    shows_it = change.revision is not None and change.revision >= command.revision
    return change.kind in ENDS_A_FLIGHT or shows_it or (change.record is not None and change.record.type == "contact")


def _activities_once(world: World, person_key: str) -> Iterator[str]:
    """Exactly one activity of each id; a request bears no version, and a repeat of it gives the same activity again."""
    requests = {change.change_id for change in world.processor.folded[person_key] if change.kind == "requested"}
    logged = [each for each in world.processor.activities[person_key] if each.cause not in requests]
    for activity_id, count in Counter(each.activity_id for each in logged).items():
        if count > 1:
            kind = next(each.kind for each in logged if each.activity_id == activity_id)
            yield f"{kind} appears {count} times"


def _quiet(world: World, person_key: str) -> Iterator[str]:
    """At most one command per edit, plus one per record for whatever happens to the records."""
    person = world.oracle.people.get(person_key)
    if person is None:
        return
    edits = sum(len(facts.edits) for facts in person.fields.values())  # rewritings and defaults are among them
    events = sum(
        change.kind not in ("updated",) or change.answer is not None or change.syncable is not None
        for change in world.processor.folded[person_key]
    )
    logged = len(world.processor.activities[person_key])
    commands = len({command.command_id for _, command in world.processor.commands[person_key]})
    allowed = edits + 2 * (events + logged) + 2
    if commands > allowed:
        yield f"{commands} commands; {edits} edits, {events} events and {logged} activities allow {allowed}"


def _nothing_left(world: World, person_key: str) -> Iterator[str]:
    """At rest nothing is in flight; nothing moves where both records live, no error is open and the filter lets it through."""
    state = world.processor.state(person_key)
    if state is None:
        return
    for system in SYSTEMS:
        flight = state.system(system).flight
        if flight is not None:
            yield f"revision {flight.revision} is in flight to {system} for ever"
    if state.linked_pair() and not state.errors and state.syncable is not False and state.moving:
        yield f"still moving: {sorted(state.moving)}"


def _collisions(world: World) -> Iterator[str]:
    """Of two last edits that never saw one another, the one that lost is on record, with its value and the winner."""
    for person in world.oracle.people.values():
        state = world.processor.state(person.key)
        if len(person.held) < 2 or any(person.ends.values()) or state is None or state.syncable is False:
            continue
        logged = [each for each in world.processor.activities[person.key] if each.kind == "collision"]
        for name in person.fields:
            yield from _unrecorded(world, person, name, [each for each in logged if each.field == name])


def _unrecorded(world: World, person: PersonFacts, name: str, logged: list[Activity]) -> Iterator[str]:
    facts, rule = person.facts(name), world.policy.fields[name]
    last, right = unseen(facts), world.oracle.may_stand(person, name)
    is_synced = rule.direction == "both" and rule.column(person.held[DYNAMICS].record.type) is not None
    if len(last) != 2 or len(right) != 1 or not is_synced:
        return
    (lost,) = (edit for edit in last if edit.number != right[0].number)
    sides = [each.marketo if lost.system == MARKETO else each.dynamics for each in logged]
    if not any(side is not None and side.value == lost.value for side in sides):
        yield f"{person.key} {name}: that {lost.value!r} lost to {right[0].value!r} is not on record"
    elif logged[-1].winner != right[0].system:
        yield f"{person.key} {name}: the last collision on record names {logged[-1].winner} the winner"
