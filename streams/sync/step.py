"""The one function that the shell calls: fold one change into one person.

    step(state, change, policy) -> Outcome

(`advance` is the same without the copy, for a shell that has just decoded the state.) Pure: no I/O, clock, randomness or logging; the same arguments give the same outcome, byte for byte, and the state that was
given is not changed. What a change means stands in the module of its kind:

    records.py      created, updated, and the rows that answers bring: is it news, and whose
    landings.py     where a command has landed, and what values mean there
    linking.py      how a record becomes a person's: first seen, created, linked, converted
    edits.py        what is an edit, and in sight of what
    collision.py    which of two edits stands
    lifecycle.py    deleted, merged, converted, linked, unlinked
    requests.py     Sync Person, retry
    answers.py      what a system said to a command
    dues.py         what is due afterwards, and what is at rest
    commands.py     the commands that carry it, checked by validation.py, or the error in their way
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.person_change import PersonKind
from streams.sync.answers import on_answered
from streams.sync.commands import settle_all
from streams.sync.lifecycle import on_converted, on_deleted, on_linked, on_merged, on_unlinked
from streams.sync.messages import PersonChange
from streams.sync.outcome import Fold, Outcome
from streams.sync.person import PersonState, fork
from streams.sync.policy import Policy
from streams.sync.records import on_shown
from streams.sync.requests import on_requested

HANDLERS: Mapping[PersonKind, Callable[[Fold], None]] = {
    "created": on_shown,
    "updated": on_shown,
    "deleted": on_deleted,
    "merged": on_merged,
    "converted": on_converted,
    "linked": on_linked,
    "unlinked": on_unlinked,
    "requested": on_requested,
    "answered": on_answered,
}

NEWS_OF_NOBODY = frozenset({"deleted", "merged", "unlinked", "answered"})
"""What says nothing where nothing is known of the person: no state comes of it."""


def step(state: PersonState | None, change: PersonChange, policy: Policy) -> Outcome:
    """Fold one change into the state of its person under the policy in force when it was read.

    Raises nothing on a change that its contract allows; what it does raise is a fault of ours, and the shell then rejects
    the change as a whole.
    """
    return advance(None if state is None else fork(state), change, policy)


def advance(person: PersonState | None, change: PersonChange, policy: Policy) -> Outcome:
    """`step` on a state that nobody else holds: it becomes the outcome's. After an exception it is worth nothing."""
    if person is None:
        if change.kind in NEWS_OF_NOBODY:
            return Outcome(None, effect="no_effect")
        person = PersonState()
    fold = Fold(person, change, policy)
    HANDLERS[change.kind](fold)
    settle_all(fold)
    return fold.outcome()
