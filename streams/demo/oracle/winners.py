"""Who may win a collision, by record type, rule and the edits' own times (design, "Policy").

A row of Dynamics bears the time of the record's last save, which may be later than the edit's; so an edit counts as made at any
time from when it was made to the last row that showed it, and where that decides, either may win.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.vocabulary import DYNAMICS, MARKETO, RecordType, System
from streams.demo.oracle.facts import Edit
from streams.sync.policy import FieldRule, Policy


class Dated(NamedTuple):
    """An edit, and until when it may count as made, in seconds since 1970."""

    edit: Edit
    until: float


def is_fickle(rule: FieldRule, policy: Policy) -> bool:
    """Whether the winner hangs on the edits themselves, so that a system's earlier edit may win where its later one would lose."""
    return rule.unless_blank or rule.winner == "latest" or policy.collision_window_seconds is not None


def asks_for_times(policy: Policy) -> bool:
    """Whether the edits' own times matter at all."""
    return policy.collision_window_seconds is not None or any(
        rule.winner == "latest" for rule in policy.fields.values()
    )


def may_win(
    marketo: Dated, dynamics: Dated, rule: FieldRule, record_type: RecordType, policy: Policy
) -> frozenset[System]:
    """The systems whose edit may win; neither edit has seen the other."""
    if len(rule.block_updates) == 1:
        return rule.block_updates
    least, most = marketo.edit.time - dynamics.until, marketo.until - dynamics.edit.time
    window = policy.collision_window_seconds
    found: set[System] = set()
    if window is not None:
        found |= {MARKETO} if most > window else set()
        found |= {DYNAMICS} if least < -window else set()
        if least > window or most < -window:
            return frozenset(found)
    for winner in _configured(rule, record_type, policy, least, most):
        value = (marketo if winner == MARKETO else dynamics).edit.value
        is_given_up = rule.unless_blank and value is None
        found.add((DYNAMICS if winner == MARKETO else MARKETO) if is_given_up else winner)
    return frozenset(found)


def _configured(rule: FieldRule, record_type: RecordType, policy: Policy, least: float, most: float) -> set[System]:
    authority = policy.authority[record_type]
    if rule.winner == "authority":
        return {authority}
    if rule.winner != "latest":
        return {rule.winner}
    found: set[System] = {MARKETO} if most > 0 else set()
    found |= {DYNAMICS} if least < 0 else set()
    return found | ({authority} if least <= 0 <= most else set())
