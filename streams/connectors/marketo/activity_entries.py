"""An activity as an entry of a Marketo person's log: a sentence as its primary attribute, and details that a smart list can filter by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from streams.connectors.marketo.names import ACTIVITY_ATTRIBUTES
from streams.sync.messages import Activity

TEXT_CHARACTERS_MAX = 255

SYSTEM_NAMES: Mapping[str | None, str] = {"marketo": "Marketo", "dynamics": "Dynamics", None: "the other system"}

SENTENCES: Mapping[str, str] = {
    "failed": "Sync to {system} failed",
    "closed": "Sync to {system} works again",
    "collision": "Edits in both systems: {winner} won",
    "skipped": "Sync Person skipped",
    "created": "Created in {system}",
    "linked": "Linked",
    "unlinked": "Unlinked",
    "deleted": "Deleted in {system}",
    "converted": "Converted to a contact",
    "merged": "Merged",
    "overwritten": "Edit overwritten",
}

_TELLS: Mapping[str, Callable[[Activity], str | None]] = {
    "activityId": lambda activity: activity.activity_id,
    "direction": lambda activity: direction_of(activity.system),
    "operation": lambda activity: activity.operation,
    "field": lambda activity: activity.field,
    "code": lambda activity: activity.code,
    "message": lambda activity: activity.message,
    "rule": lambda activity: activity.rule,
    "winner": lambda activity: None if activity.winner is None else SYSTEM_NAMES[activity.winner],
}
assert tuple(_TELLS) == ACTIVITY_ATTRIBUTES


def direction_of(receiver: str | None) -> str | None:
    """As Marketo's own Sync Errors tab says it."""
    if receiver is None:
        return None
    return "Marketo to Dynamics" if receiver == "dynamics" else "Dynamics to Marketo"


def probe_of(told: Mapping[str, Any], now: str) -> dict[str, Any]:
    """An entry that says nothing, and without whose log it is for."""
    return {
        "activityDate": now,
        "activityTypeId": int(told["id"]),
        "primaryAttributeValue": "Are entries taken?",
        "attributes": [],
    }


def entry_of(activity: Activity, lead_id: str, told: Mapping[str, Any], now: str) -> dict[str, Any]:
    """As activities/external.json takes it. `told`: the type as Marketo describes it; what it lacks is left out."""
    has = {str(each.get("apiName")) for each in told.get("attributes") or ()}
    said = {name: text for name, tell in _TELLS.items() if name in has and (text := tell(activity))}
    return {
        "leadId": int(lead_id),
        "activityDate": _in_utc(activity.time) or now,
        "activityTypeId": int(told["id"]),
        "primaryAttributeValue": sentence_of(activity),
        "attributes": [{"apiName": name, "value": text[:TEXT_CHARACTERS_MAX]} for name, text in said.items()],
    }


def _in_utc(time: str | None) -> str | None:
    """Whole seconds of UTC, so that texts are in the order of times."""
    if time is None:
        return None
    try:
        return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return None


def sentence_of(activity: Activity) -> str:
    """What a person reads first."""
    return SENTENCES[activity.kind].format(system=SYSTEM_NAMES[activity.system], winner=SYSTEM_NAMES[activity.winner])


def ids_in(page: Iterable[Mapping[str, Any]]) -> set[str]:
    """The activities whose entries stand on a page of the log, whatever name their id has there."""
    return {str(each.get("value")) for entry in page for each in entry.get("attributes") or ()}
