"""A policy with few fields, but of every sort: cut out of the shipped one, with a field that goes to Dynamics only."""

from __future__ import annotations

from functools import cache

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


@cache
def small_policy() -> Policy:
    """The policy of the simulated worlds."""
    shipped = default_policy()
    fields = {name: shipped.fields[name] for name in NAMES} | {SCORE.name: SCORE}
    return compiled("small", fields, shipped.rules, shipped.authority, filter_column=shipped.filter_column)
