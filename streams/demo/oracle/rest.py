"""What each system must hold at rest: by the edits that may stand, through the systems' own rewritings, behind expected errors."""

from __future__ import annotations

from typing import Literal

from schemas.limits import REWRITES_MAX
from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.demo.oracle.facts import Edit, PersonFacts
from streams.demo.oracle.follow import Oracle
from streams.sync.messages import Value
from streams.sync.person import other_system
from streams.sync.policy import TEXT_TYPES, FieldRule
from streams.sync.values import canonical

Blocked = Literal["must", "may", "no"]
"""Whether a sync error must be open for a direction."""


def orbit(oracle: Oracle, rule: FieldRule, edit: Edit, kind: str) -> list[Value]:
    """The edit's value and what the systems make of it in turn; the last one twice when they agree on it."""
    values, system = [edit.value], edit.system
    if rule.type not in TEXT_TYPES:
        return [edit.value, edit.value]
    for _ in range(REWRITES_MAX + 1):
        system = other_system(system)
        column = rule.marketo if system == MARKETO else rule.lead if kind == "lead" else rule.contact
        values.append(oracle.saving[system].stored(column or "", values[-1]))
        if len(values) > 2 and values[-1] == values[-2] == values[-3]:
            break
    return values


def agrees(values: list[Value]) -> bool:
    """Whether the systems agree on a value in the end."""
    return values[-1] == values[-2]


def is_alike_field(rule: FieldRule, kind: str) -> bool:
    """Whether both systems must hold one value of it, for a Dynamics record of this kind."""
    column = rule.lead if kind == "lead" else rule.contact
    is_named = rule.marketo is not None and column is not None
    return is_named and rule.direction == "both" and rule.computed is None and not rule.block_updates


def value_held(oracle: Oracle, person: PersonFacts, system: System, rule: FieldRule) -> Value:
    """What the person's record in this system holds, in canonical form; None without a record."""
    held = person.held.get(system)
    column = None if held is None else rule.column(held.record.type)
    return None if held is None or column is None else canonical(rule, system, held.values.get(column))


def blocked(oracle: Oracle, person: PersonFacts, receiver: System) -> Blocked:
    """Whether a value that this system won't take stands in the way of all that is due there."""
    worst: Blocked = "no"
    for rule in oracle.policy.fields.values():
        found = _blocks(oracle, person, receiver, rule)
        if found == "must":
            return "must"
        worst = "may" if found == "may" else worst
    return worst


def _blocks(oracle: Oracle, person: PersonFacts, receiver: System, rule: FieldRule) -> Blocked:
    if rule.computed is not None or rule.direction not in ("both", f"to_{receiver}"):
        return "no"
    held, dynamics = person.held.get(receiver), person.held.get(DYNAMICS)
    kind = "lead" if dynamics is None else dynamics.record.type
    if rule.marketo is None or rule.column(kind) is None:
        return "no"
    if rule.direction == "both":
        values: list[Value] = [edit.value for edit in oracle.may_stand(person, rule.name)] or [None]
    else:
        values = [value_held(oracle, person, other_system(receiver), rule)]
    holds = value_held(oracle, person, receiver, rule)
    refused = [(receiver, rule.name, value) in oracle.broken and (held is None or holds != value) for value in values]
    return "must" if all(refused) else "may" if any(refused) else "no"


def is_kept_out(oracle: Oracle, person: PersonFacts) -> bool:
    """Whether the sync filter of the Dynamics record says No."""
    held, column = person.held.get(DYNAMICS), oracle.policy.filter_column
    return held is not None and column is not None and held.values.get(column) is False
