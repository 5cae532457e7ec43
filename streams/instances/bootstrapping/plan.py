"""The plan: for each pair and each record alone, what a bootstrap would do and what would come of it. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import msgspec

from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.connectors.known import KnownRecord, KnownRecords
from streams.instances.bootstrapping.foreseen import Difference, Foreseen, Invalid, foresee
from streams.instances.bootstrapping.store import Pair, ReadRecord, Store
from streams.instances.bootstrapping.telling import foretold
from streams.intake import resolve_change
from streams.sync.policy import Policy

Action = Literal[
    "link_by_key",
    "link_by_email",
    "already_linked",
    "create_in_marketo",
    "stays_in_marketo",
    "kept_out",
    "ambiguous",
    "closed",
    "known",
    "gone",
]
ACTIONS: tuple[Action, ...] = get_args(Action)

Known = Mapping[System, KnownRecords]
"""What the connectors know already; empty for an installation that is new."""


class PlanLine(msgspec.Struct, frozen=True):
    """One pair, or one record alone. The same members whatever the action.

    `differences`: the fields in which a pair's records differ; `in_conflict`: in some of them both hold a value. `kept_out`: the sync filter says No, so that nothing is sent either way for
    now. `candidates` of an ambiguous record: `<system>/<id>` of the others.
    """

    action: Action
    marketo_id: str | None = None
    dynamics_type: str | None = None
    dynamics_id: str | None = None
    email: str | None = None
    person_key: str | None = None
    kept_out: bool = False
    in_conflict: bool = False
    differences: tuple[Difference, ...] = ()
    invalid: tuple[Invalid, ...] = ()
    ambiguous_by: str | None = None
    candidates: tuple[str, ...] = ()


Outcome = Literal["marketo", "dynamics", "nobody", "completed"]
"""Of two values, whose stands; `completed`: only one side has a value, or only one is ever asked, and the other gets it."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def outcome_of(difference: Difference) -> Outcome:
    """What becomes of a field in which two records differ."""
    if difference.why in ("filled", "one_way"):
        return "completed"
    return difference.winner or "nobody"


@dataclass
class Summary:
    """Counts over a plan. `differences`: (field, what becomes of it) -> pairs."""

    actions: Counter[Action] = field(default_factory=Counter)
    kept_out_pairs: int = 0
    in_conflict: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    differences: Counter[tuple[str, Outcome]] = field(default_factory=Counter)

    def count(self, line: PlanLine) -> None:
        """Take one line into account."""
        self.actions[line.action] += 1
        self.kept_out_pairs += line.kept_out and line.marketo_id is not None
        self.in_conflict += line.in_conflict
        self.invalid.update(each.to for each in line.invalid)
        self.differences.update((each.field, outcome_of(each)) for each in line.differences)


def plan_lines(store: Store, policy: Policy, known: Known) -> Iterator[PlanLine]:
    """All lines: pairs and Marketo persons first, then Dynamics records alone. Reads the store, folds, keeps nothing."""
    for person in store.records(MARKETO):
        yield _of_marketo(store, policy, known, person)
    for record in store.records(DYNAMICS):
        line = _of_dynamics(store, policy, known, record)
        if line is not None:
            yield line
    for system in SYSTEMS:
        for record_id in store.gone(system):
            found = known[system].get(record_id)
            if found is not None and found.state == "living":
                yield _gone(found)


def is_kept_out(record: ReadRecord, policy: Policy) -> bool:
    """Whether the sync filter says No on this Dynamics record."""
    (_, row), *_ = foretold(None, record, None, kept_out=False)
    return resolve_change(record.stream, row, None, policy).changes[-1].syncable is False


def _of_marketo(store: Store, policy: Policy, known: Known, person: ReadRecord) -> PlanLine:
    pair = store.pair_of(MARKETO, person.id)
    if pair is not None:
        return _of_pair(policy, known, pair, person, store.get(DYNAMICS, pair.dynamics_id))
    aside = store.aside_of(MARKETO, person.id)
    if aside is not None:
        return _line("ambiguous", person, None, ambiguous_by=aside[0], candidates=aside[1])
    return _line("known" if known[MARKETO].get(person.id) else "stays_in_marketo", person, None)


def _gone(known: KnownRecord) -> PlanLine:
    record = known.record
    if record.system == MARKETO:
        return PlanLine("gone", marketo_id=record.id, person_key=known.person_key)
    return PlanLine("gone", dynamics_type=record.type, dynamics_id=record.id, person_key=known.person_key)


def _of_pair(policy: Policy, known: Known, pair: Pair, person: ReadRecord, record: ReadRecord) -> PlanLine:
    foreseen = _foreseen(policy, person, record, pair)
    action: Action = "already_linked" if _is_linked(known, pair) else ACTION_BY[pair.by]
    return _line(action, person, record, foreseen, person_key=pair.person_key)


ACTION_BY: Mapping[str, Action] = {"key": "link_by_key", "email": "link_by_email"}


def _is_linked(known: Known, pair: Pair) -> bool:
    both = known[MARKETO].get(pair.marketo_id), known[DYNAMICS].get(pair.dynamics_id)
    return all(each is not None and each.state == "living" and each.person_key == pair.person_key for each in both)


def _of_dynamics(store: Store, policy: Policy, known: Known, record: ReadRecord) -> PlanLine | None:
    """None for a record that stands in its pair's line."""
    if record.state != "living":
        return _line("closed", None, record)
    if store.pair_of(DYNAMICS, record.id) is not None:
        return None
    aside = store.aside_of(DYNAMICS, record.id)
    if aside is not None:
        return _line("ambiguous", None, record, ambiguous_by=aside[0], candidates=aside[1])
    foreseen = _foreseen(policy, None, record, None)
    action: Action = "kept_out" if foreseen.kept_out else "create_in_marketo"
    return _line("known" if known[DYNAMICS].get(record.id) else action, None, record, foreseen)


def _foreseen(policy: Policy, person: ReadRecord | None, record: ReadRecord, pair: Pair | None) -> Foreseen:
    return foresee(foretold(person, record, pair, kept_out=is_kept_out(record, policy)), policy)


def _line(
    action: Action,
    person: ReadRecord | None,
    record: ReadRecord | None,
    foreseen: Foreseen = Foreseen(),  # noqa: B008  it is immutable
    *,
    person_key: str | None = None,
    ambiguous_by: str | None = None,
    candidates: tuple[str, ...] = (),
) -> PlanLine:
    shown = person or record
    return PlanLine(
        action=action,
        marketo_id=None if person is None else person.id,
        dynamics_type=None if record is None else record.type,
        dynamics_id=None if record is None else record.id,
        email=None if shown is None else shown.email,
        person_key=person_key or (None if shown is None else shown.person),
        kept_out=foreseen.kept_out,
        in_conflict=any(each.is_conflict for each in foreseen.differences),
        differences=foreseen.differences,
        invalid=foreseen.invalid,
        ambiguous_by=ambiguous_by,
        candidates=candidates,
    )


Each = Callable[[PlanLine], None]


def summarise(lines: Iterator[PlanLine], each: Each = lambda line: None) -> Summary:
    """Run through a plan; `each` gets every line."""
    summary = Summary()
    for line in lines:
        summary.count(line)
        each(line)
    return summary
