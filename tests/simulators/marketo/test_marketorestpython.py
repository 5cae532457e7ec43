"""A client that somebody else wrote for the real thing, unchanged: its host is an attribute, and all it is told."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulators.marketo.served import CONNECTOR, LONG_AGO, Served, served

marketorestpython = pytest.importorskip("marketorestpython.client")

NAMES = ["email", "firstName", "leadScore"]


@pytest.fixture
async def stage() -> AsyncIterator[Served]:
    async with served() as stage:
        yield stage


@pytest.fixture
def client(stage: Served) -> Any:
    client = marketorestpython.MarketoClient("123-ABC-456", CONNECTOR.client_id, CONNECTOR.client_secret)
    client.host = stage.url
    return client


async def execute(client: Any, method: str, **arguments: Any) -> Any:
    """The client blocks, so that it works in a thread of its own."""
    return await asyncio.to_thread(client.execute, method=method, **arguments)


async def create(client: Any, count: int) -> list[int]:
    people = [{"email": f"p{number}@x.example", "firstName": f"P{number}"} for number in range(count)]
    made = await execute(client, "create_update_leads", leads=people, action="createOnly", lookupField="email")
    assert [each["status"] for each in made] == ["created"] * count
    return [each["id"] for each in made]


async def test_people_are_made_changed_and_read(client: Any) -> None:
    """One by one and many at once, which it asks for by POST."""
    ids = await create(client, 3)
    change = [{"id": ids[0], "leadScore": 7}, {"id": 7, "leadScore": 1}]
    updated, unknown = await execute(client, "create_update_leads", leads=change, action="updateOnly", lookupField="id")
    assert updated == {"id": ids[0], "status": "updated"} and unknown["reasons"][0]["code"] == "1004"
    (one,) = await execute(client, "get_lead_by_id", id=ids[0], fields=",".join(NAMES))
    assert one == {"id": ids[0], "email": "p0@x.example", "firstName": "P0", "leadScore": 7}
    found = await execute(
        client,
        "get_multiple_leads_by_filter_type",
        filterType="id",
        filterValues=[str(lead_id) for lead_id in ids],
        fields=",".join(NAMES),
        batchSize=2,
    )
    assert [each["id"] for each in found] == ids


async def test_changes_are_followed_page_by_page(client: Any, stage: Served) -> None:
    """By position, to the end."""
    ids = await create(client, 5)
    for lead_id in ids:
        stage.instance.edit(str(lead_id), "grace", {"jobTitle": "CTO"}, stage.clock.now)
    changes = await execute(client, "get_lead_changes", fields=["jobTitle"], sinceDatetime=LONG_AGO, batchSize=3)
    assert [(each["activityTypeId"], each["leadId"]) for each in changes] == [
        *((12, lead_id) for lead_id in ids),
        *((13, lead_id) for lead_id in ids),
    ]
    merges = await execute(client, "get_lead_activities", activityTypeIds=["12", "32"], sinceDatetime=LONG_AGO)
    assert [each["activityTypeId"] for each in merges] == [12] * 5


async def test_people_are_deleted_and_merged(client: Any) -> None:
    """Deletions show in their feed."""
    first, second, third = await create(client, 3)
    assert await execute(client, "merge_lead", id=first, leadIds=[second])
    (deleted,) = await execute(client, "delete_lead", id=[third])
    assert deleted == {"id": third, "status": "deleted"}
    gone = await execute(client, "get_deleted_leads", sinceDatetime=LONG_AGO)
    assert [(each["leadId"], each["primaryAttributeValue"]) for each in gone] == [(third, "P2")]


async def test_fields_types_and_usage_are_told(client: Any) -> None:
    """As far as it knows them."""
    described = await execute(client, "describe")
    assert "leadsyncKey" in [each["rest"]["name"] for each in described]
    ((described_2),) = await execute(client, "describe2")
    assert ["email"] in described_2["searchableFields"]
    assert [each["name"] for each in await execute(client, "get_activity_types")][:2] == [
        "New Lead",
        "Change Data Value",
    ]
    (usage,) = await execute(client, "get_daily_usage")
    assert usage["total"] == 4 and usage["users"][0]["userId"] == CONNECTOR.user
    assert len(await execute(client, "get_last_7_days_usage")) == 7
    assert (await execute(client, "get_daily_errors"))[0]["total"] == 0


async def test_everybody_is_extracted_in_bulk(client: Any, stage: Served) -> None:
    """A job is made, enqueued, asked after and fetched."""
    ids = await create(client, 4)
    span = {"createdAt": {"startAt": "2026-09-01T00:00:00Z", "endAt": "2026-09-30T00:00:00Z"}}
    (job,) = await asyncio.to_thread(client.create_leads_export_job, fields=["id", *NAMES], filters=span)
    job_id = job["exportId"]
    await asyncio.to_thread(client.enqueue_leads_export_job, job_id)
    states = []
    for _ in range(3):
        (job,) = await asyncio.to_thread(client.get_leads_export_job_status, job_id)
        states.append(job["status"])
        stage.clock.now += 60
    assert states == ["Queued", "Processing", "Completed"]
    content = await asyncio.to_thread(client.get_leads_export_job_file, job_id)
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert [int(row["id"]) for row in rows] == ids and rows[0]["leadScore"] == "null"
    assert len(await asyncio.to_thread(client.get_leads_export_jobs_list)) == 1


async def test_custom_activities_are_added_and_campaigns_asked_for(client: Any, stage: Served) -> None:
    """Errors of the whole call are its exceptions."""
    (lead_id,) = await create(client, 1)
    activity = {
        "leadId": lead_id,
        "activityDate": "2026-09-01T09:20:00Z",
        "activityTypeId": 100001,
        "primaryAttributeValue": "x",
        "attributes": [],
    }
    (added,) = await execute(client, "add_custom_activities", input=[activity])
    assert added["errors"][0]["code"] == "1013"
    assert await execute(client, "request_campaign", id=1021, leads=[lead_id], tokens={"my.syncAs": "contact"})
    assert await execute(client, "schedule_campaign", id=1022)
    assert len(stage.instance.undelivered) == 1 and len(stage.instance.schedule) == 1
    with pytest.raises(Exception, match="1004"):
        await execute(client, "get_lead_by_id", id=7)
