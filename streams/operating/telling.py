"""An activity as one sentence for people. What a kind says stands in a table; `streams/sync` decides what is put on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.activity import ActivityKind
from streams.operating.display import said
from streams.sync.messages import Activity, CollidingEdit

RULES: Mapping[str, str] = {
    "authority": "has authority",
    "marketo": "wins this field",
    "dynamics": "wins this field",
    "latest": "was edited last",
    "unless_blank": "is not blank",
    "collision_window": "was edited later, beyond the window",
    "one_way": "is the source",
}


def told(activity: Activity) -> str:
    """What happened, in one sentence."""
    return SENTENCES[activity.kind](activity)


def _collision(activity: Activity) -> str:
    rule = f": it {RULES[activity.rule]}" if activity.rule else ""
    return (
        f"{activity.field} was {said(activity.base)}; {_edit('marketo', activity.marketo)} and "
        f"{_edit('dynamics', activity.dynamics)}; {activity.winner} won{rule}"
    )


def _edit(system: str, edit: CollidingEdit | None) -> str:
    if edit is None:
        return f"{system} said nothing"
    by = "".join(f", {each}" for each in (edit.who, edit.time) if each)
    return f"{system} said {said(edit.value)} ({edit.change_id}{by})"


def _record(activity: Activity) -> str:
    record = activity.record
    return f"{record.system} {record.type} {record.id}" if record else f"{activity.system} record"


def _failed(activity: Activity) -> str:
    message = activity.message or "without a word"
    named = activity.field is None or activity.field in message
    about = "" if named else f" ({activity.field} = {said(activity.value)})"
    return f"{activity.operation} in {activity.system} failed, {activity.code}: {message}{about}"


def _closed(activity: Activity) -> str:
    about = f" of {activity.field}" if activity.field else ""
    return f"the error {activity.code}{about} towards {activity.system} is closed"


SENTENCES: Mapping[ActivityKind, Callable[[Activity], str]] = {
    "collision": _collision,
    "failed": _failed,
    "closed": _closed,
    "skipped": lambda activity: activity.message or "nothing was done",
    "created": lambda activity: f"{_record(activity)} was created by leadsync",
    "linked": lambda activity: f"{_record(activity)} was linked",
    "unlinked": lambda activity: f"{_record(activity)} is another person's now",
    "deleted": lambda activity: f"{_record(activity)} was deleted",
    "converted": lambda activity: f"the lead became {_record(activity)}",
    "merged": lambda activity: f"{_record(activity)} was merged into another",
    "overwritten": lambda activity: (
        f"{activity.field}: {said(activity.value)} in {activity.system} is written over; the field is one-way"
    ),
}
