"""A change of one record: is it news, and whose record is it.

A change at or below the last version of its record is a repeat; a change of a record that is no more has no effect. (Design,
"Sight, collisions, commands"; "Creation, links, conversion, merges".)
"""

from __future__ import annotations

from schemas.vocabulary import MARKETO, OURSELVES
from streams.sync import edits
from streams.sync.commands import settle_all
from streams.sync.landings import (
    fold_earlier_create,
    fold_values,
    is_of_an_earlier_create,
    is_of_our_creation,
    is_repeat,
    landed_by,
    note_shown,
)
from streams.sync.lifecycle import link_twin
from streams.sync.linking import (
    convert,
    fold_first_row,
    is_first_of_contact,
    land_creation,
    link_first_seen,
    open_duplicate,
)
from streams.sync.outcome import Fold
from streams.sync.person import (
    Link,
    SystemState,
)

BY_US = (None, OURSELVES)


def on_shown(fold: Fold, *, contradicts: bool = False) -> None:
    """A `created` or `updated`, or the row that a result brings.

    `contradicts`: what was expected of the record. So it is folded where a row of its version was, too: the policy may have got
    fields since.
    """
    change, state = fold.change, fold.person.system(fold.change.system)
    record = change.record
    assert record is not None
    if state.closed and state.closure_of(record.id) is not None:
        fold.effect = "closed"
        return
    if is_first_of_contact(fold, state, record):
        convert(fold, record)  # the contact's first row came before, or instead of, the word of the conversion
        settle_all(fold)  # under the lead's filter still (domain, 1.5, qualify)
    link, creating = state.link, state.creating()
    if link is not None and link.id == record.id:
        if is_repeat(link, change.version, change.time) and not (contradicts and change.version == link.version):
            fold.effect = "repeat"
        else:
            _fold_news(fold, state, link)
    elif link is None and creating is not None and _is_twin(fold):
        link_twin(fold, record)  # it was found, and the answer is to come
    elif link is None and is_of_our_creation(change.creation, record, creating):
        flight = land_creation(fold, record)
        if is_of_an_earlier_create(change.revision, flight):
            fold_earlier_create(fold, flight)
        else:
            fold_values(fold, flight)
    elif change.kind == "answered":
        fold.effect = "no_effect"  # a record that was let go of since: whose it is now, its stream says
    elif link is None and creating is None:
        link_first_seen(fold, record)
    else:
        open_duplicate(fold, record)


def _is_twin(fold: Fold) -> bool:
    """Whether this is no record of the create in flight: it was there, and got our key; or somebody else made it."""
    change = fold.change
    if fold.policy.dedupe is None:
        return False
    return change.creation == 0 or (change.creation is None and change.kind == "created" and change.who not in BY_US)


def _fold_news(fold: Fold, state: SystemState, link: Link) -> None:
    change = fold.change
    is_old_write = change.system == MARKETO and change.revision is not None and 0 < change.revision <= link.revision
    note_shown(fold, link)
    if link.unread and (change.scope == "row" or change.kind == "created" or fold.person.conversion is not None):
        fold_first_row(fold, state, link)
        return
    link.unread = False
    landed = landed_by(fold, state)
    if is_old_write and landed is None:
        for name, value in (change.fields or {}).items():
            edits.fold_late_repeat(fold, name, value)
    else:
        fold_values(fold, landed)
