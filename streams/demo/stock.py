"""The two systems with the habits that a demo shows, for a policy: which values they rewrite, fill in and refuse.

Only columns that the policy maps get a habit: what a system does elsewhere is nobody's business here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from schemas.vocabulary import DYNAMICS, MARKETO, RecordKind, System
from streams.demo.saving import (
    Rewriter,
    Saving,
    capitalised,
    is_marked_duplicate,
    phone_compact,
    refuses_nothing,
    trimmed,
)
from streams.demo.users import SELLERS
from streams.sync.messages import Value
from streams.sync.policy import Policy

Habit = TypeVar("Habit")

LEAD_DEFAULTS: Mapping[str, Value] = {
    "statecode": 0,
    "statuscode": 1,
    "leadqualitycode": 2,
    "donotphone": False,
    "donotbulkemail": False,
    "ownerid": "sync-user",
}
CONTACT_DEFAULTS: Mapping[str, Value] = {
    "statecode": 0,
    "statuscode": 1,
    "donotphone": False,
    "donotbulkemail": False,
    "ownerid": "sync-user",
}
MARKETO_REWRITES: Mapping[str, Rewriter] = {
    "firstName": trimmed,
    "lastName": trimmed,
    "jobTitle": trimmed,
    "city": trimmed,
}
DYNAMICS_REWRITES: Mapping[str, Rewriter] = {
    "telephone1": phone_compact,
    "mobilephone": phone_compact,
    "firstname": capitalised,
    "jobtitle": capitalised,
    "address1_city": trimmed,
}


def stock_saving(policy: Policy, rewriting: bool = True, refusing: bool = True) -> dict[System, Saving]:
    """What each system does on save, as far as the policy maps the columns."""
    columns = {kind: set(names) for kind, names in policy.inbound.items()}
    return {
        MARKETO: Saving(
            rewrites=_of(MARKETO_REWRITES, columns["person"]) if rewriting else {},
            lengths=_lengths(policy, "person"),
        ),
        DYNAMICS: Saving(
            rewrites=_of(DYNAMICS_REWRITES, columns["lead"] | columns["contact"]) if rewriting else {},
            defaults={
                "lead": _of(LEAD_DEFAULTS, columns["lead"]),
                "contact": _of(CONTACT_DEFAULTS, columns["contact"]),
            },
            stamped={"lead": _stamped(columns["lead"]), "contact": _stamped(columns["contact"])},
            lengths=_lengths(policy, "lead", "contact"),
            owners=frozenset(SELLERS),
            is_duplicate=is_marked_duplicate if refusing else refuses_nothing,
        ),
    }


def _of(habits: Mapping[str, Habit], columns: set[str]) -> dict[str, Habit]:
    return {column: habit for column, habit in habits.items() if column in columns}


def _stamped(columns: set[str]) -> tuple[str, ...]:
    return ("createdon",) if "createdon" in columns else ()


def _lengths(policy: Policy, *kinds: RecordKind) -> dict[RecordKind, dict[str, int]]:
    return {
        kind: {rule.name: rule.length_max for rule in policy.rules[kind].values() if rule.length_max is not None}
        for kind in kinds
    }
