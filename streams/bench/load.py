"""How large the load is, and the policy that syncs so many fields."""

from __future__ import annotations

from dataclasses import dataclass

from streams.policy import default_policy_text, default_rule_texts, read_policy
from streams.sync.policy import FieldRule, Policy

FIELDS_MAX = 400


@dataclass(frozen=True)
class Load:
    """`edits` and `landings` of a round come to about twice `edits` source changes. `fields` of each person are synced."""

    people: int = 10_000
    edits: int = 10_000
    rounds: int = 5
    fields: int = 25

    def policy_text(self) -> str:
        """The shipped policy; where it has too few fields, with text fields more."""
        text = default_policy_text()
        more = range(self.fields - len(alike_fields(read_policy(text, default_rule_texts()))))
        lines = [f"  bench_{number}: {{marketo: bench{number}, dynamics: new_bench{number}}}" for number in more]
        return text + "".join(f"{line}\n" for line in lines)

    def policy(self) -> Policy:
        """The policy as the worker reads it."""
        return read_policy(self.policy_text(), default_rule_texts())

    def rules(self) -> list[FieldRule]:
        """The fields that each person has, those first that a lead cannot be without."""
        policy = self.policy()
        required = {name for _, name in policy.required["lead"]}
        return sorted(alike_fields(policy), key=lambda rule: rule.name not in required)[: self.fields]


def alike_fields(policy: Policy) -> list[FieldRule]:
    """The fields that are synced both ways between a Marketo person and a Dynamics lead."""
    return [
        rule
        for rule in policy.fields.values()
        if rule.direction == "both" and rule.computed is None and rule.marketo is not None and rule.lead is not None
    ]
