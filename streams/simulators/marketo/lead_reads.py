"""Reading people: one by id, or those whose field holds one of some values."""

from __future__ import annotations

from streams.demo.record import HeldRecord
from streams.simulators.marketo import tokens
from streams.simulators.marketo.call import Answer, Call
from streams.simulators.marketo.coercion import coerced
from streams.simulators.marketo.envelope import Json, Refused, Skipped
from streams.simulators.marketo.fields import FieldDefinition

SHOWN_ALWAYS = ("id", "email", "updatedAt", "createdAt", "firstName", "lastName")


async def get_lead(call: Call) -> Answer:
    """GET /rest/v1/lead/{id}.json"""
    held = call.instance.living(call.path_id())
    if held is None:
        raise Refused("1004", f"Lead '{call.path_id()}' not found")
    shown = {"result": [_row(call, held, _fields(call))]}
    _edit_between(call, [held])
    return shown


async def get_leads(call: Call) -> Answer:
    """GET /rest/v1/leads.json: at most `batchSize` people a page, by id; more than `limits.matches` are refused."""
    name, values = call.required("filterType"), call.names("filterValues")
    if not values:
        raise Refused("701", "filterValues cannot be blank")
    if len(values) > call.limits.filter_values:
        raise Refused("1003", f"Too many values in filterValues: {call.limits.filter_values} at most")
    fields, size = _fields(call), call.batch_size()
    matches = call.instance.lookup.find(name, _values(_searchable(call, name), values))
    if len(matches) > call.limits.matches:
        raise Refused("1003", "Too many results match the filter")
    matches = _after_token(call, matches)
    page = matches[:size]
    shown: Json = {"result": [_row(call, held, fields) for held in page]}
    if len(matches) > size:
        shown |= {"nextPageToken": tokens.written("after", page[-1].id), "moreResult": True}
    _edit_between(call, page)
    return shown


def _searchable(call: Call, name: str) -> FieldDefinition:
    field = call.instance.catalog.get(name)
    if field is None:
        raise Refused("1006", f"Field '{name}' not found")
    if not field.searchable:
        raise Refused("1011", f"Field '{name}' not supported")
    return field


def _values(field: FieldDefinition, values: list[str]) -> list[str]:
    """As the index spells them. Raises Refused (1001) for a word where a number is asked for."""
    if field.data_type != "integer":
        return values
    try:
        return [str(coerced(field, value)) for value in values]
    except Skipped as skipped:
        raise Refused(skipped.code, skipped.message) from None


def _after_token(call: Call, matches: list[HeldRecord]) -> list[HeldRecord]:
    text = call.params.get("nextPageToken")
    if not text:
        return matches
    after = tokens.read(text, "after").at
    return [held for held in matches if int(held.id) > int(after)]


def _fields(call: Call) -> list[str]:
    names = call.names("fields")
    for name in names:
        if name not in call.instance.catalog:
            raise Refused("1006", f"Field '{name}' not found")
    return names or list(SHOWN_ALWAYS)


def _row(call: Call, held: HeldRecord, fields: list[str]) -> Json:
    return {"id": int(held.id), **{name: call.instance.value_of(held, name) for name in fields}}


def _edit_between(call: Call, page: list[HeldRecord]) -> None:
    """Somebody may edit one of these people before the client writes."""
    if page and call.faults.strikes("edited_between"):
        call.instance.edit_between(page[0])
