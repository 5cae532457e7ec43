"""The endpoints of activity types and of custom activities, which are written once and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from streams.simulators.marketo.activity_types import CustomType
from streams.simulators.marketo.call import Answer, Call
from streams.simulators.marketo.coercion import moment
from streams.simulators.marketo.envelope import Json, Refused, Skipped


async def get_types(call: Call) -> Answer:
    """GET /rest/v1/activities/types.json"""
    return {"result": call.instance.activity_types.all()}


async def get_custom_types(call: Call) -> Answer:
    """GET /rest/v1/activities/external/types.json"""
    return {"result": [each.shown(attributes=False) for each in call.instance.activity_types.custom.values()]}


async def describe_custom_type(call: Call) -> Answer:
    """GET /rest/v1/activities/external/type/{apiName}/describe.json"""
    found = call.instance.activity_types.get(call.path_id())
    return {"result": [found.shown(draft=call.params.get("draft", "").lower() == "true")]}


async def create_custom_type(call: Call) -> Answer:
    """POST /rest/v1/activities/external/type.json"""
    asked = await call.body()
    made = call.instance.activity_types.create(asked, call.limits.custom_activity_types, call.now)
    return {"result": [made.shown(draft=True)]}


async def update_custom_type(call: Call) -> Answer:
    """POST /rest/v1/activities/external/type/{apiName}.json"""
    changed = call.instance.activity_types.update(call.path_id(), await call.body(), call.now)
    return {"result": [changed.shown(draft=True)]}


async def approve_custom_type(call: Call) -> Answer:
    """POST /rest/v1/activities/external/type/{apiName}/approve.json"""
    return {"result": [call.instance.activity_types.approve(call.path_id(), call.now).shown()]}


async def discard_draft(call: Call) -> Answer:
    """POST /rest/v1/activities/external/type/{apiName}/discardDraft.json"""
    call.instance.activity_types.discard(call.path_id())
    return {"result": [call.instance.activity_types.get(call.path_id()).shown()]}


async def delete_custom_type(call: Call) -> Answer:
    """POST /rest/v1/activities/external/type/{apiName}/delete.json"""
    call.instance.activity_types.delete(call.path_id())
    return {"result": []}


async def create_attributes(call: Call) -> Answer:
    """POST /rest/v1/activities/external/type/{apiName}/attributes/create.json"""
    return await _attributes(call, "create")


async def update_attributes(call: Call) -> Answer:
    """POST /rest/v1/activities/external/type/{apiName}/attributes/update.json"""
    return await _attributes(call, "update")


async def delete_attributes(call: Call) -> Answer:
    """POST /rest/v1/activities/external/type/{apiName}/attributes/delete.json"""
    return await _attributes(call, "delete")


async def add_custom_activities(call: Call) -> Answer:
    """POST /rest/v1/activities/external.json"""
    _, asked = await call.inputs(call.limits.records)
    return {"result": [_added(call, each) for each in asked]}


async def _attributes(call: Call, how: str) -> Answer:
    asked = (await call.body()).get("attributes")
    if not isinstance(asked, list) or not all(isinstance(each, dict) for each in asked):
        raise Refused("701", "attributes cannot be blank")
    changed = call.instance.activity_types.change_attributes(
        call.path_id(), how, asked, call.limits.custom_attributes, call.now
    )
    return {"result": [changed.shown(draft=True)]}


def _added(call: Call, asked: Any) -> Json:
    try:
        if not isinstance(asked, dict):
            raise Skipped("1003", "Invalid data: an activity is an object")
        return _logged(call, asked)
    except Skipped as skipped:
        return skipped.as_result("errors")


def _logged(call: Call, asked: Mapping[str, Any]) -> Json:
    for member in ("leadId", "activityDate", "activityTypeId", "primaryAttributeValue"):
        if asked.get(member) in (None, ""):
            raise Skipped("1002", f"Missing value for the required parameter '{member}'")
    custom = call.instance.activity_types.approved(asked["activityTypeId"])
    if custom is None:
        raise Skipped("1013", f"Object not found: activity type '{asked['activityTypeId']}'")
    if call.instance.living(str(asked["leadId"])) is None:
        raise Skipped("1004", "Lead not found")
    happened = moment(str(asked["activityDate"]))
    if happened is None:
        raise Skipped("1001", f"Invalid value '{asked['activityDate']}'. Required of type 'datetime'")
    attributes = asked.get("attributes") or []
    if len(orjson.dumps(attributes)) > call.limits.attribute_bytes:
        raise Skipped("1049", "Failed to Create Activity: attributes array too long")
    said = _attribute_values(custom, attributes)
    call.stumble(said.values())
    added = call.instance.note_activity(
        custom.id, int(asked["leadId"]), str(asked["primaryAttributeValue"]), said, happened.timestamp()
    )
    return {"id": added.id, "marketoGUID": str(added.id), "status": "added"}


def _attribute_values(custom: CustomType, attributes: Any) -> dict[str, object]:
    """By name, whether they were given by name or by apiName. Raises Skipped."""
    known = {each["apiName"]: each["name"] for each in (custom.live or {}).get("attributes", [])}
    said: dict[str, object] = {}
    for each in attributes if isinstance(attributes, list) else []:
        asked = each if isinstance(each, dict) else {}
        given = asked.get("apiName") or asked.get("name")
        name = known.get(str(given), given if given in known.values() else None)
        if name is None:
            raise Skipped("1006", f"Field '{given}' not found")
        said[str(name)] = asked.get("value")
    return said
