"""Which of two edits stands: sight first, then the policy.

Settled is, of the latest edits of the two systems that are not over: the only one; the one made in sight of the other;
equal values, no collision; else a collision, and the policy decides. Of a one-way field, its source's. What a system made itself (a rewriting, a default)
loses to what a person entered without having seen it, and so is no collision. (Design, "Sight, collisions, commands".)
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from schemas.vocabulary import DYNAMICS, MARKETO, RecordType, System
from streams.sync.messages import Rule
from streams.sync.person import Edit, MovingField
from streams.sync.policy import FieldRule, Policy


class Settled(NamedTuple):
    """The edit that stands (None: the value at rest does) and, of a collision, why."""

    edit: Edit | None
    rule: Rule | None = None


def settle(field: MovingField, rule: FieldRule, record_type: RecordType | None, policy: Policy) -> Settled:
    """The settled value of a field, from the latest edit of each system."""
    marketo, dynamics = field.marketo.edit, field.dynamics.edit
    if rule.direction != "both":
        return Settled(marketo if rule.direction == "to_dynamics" else dynamics)
    if marketo is None or dynamics is None:
        return Settled(marketo or dynamics)
    if field.marketo.in_sight or marketo.value == dynamics.value:
        return Settled(marketo)
    if field.dynamics.in_sight:
        return Settled(dynamics)
    if marketo.weak != dynamics.weak:
        return Settled(dynamics if marketo.weak else marketo)
    winner, why = decide(marketo, dynamics, rule, record_type, policy)
    edit = marketo if winner == MARKETO else dynamics
    return Settled(edit, None if marketo.weak else why)


def decide(
    marketo: Edit, dynamics: Edit, rule: FieldRule, record_type: RecordType | None, policy: Policy
) -> tuple[System, Rule]:
    """The winner of a collision, and the rule that made it win.

    A field that is written once in one of the systems is led by it: what is entered there never hears of the other one's edits.
    """
    if len(rule.block_updates) == 1:
        (leading,) = rule.block_updates
        return leading, leading
    authority = policy.authority[record_type or "lead"]
    later, apart_seconds = _later(marketo, dynamics)
    if policy.collision_window_seconds is not None and later and apart_seconds > policy.collision_window_seconds:
        return later, "collision_window"
    winner, why = _configured(rule, authority, later)
    if rule.unless_blank and (marketo if winner == MARKETO else dynamics).value is None:
        return (DYNAMICS if winner == MARKETO else MARKETO), "unless_blank"
    return winner, why


def _configured(rule: FieldRule, authority: System, later: System | None) -> tuple[System, Rule]:
    if rule.winner == "authority":
        return authority, "authority"
    if rule.winner == "latest":
        return (later, "latest") if later else (authority, "authority")  # ties, and unknown times, go to authority
    return rule.winner, rule.winner


def _later(marketo: Edit, dynamics: Edit) -> tuple[System | None, float]:
    """The system of the later edit (None on a tie or an unknown time) and how many seconds lie between them."""
    marketo_seconds, dynamics_seconds = seconds_of(marketo.time), seconds_of(dynamics.time)
    if marketo_seconds is None or dynamics_seconds is None or marketo_seconds == dynamics_seconds:
        return None, 0.0
    later: System = MARKETO if marketo_seconds > dynamics_seconds else DYNAMICS
    return later, abs(marketo_seconds - dynamics_seconds)


def seconds_of(time: str | None) -> float | None:
    """Seconds since 1970 of an RFC 3339 time; None where there is none, or where no calendar has such a day."""
    if time is None:
        return None
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None
