"""`leadsync setup` in Marketo: finds our fields and the activity type, and makes them ("Leads", "Activities" of the REST API guide).

A field that was made cannot be deleted again, only hidden: hence the question before. An activity type is made as a draft,
gets its attributes, and is approved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from streams.connectors.marketo.calls import Request
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.names import ACTIVITY_ATTRIBUTES, ACTIVITY_PRIMARY
from streams.connectors.our_fields import MARKETO_KEY, MARKETO_REVISION, SYNC_ACTIVITY
from streams.connectors.rest import Refused
from streams.instances.reading_metadata import read_person
from streams.instances.setup_plan import MARKETO_TYPES, ActivityType, Item, activity_type_of, marketo_items

FIELDS: Mapping[str, tuple[str, str]] = {
    MARKETO_KEY: ("Leadsync Key", "Names the person for leadsync, which syncs with Dynamics. Do not edit."),
    MARKETO_REVISION: ("Leadsync Revision", "Number of the last update by leadsync. Do not edit."),
}
"""Name -> display name, description."""

ACTIVITY_TYPE: Mapping[str, Any] = {
    "apiName": SYNC_ACTIVITY,
    "name": "Sync to Dynamics",
    "description": "What became of syncing this person with Dynamics, as leadsync found it.",
    "triggerName": "Has Sync to Dynamics Logged",
    "filterName": "Had Sync to Dynamics Logged",
    "primaryAttribute": {
        "apiName": ACTIVITY_PRIMARY,
        "name": ACTIVITY_PRIMARY.capitalize(),
        "description": "What happened",
        "dataType": "string",
    },
}
LONG_ATTRIBUTES = ("message",)


async def find_in_marketo(client: MarketoClient) -> tuple[list[Item], ActivityType | None]:
    """What is wanted and how it stands, and the activity type as it is. Raises CallFailed."""
    activity = await _activity_type(client)
    return marketo_items(await read_person(client), activity), activity


async def make_in_marketo(client: MarketoClient, item: Item, activity: ActivityType | None) -> None:
    """Make what is missing. Raises CallFailed."""
    if item.name != SYNC_ACTIVITY:
        await _make_field(client, item.name)
        return
    if activity is None:
        await client.create_custom_activity_type(ACTIVITY_TYPE)
    missing = ACTIVITY_ATTRIBUTES if activity is None else activity.missing
    if missing:
        await client.create_custom_activity_attributes(SYNC_ACTIVITY, [_attribute(name) for name in missing])
    await client.approve_custom_activity_type(SYNC_ACTIVITY)


async def _activity_type(client: MarketoClient) -> ActivityType | None:
    """The draft where there is one: what it lacks is what has to be added."""
    types = await client.custom_activity_types()
    listed = next((each for each in types if each.get("apiName") == SYNC_ACTIVITY), None)
    if listed is None:
        return None
    has_draft = "draft" in str(listed.get("status", "")).lower()
    path = f"/rest/v1/activities/external/type/{SYNC_ACTIVITY}/describe.json"
    query = {"draft": "true"} if has_draft else None
    found = await client.calls.json(Request("GET", path, "activities/external/describe", query))
    described = found.get("result") or [{}]
    return activity_type_of({**listed, **described[0], "status": listed.get("status", "")})


async def _make_field(client: MarketoClient, name: str) -> None:
    display_name, description = FIELDS[name]
    body = {"name": name, "displayName": display_name, "dataType": MARKETO_TYPES[name], "description": description}
    for result in await client.create_schema_fields([body]):
        if result.get("status") != "created":
            reason = (result.get("reasons") or [{}])[0]
            raise Refused(str(reason.get("code", "unknown")), str(reason.get("message", "the field was not made")))


def _attribute(name: str) -> dict[str, str]:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    data_type = "text" if name in LONG_ATTRIBUTES else "string"
    return {"apiName": name, "name": words[:1].upper() + words[1:].lower(), "dataType": data_type}
