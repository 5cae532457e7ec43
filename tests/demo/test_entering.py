"""What people type: never the same twice in one field of one person, and what the other system takes unless it is meant not to."""

from __future__ import annotations

import random

from streams.demo.entering import Inventor, fingerprint
from streams.demo.stock import stock_saving
from streams.policy import default_policy
from streams.sync.validation import first_violation
from streams.sync.values import to_system


def inventor() -> Inventor:
    """Somebody with imagination."""
    return Inventor(default_policy(), random.Random(5), stock_saving(default_policy()), spoiling=0.5)


def test_no_value_comes_twice_in_one_field_of_one_person() -> None:
    """Not even up to what a system may rewrite; when options run out there is none."""
    mind, policy = inventor(), default_policy()
    for name in ("job_title", "phone", "rating", "do_not_call"):
        values = [mind.fresh("p", policy.fields[name]) for _ in range(40)]
        entered = [fingerprint(value) for value in values if value is not None]
        assert len(set(entered)) == len(entered) > 0


def test_what_dynamics_fills_in_counts_as_taken() -> None:
    """A new lead is warm by default."""
    mind, rule = inventor(), default_policy().fields["rating"]
    assert "Warm" not in {mind.fresh("p", rule) for _ in range(20)}


def test_ordinary_values_break_no_rule_of_either_system() -> None:
    """Broken ones are entered on purpose only."""
    mind, policy = inventor(), default_policy()
    for rule in policy.fields.values():
        for kind, system in (("person", "marketo"), ("lead", "dynamics"), ("contact", "dynamics")):
            column = rule.column(kind)  # type: ignore[arg-type]
            if column is None or rule.computed is not None or column in ("createdon", "statecode"):
                continue
            written = {column: to_system(rule, system, mind.any(rule))}  # type: ignore[arg-type]
            assert not first_violation(policy.rules[kind], written, system=system, creating=False)  # type: ignore[arg-type, index]


def test_there_are_broken_values_in_both_directions() -> None:
    """Too long, emptied, no option, a duplicate; malformed."""
    ways = inventor().breakings
    assert {way.how for way in ways} == {"too_long", "emptied", "no_option", "duplicate", "malformed"}
    assert {way.sender for way in ways} == {"marketo", "dynamics"}
