"""The forms of both systems: which fields people can enter where, and what they type into them.

Values are thought up in canonical form and spelled as the system spells them: an option is a word in Marketo and a number in
Dynamics.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.vocabulary import DYNAMICS, MARKETO, RecordKind, System
from streams.demo.entering import Inventor, fingerprint
from streams.demo.record import HeldRecord
from streams.demo.saving import Saving
from streams.sync.messages import Value
from streams.sync.policy import FieldRule, Policy
from streams.sync.values import canonical

ALWAYS_FILLED = ("first_name", "last_name", "email")
FILLED_SHARE = 0.4
"""How many of the other fields a new record has."""

SYSTEM_MANAGED = frozenset({"createdon", "statecode", "ownerid", "parentcustomerid"})
"""Columns of Dynamics that its forms don't let people edit."""

RECEIVING: Mapping[System, str] = {MARKETO: "to_marketo", DYNAMICS: "to_dynamics"}


@dataclass
class Forms:
    """What people can type in. `filling`: what Dynamics fills in by itself."""

    policy: Policy
    inventor: Inventor
    random: random.Random
    filling: Saving

    def __post_init__(self) -> None:
        rules = [rule for rule in self.policy.fields.values() if _is_entered(rule)]
        self._entered = {s: [rule for rule in rules if rule.direction != RECEIVING[s]] for s in (MARKETO, DYNAMICS)}
        self._received = {s: [rule for rule in rules if rule.direction == RECEIVING[s]] for s in (MARKETO, DYNAMICS)}

    def fields(self, held: HeldRecord, received: bool = False) -> list[FieldRule]:
        """The fields of this record: those that its system gives, or those that it only receives."""
        rules = (self._received if received else self._entered)[held.record.system]
        return [rule for rule in rules if rule.column(held.record.type) is not None]

    def new_values(self, kind: RecordKind) -> dict[str, Value]:
        """A name and an address of mail always, some of the other fields; in canonical form, by canonical name."""
        rules = self._entered[MARKETO if kind == "person" else DYNAMICS]
        return {
            rule.name: value
            for rule in rules
            if rule.column(kind) is not None and rule.direction == "both"
            if rule.name in ALWAYS_FILLED or self.random.random() < FILLED_SHARE
            if (value := self.inventor.any(rule)) is not None
        }

    def columns(self, kind: RecordKind, values: Mapping[str, Value]) -> dict[str, Value]:
        """The values by column, as the system spells them."""
        rules = self.policy.fields
        return {rules[name].column(kind) or "": spelled(rules[name], kind, value) for name, value in values.items()}

    def edited(self, held: HeldRecord, rules: list[FieldRule], cleared: float, is_pair: bool) -> dict[str, Value]:
        """New values for these fields, a share of them emptied where that is allowed."""
        values: dict[str, Value] = {}
        for rule in rules:
            column = rule.column(held.record.type) or ""
            if self.random.random() < cleared and is_pair and self.may_clear(held, rule):
                self.inventor.used(held.person_key, rule.name).add(fingerprint(None))
                values[column] = None
                continue
            value = self.inventor.fresh(held.person_key, rule)
            if value is not None:
                values[column] = spelled(rule, held.record.type, value)
        return values

    def may_clear(self, held: HeldRecord, rule: FieldRule) -> bool:
        """Once per field and person, where nothing needs a value or fills one in and there was one from the start."""
        if rule.direction != "both" or rule.default is not None:
            return False
        if any(rule.column(kind) in columns for kind, columns in self.filling.defaults.items()):
            return False
        required = any((rule.column(kind), rule.name) in names for kind, names in self.policy.required.items())
        return not required and self.inventor.may_clear(held.person_key, rule.name)

    def worth_taking(
        self, loser: HeldRecord, winner: HeldRecord, is_broken: Callable[[str, Value], bool]
    ) -> tuple[str, ...]:
        """Columns that the winner of a merge has empty, with values that it never held and the other system takes."""
        taken = []
        for column, rule in self.policy.inbound[winner.record.type].items():
            value = canonical(rule, winner.record.system, loser.values.get(column))
            used = self.inventor.used(winner.person_key, rule.name)
            if value is None or rule.direction != "both" or winner.values.get(column) is not None:
                continue
            if fingerprint(value) not in used and not is_broken(rule.name, value):
                used.add(fingerprint(value))
                taken.append(column)
        return tuple(taken)


def spelled(rule: FieldRule, kind: RecordKind, value: Value) -> Value:
    """A canonical value as a record of this kind spells it."""
    return value if rule.options is None or kind == "person" else rule.options[str(value)]


def _is_entered(rule: FieldRule) -> bool:
    """Whether people enter it at all."""
    return rule.computed is None and rule.type != "options" and not {rule.lead, rule.contact} & SYSTEM_MANAGED
