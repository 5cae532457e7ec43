"""The loads: how many people of how many fields, how much is edited in a round, and what is unusual about it.

`steady` is the load that the others are variants of: in each round so many people have one field edited, everyone once at
most, by turns in Marketo and in Dynamics. Edits and landings of a round come to about twice `edits` source changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from streams.policy import default_policy_text, default_rule_texts, read_policy
from streams.sync.policy import FieldRule, Policy

FIELDS_MAX = 400
STEADY = "steady"


@dataclass(frozen=True)
class Load:
    """Sizes, and the shares that make a load what it is. `fields` of each person are synced."""

    people: int = 10_000
    edits: int = 10_000
    rounds: int = 5
    fields: int = 25
    name: str = STEADY
    hot_share: float = 0.0  # of the edits, to one person
    collision_share: float = 0.0  # of the people edited, in both systems at once
    bad_share: float = 0.0  # of the messages
    backlog: bool = False  # the subject is away while the edits are written

    def smaller(self, times: int) -> Load:
        """The same for a slow subject: so many times fewer people and edits. Rates are per change, and a run has an end."""
        return replace(self, people=-(-self.people // times), edits=-(-self.edits // times))

    @property
    def hot_edits(self) -> int:
        """How many edits the hot person gets in a round."""
        return max(1, round(self.edits * self.hot_share)) if self.hot_share else 0

    @property
    def collisions(self) -> int:
        """How many people are edited in both systems in a round; so many edits more than people."""
        return max(1, self.edits - round(self.edits / (1 + self.collision_share))) if self.collision_share else 0

    def policy_text(self) -> str:
        """The shipped policy; where it has too few fields, with text fields more."""
        return _policy_text(self.fields)

    def policy(self) -> Policy:
        """The policy as the worker reads it."""
        return _policy(self.fields)

    def rules(self) -> list[FieldRule]:
        """The fields that each person has, those first that a lead cannot be without."""
        policy = self.policy()
        required = {name for _, name in policy.required["lead"]}
        return sorted(alike_fields(policy), key=lambda rule: rule.name not in required)[: self.fields]


LOADS: Mapping[str, Mapping[str, Any]] = {
    STEADY: {},
    "hot_person": {"hot_share": 0.1},
    "collisions": {"collision_share": 0.05},
    "bad_input": {"bad_share": 0.01},
    "backlog": {"backlog": True},
    "fields_10": {"fields": 10},
    "fields_100": {"fields": 100},
}
"""Name -> how it differs from the steady load."""

LOAD_WORDS: Mapping[str, str] = {
    STEADY: "steady",
    "hot_person": "hot person",
    "collisions": "collisions",
    "bad_input": "bad input",
    "backlog": "backlog",
    "fields_10": "10 fields",
    "fields_100": "100 fields",
}


def load_named(name: str, sizes: Load) -> Load:
    """The load of that name in these sizes."""
    return replace(sizes, name=name, **LOADS[name])


@cache  # each number of fields is asked for many times, and reading takes its time
def _policy_text(fields: int) -> str:
    text = default_policy_text()
    more = range(fields - len(alike_fields(read_policy(text, default_rule_texts()))))
    lines = [f"  bench_{number}: {{marketo: bench{number}, dynamics: new_bench{number}}}" for number in more]
    return text + "".join(f"{line}\n" for line in lines)


@cache
def _policy(fields: int) -> Policy:
    return read_policy(_policy_text(fields), default_rule_texts())


def alike_fields(policy: Policy) -> list[FieldRule]:
    """The fields that are synced both ways between a Marketo person and a Dynamics lead."""
    return [
        rule
        for rule in policy.fields.values()
        if rule.direction == "both" and rule.computed is None and rule.marketo is not None and rule.lead is not None
    ]
