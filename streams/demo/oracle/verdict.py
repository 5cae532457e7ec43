"""The comparison at rest: every field of every person, in both systems, with each other and with what the oracle expects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, RecordKind, System
from streams.demo.oracle.due import marketo_may_be_due, pending_from_dynamics
from streams.demo.oracle.facts import PersonFacts
from streams.demo.oracle.follow import Oracle
from streams.demo.oracle.rest import Blocked, agrees, blocked, is_alike_field, is_kept_out, orbit, value_held
from streams.sync.messages import Value
from streams.sync.person import other_system
from streams.sync.policy import FieldRule

MICROSOFT_TYPES: Mapping[RecordKind, str] = {"lead": "Lead", "contact": "Contact"}


@dataclass(frozen=True)
class Difference:
    """Something about a person that is not as it must be."""

    person_key: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.person_key} {self.about}: {self.text}"


def differences(oracle: Oracle, open_errors: Mapping[str, Collection[str]]) -> list[Difference]:
    """Every difference of every person. `open_errors`: person key -> the receivers for which a sync error is open.

    Also `rewriting/<field>`, of one that stopped: what was sent, and what a system made of it, may then stand side by side.
    """
    return [
        found for person in oracle.people.values() for found in judge(oracle, person, open_errors.get(person.key, ()))
    ]


def unequal(oracle: Oracle) -> list[Difference]:
    """Alike fields that differ between the records of a person, whatever is right: for values that come again and again."""
    return [
        Difference(person.key, rule.name, f"marketo {marketo!r}, dynamics {dynamics!r}")
        for person in oracle.people.values()
        if len(person.held) == 2
        for rule in oracle.policy.fields.values()
        if is_alike_field(rule, person.held[DYNAMICS].record.type)
        for marketo, dynamics in [[value_held(oracle, person, system, rule) for system in SYSTEMS]]
        if marketo != dynamics
    ]


def judge(oracle: Oracle, person: PersonFacts, open_errors: Collection[str]) -> Iterator[Difference]:
    """The differences of one person."""
    blocks = {system: blocked(oracle, person, system) for system in SYSTEMS}
    if not is_kept_out(oracle, person):
        yield from _errors(person, blocks, open_errors)
    yield from _missing(oracle, person, blocks)
    yield from _left_over(oracle, person)
    if len(person.held) == 2:
        yield from _pair(oracle, person, blocks, open_errors)
    else:
        in_error = {system for system in SYSTEMS if system in open_errors and blocks[system] != "no"}
        yield from _single(oracle, person, in_error)
    yield from _flag(oracle, person, blocks)


def _errors(
    person: PersonFacts, blocks: Mapping[System, Blocked], open_errors: Collection[str]
) -> Iterator[Difference]:
    for system in SYSTEMS:
        is_wanted = system == DYNAMICS and person.dynamics_due == "must"
        could_receive = len(person.held) == 2 or is_wanted
        if blocks[system] == "must" and could_receive and system not in open_errors:
            yield Difference(person.key, system, "a sync error should be open")
        if blocks[system] == "no" and system in open_errors:
            yield Difference(person.key, system, "a sync error is open and nothing explains it")
        if system in open_errors and system not in person.held and not _may_be_made(person, system):
            yield Difference(person.key, system, "a sync error is open and nobody is left whom it is about")


def _may_be_made(person: PersonFacts, system: System) -> bool:
    """Whether there is something to make a record of in this system, and somebody may have called for it."""
    is_called_for = system == MARKETO or person.dynamics_due != "never" or person.is_misowned
    return other_system(system) in person.held and is_called_for


def _missing(oracle: Oracle, person: PersonFacts, blocks: Mapping[System, Blocked]) -> Iterator[Difference]:
    if DYNAMICS not in person.held and person.dynamics_due == "must" and blocks[DYNAMICS] == "no":
        yield Difference(person.key, DYNAMICS, "there should be a record")
    if MARKETO not in person.held and _must_be_in_marketo(oracle, person) and blocks[MARKETO] == "no":
        yield Difference(person.key, MARKETO, "there should be a record")


def _left_over(oracle: Oracle, person: PersonFacts) -> Iterator[Difference]:
    """Under the delete policy a record follows the other one; what the filter keeps out follows nothing."""
    for system, stream in person.must_go.items():
        held = person.held.get(system)
        if held is not None and held.stream == stream and not is_kept_out(oracle, person):
            yield Difference(person.key, system, "the record should have been deleted with the other one")


def _must_be_in_marketo(oracle: Oracle, person: PersonFacts) -> bool:
    """Its first record there was called for, or an edit made in Dynamics stands that the deleted one never got."""
    if not person.ends[MARKETO]:
        return person.marketo_due == "must" and not (
            is_kept_out(oracle, person) and _was_broken_for_marketo(oracle, person)
        )
    held = person.held.get(DYNAMICS)
    if held is None or not marketo_may_be_due(oracle.policy, person) or is_kept_out(oracle, person):
        return False
    return any(
        edit.number not in person.facts(name).loose | person.facts(name).meek
        and oracle.policy.fields[name].column(held.record.type) is not None
        and MARKETO not in oracle.policy.fields[name].block_updates  # it was none of what is due there
        and edit.number not in person.facts(name).seen_when_deleted
        and oracle.may_stand(person, name) == [edit]
        for name, edit in pending_from_dynamics(oracle.policy, person)
    )


def _was_broken_for_marketo(oracle: Oracle, person: PersonFacts) -> bool:
    """Whether a value may have held its creation back until the filter did."""
    edits = ((name, edit.value) for name, facts in person.fields.items() for edit in facts.edits)
    return any((MARKETO, name, value) in oracle.broken for name, value in edits)


def _pair(
    oracle: Oracle, person: PersonFacts, blocks: Mapping[System, Blocked], open_errors: Collection[str]
) -> Iterator[Difference]:
    kind = person.held[DYNAMICS].record.type
    if is_kept_out(oracle, person):
        return
    for rule in oracle.policy.fields.values():
        if is_alike_field(rule, kind):
            stopped = f"rewriting/{rule.name}" in open_errors
            yield from _field(oracle, person, rule, kind, blocks, stopped=stopped)
        elif rule.computed is None and rule.marketo and rule.column(kind):
            yield from (_written_once if rule.block_updates else _one_way)(oracle, person, rule, blocks)
        elif rule.computed == "record_type" and blocks[MARKETO] == "no":
            yield from _type(person, rule, kind)


def _field(
    oracle: Oracle,
    person: PersonFacts,
    rule: FieldRule,
    kind: RecordKind,
    blocks: Mapping[System, Blocked],
    *,
    stopped: bool,
) -> Iterator[Difference]:
    orbits = [orbit(oracle, rule, edit, kind) for edit in oracle.may_stand(person, rule.name)]
    if any(not agrees(values) for values in orbits):
        return  # the systems never agree: it stopped, and an error says so
    held = {system: value_held(oracle, person, system, rule) for system in SYSTEMS}
    right: list[Value] = [values[-1] for values in orbits] or [None]
    loosely: list[Value] = [value for values in orbits for value in values] or [None]
    for system in SYSTEMS:
        sender = DYNAMICS if system == MARKETO else MARKETO
        allowed = right if blocks[sender] == "no" and not stopped else loosely
        if blocks[system] == "no" and held[system] not in allowed:
            yield Difference(person.key, rule.name, f"{system} holds {held[system]!r}; right is {_shown(right)}")
    if not stopped and all(block == "no" for block in blocks.values()) and held[MARKETO] != held[DYNAMICS]:
        yield Difference(person.key, rule.name, f"marketo {held[MARKETO]!r}, dynamics {held[DYNAMICS]!r}")


def _shown(values: list[Value]) -> str:
    return " or ".join(repr(value) for value in values)


def _one_way(
    oracle: Oracle, person: PersonFacts, rule: FieldRule, blocks: Mapping[System, Blocked]
) -> Iterator[Difference]:
    """The sender's value is the receiver's, whatever was edited there; unless the sender never had one to tell of."""
    receiver: System = MARKETO if rule.direction == "to_marketo" else DYNAMICS
    marketo, dynamics = (value_held(oracle, person, system, rule) for system in SYSTEMS)
    sender = person.held[DYNAMICS if receiver == MARKETO else MARKETO]
    is_stated = any(edit.record_id == sender.id for edit in person.facts(rule.name).edits)
    if is_stated and blocks[receiver] == "no" and marketo != dynamics:
        yield Difference(person.key, rule.name, f"{rule.direction}: marketo {marketo!r}, dynamics {dynamics!r}")


def _written_once(
    oracle: Oracle, person: PersonFacts, rule: FieldRule, blocks: Mapping[System, Blocked]
) -> Iterator[Difference]:
    """Where updates are blocked, something was written all the same if there was anything to write; emptied, it stays so.

    Where they are not, and where it was made (unless it emptied the field), the last edit stands, whether it could be written to the other system or not.
    """
    emptied = {edit.system for edit in person.facts(rule.name).edits if edit.value is None}
    for system in rule.block_updates - emptied:
        there = value_held(oracle, person, other_system(system), rule)
        if blocks[system] == "no" and there is not None and value_held(oracle, person, system, rule) is None:
            yield Difference(person.key, rule.name, f"{system} holds nothing, the other system {there!r}")
    last = oracle.may_stand(person, rule.name)
    is_certain = len(last) == 1 and last[0].number not in person.facts(rule.name).loose  # else no row may have shown it
    for system in SYSTEMS if is_certain else ():
        held = value_held(oracle, person, system, rule)
        is_its_own = system == last[0].system and last[0].value is not None
        if (is_its_own or system not in rule.block_updates) and blocks[system] == "no" and held != last[0].value:
            yield Difference(person.key, rule.name, f"{system} holds {held!r}; right is {last[0].value!r}")


def _single(oracle: Oracle, person: PersonFacts, in_error: Collection[System]) -> Iterator[Difference]:
    """One system holds the person: its values are what was entered there, or had come by then.

    Where an error is open for it, what one of our writes covered there may wait to be written back.
    """
    for system, held in person.held.items():
        if system in in_error:
            continue
        for rule in oracle.policy.fields.values():
            if not is_alike_field(rule, person.last_type if system == MARKETO else held.record.type):
                continue
            value = value_held(oracle, person, system, rule)
            stands = oracle.may_stand(person, rule.name)
            allowed = [v for edit in stands for kind in ("lead", "contact") for v in orbit(oracle, rule, edit, kind)]
            if value not in (allowed or [None]):
                right = _shown([edit.value for edit in stands])
                yield Difference(person.key, rule.name, f"{system} alone holds {value!r}; right is {right}")


def _type(person: PersonFacts, rule: FieldRule, kind: RecordKind) -> Iterator[Difference]:
    shown = person.held[MARKETO].values.get(rule.marketo or "")
    if shown != MICROSOFT_TYPES[kind]:
        yield Difference(person.key, rule.name, f"Marketo says {shown!r} of a {kind}")


def _flag(oracle: Oracle, person: PersonFacts, blocks: Mapping[System, Blocked]) -> Iterator[Difference]:
    held = person.held.get(MARKETO)
    if held is None or blocks[MARKETO] != "no" or is_kept_out(oracle, person):
        return
    for rule in oracle.policy.fields.values():
        if rule.computed != "is_deleted" or rule.marketo is None:
            continue
        flag = held.values.get(rule.marketo) is True
        due = "never" if DYNAMICS in person.held else person.flag_due
        if due != "may" and flag != (due == "must"):
            yield Difference(person.key, rule.name, f"Marketo says {flag}, it {due} be so")
