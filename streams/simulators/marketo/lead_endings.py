"""Deleting people and merging them."""

from __future__ import annotations

from typing import Any

from streams.demo.record import HeldRecord
from streams.simulators.marketo.call import Answer, Call
from streams.simulators.marketo.envelope import Json, Refused, Skipped


async def delete_leads(call: Call) -> Answer:
    """POST|DELETE /rest/v1/leads/delete.json, DELETE /rest/v1/leads.json: ids in the body, or `id` in the query."""
    if "id" in call.params:
        asked: list[Any] = [{"id": record_id} for record_id in call.ids("id", call.limits.records)]
    else:
        _, asked = await call.inputs(call.limits.records)
    with call.instance.origin(call.origin("deleteLead")):
        return {"result": [_deleted(call, record) for record in asked]}


async def merge_leads(call: Call) -> Answer:
    """POST /rest/v1/leads/{id}/merge.json?leadId= or ?leadIds=: the one in the path wins."""
    if len(call.names("leadIds")) > call.limits.merged_leads:
        raise Refused("1080", f"Too many leads to merge: {call.limits.merged_leads} at most")
    asked = dict.fromkeys([*call.ids("leadIds", call.limits.merged_leads), *call.ids("leadId", 1)])
    if not asked:
        raise Refused("701", "leadId cannot be blank")
    winner, losers = _living(call, call.path_id()), [_living(call, str(lead_id)) for lead_id in asked]
    if winner in losers:
        raise Refused("1003", "Invalid data: a lead can't be merged into itself")
    with call.instance.origin(call.origin("mergeLead")):
        call.instance.merge_all(winner, losers, call.user, call.now)
    return {}


def _deleted(call: Call, record: Any) -> Json:
    record_id = record.get("id") if isinstance(record, dict) else None
    if record_id is None:
        return Skipped("1002", "Missing value for the required parameter 'id'").as_result()
    if call.instance.living(str(record_id)) is None:
        return Skipped("1004", "Lead not found").as_result(id=record_id)
    call.instance.delete(str(record_id), call.user, call.now)
    return {"id": int(record_id), "status": "deleted"}


def _living(call: Call, record_id: str) -> HeldRecord:
    held = call.instance.living(record_id)
    if held is None:
        raise Refused("1004", f"Lead '{record_id}' not found")
    return held
