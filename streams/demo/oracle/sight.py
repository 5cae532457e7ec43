"""Which edits of a field may stand at rest, by who truly saw what.

A later edit of one record has seen the earlier ones, so at most two edits of one pair of records stand unseen, one in each
system; the record type's authority decides between them.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.vocabulary import MARKETO, RecordType, System
from streams.demo.oracle.facts import Edit, FieldFacts
from streams.demo.oracle.winners import Dated, may_win
from streams.sync.policy import FieldRule, Policy

BLANK_EDIT = Edit(0, MARKETO, "", None, frozenset(), weak=True)
"""The empty value that stood before anybody entered anything."""


def standing(
    facts: FieldFacts, rule: FieldRule, record_type: RecordType | None, policy: Policy, shown: Mapping[int, float]
) -> list[Edit]:
    """The edits of which one must stand at rest; none where nobody and nothing ever gave a value.

    `shown`: edit -> the time of the last row that showed it, where times matter.
    """
    top = unseen(facts)
    if all(edit.number in facts.loose for edit in top):
        return [*top, *_weak(facts), *([BLANK_EDIT] if top else [])]
    if len(top) < 2:
        return top
    if len(top) > 2 or top[0].system == top[1].system or any(edit.number in facts.loose for edit in top):
        return top
    if any(edit.number in facts.meek for edit in top) or record_type is None:
        return top
    types: set[RecordType] = {record_type, "lead"} if _may_be_settled_as_lead(facts, top) else {record_type}

    def may_win_of(one: Edit, other: Edit) -> set[System]:
        pair = [Dated(edit, shown.get(edit.number, edit.time)) for edit in (one, other)]
        marketo, dynamics = pair if one.system == MARKETO else reversed(pair)
        return {winner for each in types for winner in may_win(marketo, dynamics, rule, each, policy)}

    winners = may_win_of(*top)
    for lost, last in (top, reversed(top)):
        if any(last.system in may_win_of(lost, earlier) for earlier in _landed_on(facts, lost) if earlier != last):
            winners.add(last.system)  # it may have been overruled, and done with, when that came
    return [edit for edit in top if edit.system in winners]


def _landed_on(facts: FieldFacts, edit: Edit) -> list[Edit]:
    """The other system's edits that landed on this one without its having been seen."""
    return [each for each in facts.edits if (edit.number, each.number) in facts.covered]


def unseen(facts: FieldFacts) -> list[Edit]:
    """The edits by persons that no other such edit has certainly seen."""
    people = [edit for edit in facts.edits if not edit.weak or edit.number in facts.loose]
    seen: set[int] = set(facts.over)
    for edit in people:
        if edit.number not in facts.loose:
            seen |= edit.seen
    return [edit for edit in people if edit.number not in seen]


def _weak(facts: FieldFacts) -> list[Edit]:
    """Nobody entered anything: what the systems filled in stands."""
    return [edit for edit in facts.edits if edit.weak and edit.number not in facts.over]


def _may_be_settled_as_lead(facts: FieldFacts, top: list[Edit]) -> bool:
    """Dynamics' edit was made on the lead, and an edit of Marketo that had not seen it landed there before the conversion."""
    mine = next(edit for edit in top if edit.system != MARKETO)
    if facts.lead_id is None or mine.record_id != facts.lead_id:
        return False
    return any(
        edit.system == MARKETO and edit.number in facts.seen_by_lead and mine.number not in edit.seen
        and edit.number not in mine.seen
        for edit in facts.edits
    )  # fmt: skip


def descends(edit: Edit | None, root: Edit) -> bool:
    """Whether the edit is the root, or what a system made of it."""
    return edit is not None and (edit.number == root.number or (edit.weak and root.number in edit.seen))
