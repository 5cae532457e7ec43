"""Which edits of a field may stand at rest, by who truly saw what.

A later edit of one record has seen the earlier ones, so at most two edits of one pair of records stand unseen, one in each
system; the record type's authority decides between them.
"""

from __future__ import annotations

from schemas.vocabulary import DYNAMICS, MARKETO, RecordType, System
from streams.demo.oracle.facts import Edit, FieldFacts
from streams.sync.policy import FieldRule, Policy

BLANK_EDIT = Edit(0, MARKETO, "", None, frozenset(), weak=True)
"""The empty value that stood before anybody entered anything."""


def standing(facts: FieldFacts, rule: FieldRule, record_type: RecordType | None, policy: Policy) -> list[Edit]:
    """The edits of which one must stand at rest; none where nobody and nothing ever gave a value."""
    top = unseen(facts)
    if all(edit.number in facts.loose for edit in top):
        return [*top, *_weak(facts), *([BLANK_EDIT] if top else [])]
    if len(top) < 2:
        return top
    if len(top) > 2 or top[0].system == top[1].system or any(edit.number in facts.loose for edit in top):
        return top
    if (
        any(edit.number in facts.meek for edit in top)
        or rule.winner == "latest"
        or rule.unless_blank
        or record_type is None
    ):
        return top
    winner = _winner(rule, record_type, policy)
    if winner == MARKETO or not _may_be_settled_as_lead(facts, top):
        return [edit for edit in top if edit.system == winner]
    return top


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


def _winner(rule: FieldRule, record_type: RecordType, policy: Policy) -> System:
    if rule.winner == "marketo":
        return MARKETO
    return DYNAMICS if rule.winner == "dynamics" else policy.authority[record_type]


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
