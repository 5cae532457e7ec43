"""Policies with few fields, but of every sort: cut out of the shipped one, with a field that goes to Dynamics only; and variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.policy import default_policy
from streams.sync.policy import FieldRule, Policy, compiled

NAMES = (
    "first_name",
    "last_name",
    "job_title",
    "email",
    "phone",
    "topic",
    "rating",
    "do_not_call",
    "lead_status_reason",
    "microsoft_type",
    "microsoft_is_deleted",
)
SCORE = FieldRule(
    "score", "integer", marketo="leadScore", lead="mkt_score", contact="mkt_score", direction="to_dynamics"
)
WINDOW_SECONDS = 12.0
"""Long enough for some seventeen steps of a world."""

Rules = Mapping[str, Mapping[str, Any]]

WINNERS: Rules = {
    "first_name": {"winner": "latest"},
    "last_name": {"winner": "marketo"},
    "email": {"winner": "dynamics"},
    "phone": {"winner": "latest", "unless_blank": True},
    "job_title": {"unless_blank": True},
}
BLOCKED: Rules = {
    "first_name": {"block_updates": frozenset({MARKETO})},
    "job_title": {"block_updates": frozenset({DYNAMICS})},
    "phone": {"block_updates": frozenset({MARKETO, DYNAMICS})},
}


def small_policy(name: str = "small", changed: Rules | None = None, **more: Any) -> Policy:
    """The shipped policy's fields of these names, some of them changed."""
    shipped = default_policy()
    fields = {name: shipped.fields[name] for name in NAMES} | {SCORE.name: SCORE}
    fields |= {name: msgspec.structs.replace(fields[name], **rule) for name, rule in (changed or {}).items()}
    return compiled(name, fields, shipped.rules, shipped.authority, filter_column=shipped.filter_column, **more)


@cache
def policy_named(name: str) -> Policy:
    """One of POLICIES, read once."""
    return POLICIES[name]()


POLICIES: Mapping[str, Callable[[], Policy]] = {
    "small": small_policy,
    "shipped": default_policy,
    "winners": lambda: small_policy("winners", WINNERS),
    "window": lambda: small_policy("window", collision_window_seconds=WINDOW_SECONDS),
    "blocked": lambda: small_policy("blocked", BLOCKED),
    "contact-only": lambda: small_policy("contact-only", {"phone": {"lead": None}}),
    "deletes-in-marketo": lambda: small_policy("deletes-m", propagate_deletes_to=frozenset({MARKETO})),
    "deletes-in-dynamics": lambda: small_policy("deletes-d", propagate_deletes_to=frozenset({DYNAMICS})),
    "deletes-in-both": lambda: small_policy("deletes", propagate_deletes_to=frozenset({MARKETO, DYNAMICS})),
    "dedupe": lambda: small_policy("dedupe", dedupe="email"),
}
"""The policies of the simulated worlds, by name."""
