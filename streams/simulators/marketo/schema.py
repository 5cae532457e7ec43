"""What fields a person has, and making new ones."""

from __future__ import annotations

from streams.simulators.marketo import tokens
from streams.simulators.marketo.call import Answer, Call
from streams.simulators.marketo.envelope import Json, Refused, Skipped


async def describe(call: Call) -> Answer:
    """GET /rest/v1/leads/describe.json"""
    return {"result": [field.described() for field in call.instance.catalog.all()]}


async def describe_2(call: Call) -> Answer:
    """GET /rest/v1/leads/describe2.json"""
    fields = call.instance.catalog.all()
    searchable = [[field.name] for field in fields if field.searchable]
    described = [field.described_2() for field in fields]
    return {"result": [{"name": "API Lead", "searchableFields": searchable, "fields": described}]}


async def get_partitions(call: Call) -> Answer:
    """GET /rest/v1/leads/partitions.json: there is one."""
    return {"result": [{"id": 1, "name": "Default", "description": "Initial system lead partition"}]}


async def get_fields(call: Call) -> Answer:
    """GET /rest/v1/leads/schema/fields.json"""
    fields, size = call.instance.catalog.all(), call.batch_size()
    token = call.params.get("nextPageToken")
    first = int(tokens.read(token, "after").at) if token else 0
    page = [field.schema() for field in fields[first : first + size]]
    if first + size >= len(fields):
        return {"result": page, "moreResult": False}
    return {"result": page, "moreResult": True, "nextPageToken": tokens.written("after", first + size)}


async def get_field(call: Call) -> Answer:
    """GET /rest/v1/leads/schema/fields/{name}.json"""
    field = call.instance.catalog.get(call.path_id())
    if field is None:
        raise Refused("1006", f"Field '{call.path_id()}' not found")
    return {"result": [field.schema()]}


async def create_fields(call: Call) -> Answer:
    """POST /rest/v1/leads/schema/fields.json"""
    _, asked = await call.inputs(call.limits.records)
    return {"result": [_created(call, each) for each in asked]}


async def update_field(call: Call) -> Answer:
    """POST /rest/v1/leads/schema/fields/{name}.json"""
    _, asked = await call.inputs(1)
    name = call.path_id()
    try:
        call.instance.catalog.update(name, asked[0])
    except Skipped as skipped:
        return {"result": [skipped.as_result(name=name)]}
    return {"result": [{"name": name, "status": "updated"}]}


def _created(call: Call, asked: object) -> Json:
    if not isinstance(asked, dict):
        return Skipped("1003", "Invalid data: a field is an object").as_result()
    try:
        call.instance.catalog.create(asked, call.limits.created_fields)
    except Skipped as skipped:
        return skipped.as_result(name=asked.get("name"))
    return {"name": asked["name"], "status": "created"}
