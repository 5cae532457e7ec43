"""What people ask for: Sync Person, and a retry of what failed.

Sync Person creates a Dynamics record where there is none, once, however often it is repeated; where one exists it does
nothing at all, and says so. It never forces a refresh. (Design, "Sync Person to Microsoft"; domain, 1.1, L4 to L6.)
"""

from __future__ import annotations

from schemas.limits import REQUESTS_MAX
from schemas.source_change import CAMPAIGN_LANES
from schemas.vocabulary import DYNAMICS, MARKETO
from streams.sync import commands, edits
from streams.sync.outcome import Fold
from streams.sync.person import Edit, Link, SyncError, Wish


def on_requested(fold: Fold) -> None:
    """Fold a request; a repeat of a recent one has no effect."""
    if fold.change.change_id in fold.person.requests:
        fold.effect = "repeat"
        return
    fold.person.requests = (*fold.person.requests, fold.change.change_id)[-REQUESTS_MAX:]
    if fold.change.action == "retry":
        retry(fold)
    else:
        sync_person(fold)


def retry(fold: Fold) -> None:
    """Whatever stopped may go on: refusals are tried again, rewritten values are sent again and counted from nought."""
    edits.heed_refusals_no_longer(fold)
    for name, field in fold.person.moving.items():
        if not field.stopped:
            continue
        field.stopped = False
        fold.close_error(f"rewriting/{name}")
        for side in (field.marketo, field.dynamics):
            if side.edit is not None and side.edit.rewrites:
                old = side.edit
                side.edit = Edit(old.change_id, old.value, old.made_in, old.time, old.who, old.weak, 0)


def sync_person(fold: Fold) -> None:
    """Create a Dynamics record, unless there is one or one is on its way."""
    change, dynamics = fold.change, fold.person.dynamics
    _fold_view(fold)
    creating = dynamics.creating()
    if dynamics.link is not None:
        fold.log("skipped", "exists", system=DYNAMICS, operation="create", message="a Dynamics record exists already")
    elif creating is not None:
        if change.campaign == "trigger" and creating.lane == "background":
            commands.send_again_first(fold, DYNAMICS, creating)
        else:
            fold.log("skipped", "creating", system=DYNAMICS, operation="create", message="its creation is on its way")
    elif fold.person.marketo.link is None and fold.person.marketo.last_closure() is not None:
        fold.effect = "closed"
    elif change.sync_as == "contact" and fold.person.record_type is not None:
        _fail_for_its_type(fold)
    else:
        dynamics.wish = Wish(change.change_id, CAMPAIGN_LANES[change.campaign], change.sync_as, change.owner)
        edits.heed_refusals_no_longer(fold)


def _fail_for_its_type(fold: Fold) -> None:
    message = f"Sync As Contact needs an empty Microsoft Type; it is {fold.person.record_type}"
    fold.log_failure(DYNAMICS, SyncError(fold.change.change_id, "record_type", message, "create"))


def _fold_view(fold: Fold) -> None:
    """The request's own view of the person stands for its `created`, where nothing of the record was folded yet."""
    change, person = fold.change, fold.person
    record, marketo = change.record, person.marketo
    assert record is not None
    if change.fields is None or marketo.link is not None or marketo.closure_of(record.id) is not None:
        return
    if marketo.flight is not None or person.dynamics.link is not None or person.dynamics.flight is not None:
        return
    marketo.link = Link(record.type, record.id, revision=change.revision or 0, viewed_at=change.updated_at)
    edits.note_stated(fold)
    for name, value in change.fields.items():
        edits.fold_edit(fold, MARKETO, name, edits.new_edit(fold, MARKETO, value))
