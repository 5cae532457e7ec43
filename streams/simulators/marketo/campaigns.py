"""The endpoints of campaigns. There are two, which sync persons: one is triggered for people, one runs for everybody who
is not in Dynamics yet. The program's tokens `{{my.syncAs}}` and `{{my.assignTo}}` say how.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.vocabulary import RecordType
from streams.simulators.marketo.asked import CAMPAIGN_NAMES, CAMPAIGNS
from streams.simulators.marketo.call import Answer, Call, moment_of
from streams.simulators.marketo.coercion import in_seconds
from streams.simulators.marketo.envelope import Json, Refused
from streams.simulators.marketo.schedule import Run

TWO_YEARS_SECONDS = 2 * 365 * 86_400
TYPES: Mapping[str, RecordType] = {"lead": "lead", "contact": "contact"}


async def get_campaigns(call: Call) -> Answer:
    """GET /rest/v1/campaigns.json"""
    ids = call.ids("id", call.limits.records)
    names = call.names("name")
    found = [_campaign(campaign_id) for campaign_id in CAMPAIGNS if not ids or campaign_id in ids]
    return {"result": [each for each in found if not names or each["name"] in names]}


async def get_campaign(call: Call) -> Answer:
    """GET /rest/v1/campaigns/{id}.json"""
    return {"result": [_campaign(_id(call))]}


async def trigger_campaign(call: Call) -> Answer:
    """POST /rest/v1/campaigns/{id}/trigger.json: up to a hundred people."""
    campaign_id, asked = _id(call), await _input(call)
    if CAMPAIGNS[campaign_id] != "trigger":
        raise Refused("1003", "Invalid data: a batch campaign can't be requested")
    leads = asked.get("leads")
    if not isinstance(leads, list) or not leads:
        raise Refused("701", "leads cannot be blank")
    if len(leads) > call.limits.requested_leads:
        raise Refused("1003", f"Too many leads: {call.limits.requested_leads} at most")
    ids = [str(lead.get("id")) if isinstance(lead, dict) else "" for lead in leads]
    for lead_id in ids:
        if call.instance.living(lead_id) is None:
            raise Refused("1004", f"Lead '{lead_id}' not found")
    sync_as, owner = _how(asked)
    call.instance.request_sync_all(ids, call.user, call.now, "trigger", sync_as, owner)
    return {"result": [{"id": campaign_id}]}


async def schedule_campaign(call: Call) -> Answer:
    """POST /rest/v1/campaigns/{id}/schedule.json: it runs in five minutes at the earliest."""
    campaign_id = _id(call)
    asked = await _input(call) if call.request.content_length else {}
    if CAMPAIGNS[campaign_id] != "batch":
        raise Refused("1003", "Invalid data: a trigger campaign can't be scheduled")
    earliest = call.now + call.limits.campaign_wait_seconds
    run_at = moment_of(str(asked["runAt"]), "runAt") if asked.get("runAt") else earliest
    if run_at > call.now + TWO_YEARS_SECONDS:
        raise Refused("1042", "Invalid runAt date: more than two years from now")
    sync_as, owner = _how(asked)
    call.instance.schedule.add(Run(max(run_at, earliest), call.user, sync_as, owner))
    return {"result": [{"id": campaign_id}]}


def _campaign(campaign_id: int) -> Json:
    return {
        "id": campaign_id,
        "name": CAMPAIGN_NAMES[campaign_id],
        "type": CAMPAIGNS[campaign_id],
        "programName": "leadsync",
        "workspaceName": "Default",
        "createdAt": in_seconds(0),
        "updatedAt": in_seconds(0),
        "active": CAMPAIGNS[campaign_id] == "trigger",
    }


def _id(call: Call) -> int:
    text = call.path_id()
    if not text.isdigit() or int(text) not in CAMPAIGNS:
        raise Refused("1013", f"Object not found: campaign '{text}'")
    return int(text)


async def _input(call: Call) -> Json:
    asked = (await call.body()).get("input", {})
    if not isinstance(asked, dict):
        raise Refused("1003", "Invalid data: input is an object")
    return asked


def _how(asked: Mapping[str, Any]) -> tuple[RecordType, str | None]:
    """Sync As and Assign To of the tokens."""
    tokens = {str(each.get("name")): each.get("value") for each in asked.get("tokens", []) if isinstance(each, dict)}
    sync_as = TYPES.get(str(tokens.get("{{my.syncAs}}") or "lead").lower())
    if sync_as is None:
        raise Refused("1003", "Invalid data: {{my.syncAs}} is lead or contact")
    owner = tokens.get("{{my.assignTo}}")
    return sync_as, str(owner) if owner else None
