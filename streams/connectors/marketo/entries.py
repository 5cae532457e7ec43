"""Entries of Marketo's activity feeds, as far as we follow them: creations, changed values, merges, deletions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.limits import NAME_CHARACTERS_MAX
from schemas.vocabulary import TIME_PATTERN
from streams.connectors.marketo.names import DELETE_LEAD, MERGE_LEADS, NEW_LEAD
from streams.sync.messages import Value

_TIME = re.compile(TIME_PATTERN)
_ZONE_WITHOUT_COLON = re.compile(r"([+-][0-9]{2})([0-9]{2})$")
_IDS = re.compile(r"[0-9]+")

SOURCES = ("Modifying User", "Source", "Source Type", "Reason")
"""Attributes that say who it was, the best first."""


class FieldChange(msgspec.Struct, frozen=True, gc=False):
    """One value that changed, in the feed's spelling."""

    name: str
    new: Value = None
    old: Value = None


class FeedEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One activity. `guid` names it for ever; `request_id` is of the API call that caused it; `losers` of a merge into `lead_id`."""

    guid: str
    lead_id: str
    type_id: int
    time: str | None = None
    changes: tuple[FieldChange, ...] = ()
    source: str = ""
    reason: str = ""
    request_id: str = ""
    who: str = "marketo"
    losers: tuple[str, ...] = ()

    @property
    def is_creation(self) -> bool:
        """New Lead."""
        return self.type_id == NEW_LEAD

    @property
    def is_deletion(self) -> bool:
        """Delete Lead."""
        return self.type_id == DELETE_LEAD

    @property
    def is_merge(self) -> bool:
        """Merge Leads."""
        return self.type_id == MERGE_LEADS


def entry_of(activity: Mapping[str, Any]) -> FeedEntry:
    """An activity as it stands on a page."""
    told = {str(each.get("name")): each.get("value") for each in activity.get("attributes") or ()}
    return FeedEntry(
        guid=str(activity.get("marketoGUID") or activity["id"]),
        lead_id=str(activity["leadId"]),
        type_id=int(activity["activityTypeId"]),
        time=time_of(activity.get("activityDate")),
        changes=tuple(
            FieldChange(str(each["name"]), value_of(each.get("newValue")), value_of(each.get("oldValue")))
            for each in activity.get("fields") or ()
        ),
        source=_text(told.get("Source")),
        reason=_text(told.get("Reason")),
        request_id=_text(told.get("Request Id")),
        who=next((text for name in SOURCES if (text := _text(told.get(name)))), "marketo"),
        losers=tuple(_IDS.findall(_text(told.get("Merge IDs"), characters_max=4_000))),
    )


def time_of(text: Any) -> str | None:
    """RFC 3339: Marketo also writes zones without a colon. None for what is no time."""
    if not isinstance(text, str):
        return None
    time = _ZONE_WITHOUT_COLON.sub(r"\1:\2", text)
    return time if _TIME.fullmatch(time) else None


def value_of(value: Any) -> Value:
    """A value as a change can carry it."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    return msgspec.json.encode(value).decode()


def _text(value: Any, characters_max: int = NAME_CHARACTERS_MAX) -> str:
    return "" if value is None else str(value)[:characters_max]
