"""Which records are due: what asks for one, and what an end of one leaves open (design, "Sync Person to Microsoft" to "Deletion")."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.demo.oracle.facts import Edit, PersonFacts
from streams.demo.oracle.sight import descends, unseen
from streams.sync.policy import Policy


def note_request(person: PersonFacts, owner_exists: bool, is_certain_after_deletion: bool) -> None:
    """Sync Person: certainly heeded where Dynamics never held the person, or Marketo has been told of the deletion.

    With an owner that doesn't exist it makes nothing; a later one that finds it on its way joins it, and may fail with it.
    """
    if not owner_exists:
        person.is_misowned = True
        person.dynamics_due = "never" if person.dynamics_due == "never" else "may"
        return
    person.requests += 1
    if DYNAMICS in person.held:
        return
    is_certain = not person.is_misowned and (not person.ends[DYNAMICS] or is_certain_after_deletion)
    person.dynamics_due = "must" if is_certain or person.dynamics_due == "must" else "may"


def note_end(person: PersonFacts, system: System) -> None:
    """A record is no more: a Sync Person beyond those that made a lead may have been folded after it, and make another."""
    if system == DYNAMICS:
        person.dynamics_due = "may" if person.requests > person.creations[DYNAMICS] else "never"
    elif person.dynamics_due == "must":
        person.dynamics_due = "may"


def creation_complaint(policy: Policy, person: PersonFacts, system: System) -> str | None:
    """Why a command should not have made this record, if it should not."""
    if system == MARKETO and not marketo_may_be_due(policy, person):
        return "was made and nobody called for it"
    if system == DYNAMICS and person.creations[DYNAMICS] > person.requests:
        return "was made without a Sync Person"
    return None


def marketo_may_be_due(policy: Policy, person: PersonFacts) -> bool:
    """Whether a Marketo person may be made: Dynamics' own, or one deleted in Marketo and edited in Dynamics since."""
    if not person.ends[MARKETO]:
        return person.marketo_due != "never"
    return person.ends[MARKETO][-1] == "deleted" and any(pending_from_dynamics(policy, person))


def pending_from_dynamics(policy: Policy, person: PersonFacts) -> Iterator[tuple[str, Edit]]:
    """Edits made in Dynamics that the Marketo person had not got, or not kept, when it was deleted."""
    for name, facts in person.fields.items():
        if policy.fields[name].direction == "to_dynamics":
            continue
        last = {edit.number for edit in unseen(facts)}
        for edit in facts.edits:
            made_there = edit.system == DYNAMICS and (not edit.weak or edit.number in facts.loose)
            had_it = edit.number in facts.seen_when_deleted
            if had_it and edit.number in last:
                had_it = descends(facts.held_when_deleted, edit)  # it may have come and been overwritten
            is_over = edit.number in facts.over and edit.number not in facts.on_its_way
            if made_there and not had_it and not is_over:
                yield name, edit
