"""The activity feed: paging tokens, lead changes, activities, deleted leads.

A token is a position in the log, so that a page costs what it shows. Every page gives a token; an empty page may still say
that there is more, and a page may repeat the last activity of the one before: both are faults that can be switched on.
"""

from __future__ import annotations

from collections.abc import Callable

from streams.simulators.marketo import tokens
from streams.simulators.marketo.activities import (
    CHANGE_DATA_VALUE,
    DELETE_LEAD,
    NEW_LEAD,
    Activity,
    Page,
    Query,
)
from streams.simulators.marketo.call import Answer, Call, moment_of
from streams.simulators.marketo.coercion import in_seconds
from streams.simulators.marketo.envelope import Json, Refused

LEAD_CHANGE_TYPES = frozenset({NEW_LEAD, CHANGE_DATA_VALUE})


async def get_paging_token(call: Call) -> Answer:
    """GET /rest/v1/activities/pagingtoken.json?sinceDatetime="""
    since = moment_of(call.required("sinceDatetime"), "sinceDatetime")
    if since >= call.now:
        return {"nextPageToken": tokens.written("since", since)}
    return {"nextPageToken": tokens.written("position", call.instance.log.after(since))}


async def get_lead_changes(call: Call) -> Answer:
    """GET /rest/v1/activities/leadchanges.json: New Lead, and Change Data Value of the `fields`."""
    names = call.names("fields")
    if not names:
        raise Refused("701", "fields cannot be blank")
    for name in names:
        if name not in call.instance.catalog:
            raise Refused("1006", f"Field '{name}' not found")
    return _page(call, Query(LEAD_CHANGE_TYPES, _leads(call), frozenset(names)), as_lead_change)


async def get_activities(call: Call) -> Answer:
    """GET /rest/v1/activities.json: up to ten types, of up to thirty people."""
    types = call.ids("activityTypeIds", call.limits.activity_types)
    if not types:
        raise Refused("701", "activityTypeIds cannot be blank")
    return _page(call, Query(frozenset(types), _leads(call)), as_activity)


async def get_deleted_leads(call: Call) -> Answer:
    """GET /rest/v1/activities/deletedleads.json"""
    return _page(call, Query(frozenset({DELETE_LEAD})), as_activity)


def as_lead_change(activity: Activity) -> Json:
    """As leadchanges.json shows it."""
    change = activity.change
    fields = [] if change is None else [
        {"id": change.field_id, "name": change.name, "newValue": change.new, "oldValue": change.old}
    ]  # fmt: skip
    return {**_head(activity), "fields": fields, "attributes": _attributes(activity)}


def as_activity(activity: Activity) -> Json:
    """As activities.json shows it."""
    shown = _head(activity)
    if activity.primary_id is not None:
        shown["primaryAttributeValueId"] = activity.primary_id
    if activity.primary is not None:
        shown["primaryAttributeValue"] = activity.primary
    values = [] if activity.change is None else [
        {"name": "New Value", "value": activity.change.new},
        {"name": "Old Value", "value": activity.change.old},
    ]  # fmt: skip
    return {**shown, "attributes": [*values, *_attributes(activity)]}


def _head(activity: Activity) -> Json:
    return {
        "id": activity.id,
        "marketoGUID": str(activity.id),
        "leadId": activity.lead_id,
        "activityDate": in_seconds(activity.time if activity.happened is None else activity.happened),
        "activityTypeId": activity.type_id,
    }


def _attributes(activity: Activity) -> list[Json]:
    return [{"name": name, "value": value} for name, value in activity.attributes.items()]


def _leads(call: Call) -> frozenset[int] | None:
    """The people asked for; None for everybody. There are no static lists here, so that a list holds nobody."""
    if "listId" in call.params:
        return frozenset()
    return frozenset(call.ids("leadIds", call.limits.lead_ids)) if "leadIds" in call.params else None


def _page(call: Call, query: Query, shown: Callable[[Activity], Json]) -> Answer:
    token = tokens.read(call.required("nextPageToken"), "position", "rested", "since")
    end, log = call.instance.visible_end(call.now), call.instance.log
    if token.kind == "since":
        start = log.after(float(token.at))
        if start >= end:  # nothing after that time yet: the same token goes on
            return {"nextPageToken": tokens.written(*token), "moreResult": False, "result": []}
    else:
        start = int(token.at)
    if token.kind != "rested" and call.faults.strikes("empty_page"):
        return {"nextPageToken": tokens.written("rested", start), "moreResult": True, "result": []}
    page = log.page(query, start, end, call.batch_size())
    _note_drained(call, query, page)
    return {
        "nextPageToken": tokens.written("position", page.position),
        "moreResult": page.more,
        "result": [shown(activity) for activity in _perhaps_repeated(call, query, page, start)],
    }


def _note_drained(call: Call, query: Query, page: Page) -> None:
    if call.is_connector and query.leads is None and not page.activities and not page.more:
        call.instance.note_drained(query.types, page.position)


def _perhaps_repeated(call: Call, query: Query, page: Page, start: int) -> list[Activity]:
    repeated = call.instance.log.latest_before(query, start) if page.activities else None
    if repeated is not None and call.faults.strikes("repeated_activity"):
        return [repeated, *page.activities]
    return page.activities
