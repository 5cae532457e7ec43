"""What must be true of every history (design, "Always true"), beside what the oracle says of its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.demo.ledger import FAILED_FOR_GOOD
from streams.demo.oracle.facts import PersonFacts
from streams.demo.oracle.rest import is_alike_field, value_held
from streams.demo.oracle.sight import unseen
from streams.sync.messages import Activity, ApplyCommand, PersonChange, Value
from streams.sync.person import PersonState, encode_person
from streams.sync.step import step
from tests.simulation.findings import Finding

if TYPE_CHECKING:
    from tests.simulation.world import World

ENDS_A_FLIGHT = frozenset({"deleted", "converted", "merged", "unlinked", "linked"})
HAPPENS = ENDS_A_FLIGHT | {"created", "requested"}
UNVERSIONED = frozenset({"requested", "linked", "unlinked"})
ANSWERS_THAT_END = frozenset({"refused", "conflict", "gone", "linked"})


class Folded(NamedTuple):
    """One change, folded once more by the core alone."""

    change: PersonChange
    commands: tuple[ApplyCommand, ...]
    activities: tuple[Activity, ...]


class History(NamedTuple):
    """Everything about a person, from the beginning of the log."""

    person_key: str
    folded: tuple[Folded, ...]
    state: PersonState | None

    def commands(self) -> list[ApplyCommand]:
        """All that were sent."""
        return [command for each in self.folded for command in each.commands]

    def activities(self) -> list[Activity]:
        """Everything in the person's log."""
        return [activity for each in self.folded for activity in each.activities]


def broken_laws(world: World) -> list[Finding]:
    """Everything that is wrong with how it came about."""
    found = [Finding("rejected", f"rejected: {body.decode()}") for body in world.processor.rejected]
    histories = {key: refolded(world, key) for key in world.processor.persons()}
    for person_key, history in histories.items():
        for law in (_determinism, _one_in_flight, _activities_once, _quiet, _told_once, _nothing_left):
            name = law.__name__.strip("_")
            found += [Finding(name, f"{person_key}: {name}: {text}") for text in law(world, history)]
    found += [Finding("count", f"count: {text}") for text in _errors_counted(world, histories)]
    if world.profile.judge != "oracle":
        return found
    return found + [Finding("collision", f"collision: {text}") for text in _collisions(world, histories)]


def refolded(world: World, person_key: str) -> History:
    """The person's log, folded again from its beginning."""
    state: PersonState | None = None
    folded: list[Folded] = []
    for change in world.processor.folded[person_key]:
        outcome = step(state, change, world.policy)
        state = outcome.state
        folded.append(Folded(change, outcome.commands, outcome.activities))
    return History(person_key, tuple(folded), state)


def _determinism(world: World, history: History) -> Iterator[str]:
    """The same log gives the same bytes, however the shell cut it into batches."""
    processor, key = world.processor, history.person_key
    if (None if history.state is None else encode_person(history.state)) != processor.stored(key):
        yield "another state"
    if history.commands() != processor.commands.get(key, []):
        yield "other commands"
    if history.activities() != processor.activities.get(key, []):
        yield "other activities"


def _errors_counted(world: World, histories: dict[str, History]) -> Iterator[str]:
    """What the batches and the activity log say of open sync errors adds up to those that are open."""
    opened = sum(len(each.state.errors) for each in histories.values() if each.state is not None)
    if opened != world.processor.errors_counted:
        yield f"{opened} sync errors are open, {world.processor.errors_counted} were counted"
    for each in histories.values():
        kinds = Counter(logged.kind for logged in each.activities() if logged.code not in FAILED_FOR_GOOD)
        if kinds["failed"] - kinds["closed"] != (0 if each.state is None else len(each.state.errors)):
            yield f"{each.person_key}: {kinds['failed']} failures on record, {kinds['closed']} closed, and not the rest open"


def _one_in_flight(world: World, history: History) -> Iterator[str]:
    """One command at a time per person and system: between two something must have ended the first."""
    last: dict[System, tuple[int, ApplyCommand]] = {}
    for number, each in enumerate(history.folded):
        for command in each.commands:
            before = last.get(command.system)
            if before is not None and before[1].command_id != command.command_id:
                between = history.folded[before[0] + 1 : number + 1]
                if not any(_may_end(folded.change, before[1], world.profile.blind) for folded in between):
                    yield f"revision {command.revision} for {command.system} while {before[1].revision} was in flight"
            last[command.system] = (number, command)


def _may_end(change: PersonChange, command: ApplyCommand, blind: bool) -> bool:
    if change.system != command.system:
        return False
    if blind and change.kind in ("created", "updated"):
        return True  # it may have reported the values in flight
    if change.kind == "answered":
        return (
            change.command_id == command.command_id and change.answer in ANSWERS_THAT_END
        ) or change.revision is not None
    if command.operation == "create" and (change.creation is not None or change.kind == "created"):
        return True  # a twin was found, or what an earlier try of this number had made
    shows_it = change.revision is not None and change.revision >= command.revision
    return change.kind in ENDS_A_FLIGHT or shows_it or (change.record is not None and change.record.type == "contact")


def _activities_once(world: World, history: History) -> Iterator[str]:
    """Exactly one activity of each id. What bears no version is known by its id alone: a repeat of it may say the same again."""
    unversioned = {each.change.change_id for each in history.folded if each.change.kind in UNVERSIONED}
    logged = [each for each in history.activities() if each.cause not in unversioned]
    for activity_id, count in Counter(each.activity_id for each in logged).items():
        if count > 1:
            kind = next(each.kind for each in logged if each.activity_id == activity_id)
            yield f"{kind} appears {count} times"


def _quiet(world: World, history: History) -> Iterator[str]:
    """At most one command per edit, plus one for whatever happens to the records."""
    person = world.oracle.people.get(history.person_key)
    if person is None:
        return
    rewritten = sum(edit.weak for facts in person.fields.values() for edit in facts.edits)
    happened = sum(each.change.kind in HAPPENS or each.change.answer in ANSWERS_THAT_END for each in history.folded)
    logged = sum(each.kind in ("collision", "overwritten", "created", "linked") for each in history.activities())
    commands = len({command.command_id for command in history.commands()})
    if commands > person.saves + rewritten + happened + logged:
        yield (
            f"{commands} commands; {person.saves} saves, {rewritten} values that systems made, {happened} events and {logged} activities "
            "allow fewer"
        )


def _told_once(world: World, history: History) -> Iterator[str]:
    """No value of an edit goes to a system twice, unless the first came to nothing, lost a collision since, or was written over."""
    last: dict[tuple[System, str], tuple[int, ApplyCommand]] = {}
    shown = 0  # the highest revision in Marketo's stream
    repeated = -1  # where that stream last repeated an older one
    for number, each in enumerate(history.folded):
        if each.change.system == MARKETO and each.change.kind == "updated" and each.change.revision is not None:
            if each.change.revision < shown:
                repeated = number
            shown = max(shown, each.change.revision)
        for command in each.commands:
            for cause in command.causes:
                when, before = last.get((command.system, cause), (number, command))
                last[command.system, cause] = (number, command)
                sent, sends = before.fields or {}, command.fields or {}
                again = [name for name in sends if name in sent and sent[name] == sends[name]]
                if before.command_id == command.command_id or not again:
                    continue
                between = history.folded[when + 1 : number + 1]
                if repeated <= when and not any(_may_send_again(folded, before) for folded in between):
                    yield f"revisions {before.revision} and {command.revision} for {command.system} both carry {again} of {cause}"


def _may_send_again(folded: Folded, command: ApplyCommand) -> bool:
    change = folded.change
    if change.answer in ANSWERS_THAT_END and change.command_id == command.command_id:
        return True
    return change.kind in HAPPENS or any(each.kind in ("collision", "overwritten") for each in folded.activities)


def _nothing_left(world: World, history: History) -> Iterator[str]:
    """At rest nothing is in flight; nothing moves where both records live, no error is open and the filter lets it through."""
    state = history.state
    if state is None:
        return
    if world.profile.blind:
        return  # what was overwritten before it showed lands nowhere: weaker, and said so
    for system in SYSTEMS:
        flight = state.system(system).flight
        if flight is not None:
            yield f"revision {flight.revision} is in flight to {system} for ever"
    moving = sorted(name for name in state.moving if not world.policy.fields[name].block_updates)
    if state.linked_pair() and not state.errors and state.syncable is not False and moving:
        yield f"still moving: {moving}"


def _collisions(world: World, histories: dict[str, History]) -> Iterator[str]:
    """Of two last edits that never saw one another, the one that lost is on record, with its value and the winner."""
    for person in world.oracle.people.values():
        history = histories.get(person.key)
        state = None if history is None else history.state
        if history is None or state is None or state.syncable is False:
            continue
        if len(person.held) < 2 or any(person.ends.values()):
            continue
        logged = [each for each in history.activities() if each.kind == "collision"]
        for name in person.fields:
            yield from _unrecorded(world, person, name, [each for each in logged if each.field == name])


def _unrecorded(world: World, person: PersonFacts, name: str, logged: list[Activity]) -> Iterator[str]:
    facts, rule = person.facts(name), world.policy.fields[name]
    last, right = unseen(facts), world.oracle.may_stand(person, name)
    if len(last) == 2 and rule.block_updates:
        yield from _not_as_recorded(world, person, name, logged, [edit.value for edit in last])
        return
    is_synced = is_alike_field(rule, person.held[DYNAMICS].record.type)
    if len(last) != 2 or len(right) != 1 or not is_synced:
        return
    (lost,) = (edit for edit in last if edit.number != right[0].number)
    if rule.lead is None and lost.value is None:
        return  # emptied while the person was a lead, it was out of sync, and a value beats an empty field
    sides = [each.marketo if lost.system == MARKETO else each.dynamics for each in logged]
    if not any(side is not None and side.value == lost.value for side in sides):
        yield f"{person.key} {name}: that {lost.value!r} lost to {right[0].value!r} is not on record"
    elif logged[-1].winner != right[0].system:
        yield f"{person.key} {name}: the last collision on record names {logged[-1].winner} the winner"


def _not_as_recorded(
    world: World, person: PersonFacts, name: str, logged: list[Activity], last: list[Value]
) -> Iterator[str]:
    """Of a field that is written once, where it may be written the winner on record of the last two edits stands."""
    for each in logged[-1:]:
        winner = each.marketo if each.winner == MARKETO else each.dynamics
        if winner is None or [side.value for side in (each.marketo, each.dynamics) if side and side.value not in last]:
            continue
        rule = world.policy.fields[name]
        for system in {MARKETO, DYNAMICS} - rule.block_updates:
            held = value_held(world.oracle, person, system, rule)
            if held != winner.value:
                yield f"{person.key} {name}: {system} holds {held!r}; on record is that {winner.value!r} won"
