"""Custom activity types with their drafts, and custom activities."""

from __future__ import annotations

from typing import Any

from streams.simulators.marketo.limits import Limits
from tests.simulators.marketo.served import Client, served

TYPE = "/rest/v1/activities/external/type"
EXTERNAL = "/rest/v1/activities/external.json"
FAILED: dict[str, Any] = {
    "apiName": "syncFailed",
    "name": "Sync to Dynamics failed",
    "triggerName": "Sync to Dynamics Fails",
    "filterName": "Sync to Dynamics Failed",
    "primaryAttribute": {"apiName": "about", "name": "About"},
}
CODE = {"apiName": "errorCode", "name": "Error Code", "dataType": "string"}


async def make_type(client: Client) -> int:
    """Sync failed, with one attribute, approved; its id."""
    await client.post(f"{TYPE}.json", FAILED)
    await client.post(f"{TYPE}/syncFailed/attributes/create.json", {"attributes": [CODE]})
    (approved,) = (await client.post(f"{TYPE}/syncFailed/approve.json"))["result"]
    return int(approved["id"])


def activity(type_id: int, lead_id: str, **more: Any) -> dict[str, Any]:
    return {
        "leadId": int(lead_id),
        "activityDate": "2026-09-01T11:20:00+02:00",
        "activityTypeId": type_id,
        "primaryAttributeValue": "jobtitle",
        "attributes": [{"apiName": "errorCode", "value": "0x80044331"}],
        **more,
    }


async def test_a_type_is_a_draft_until_it_is_approved() -> None:
    """Changes make a draft beside the live one."""
    async with served() as stage:
        (made,) = (await stage.user.post(f"{TYPE}.json", FAILED))["result"]
        assert made["status"] == "draft" and made["primaryAttribute"]["dataType"] == "string"
        await stage.user.post(f"{TYPE}/syncFailed/approve.json")
        (changed,) = (await stage.user.post(f"{TYPE}/syncFailed.json", {"description": "What failed"}))["result"]
        assert changed["status"] == "approved with draft"
        (live,) = (await stage.user.get(f"{TYPE}/syncFailed/describe.json"))["result"]
        (draft,) = (await stage.user.get(f"{TYPE}/syncFailed/describe.json", draft="true"))["result"]
        assert "description" not in live and draft["description"] == "What failed"
        await stage.user.post(f"{TYPE}/syncFailed/discardDraft.json")
        (listed,) = (await stage.user.get("/rest/v1/activities/external/types.json"))["result"]
        assert (listed["status"], listed["apiName"]) == ("approved", "syncFailed") and "primaryAttribute" not in listed
        assert await stage.user.code("POST", f"{TYPE}/syncFailed/approve.json") == "709"
        await stage.user.post(f"{TYPE}/syncFailed/delete.json")
        assert await stage.user.code("GET", f"{TYPE}/syncFailed/describe.json") == "1013"


async def test_attributes_are_created_changed_and_deleted_by_their_api_name() -> None:
    """Twenty at most."""
    async with served(limits=Limits(custom_attributes=2)) as stage:
        await stage.user.post(f"{TYPE}.json", FAILED)
        path = f"{TYPE}/syncFailed/attributes"
        field = {"apiName": "field", "name": "Field", "dataType": "string"}
        (shown,) = (await stage.user.post(f"{path}/create.json", {"attributes": [CODE, field]}))["result"]
        assert shown["attributes"] == [CODE, field]
        (shown,) = (
            await stage.user.post(f"{path}/update.json", {"attributes": [{"apiName": "field", "name": "Column"}]})
        )["result"]
        assert shown["attributes"][1] == {**field, "name": "Column"}
        more = {"attributes": [{"apiName": "more", "name": "More", "dataType": "text"}]}
        assert await stage.user.code("POST", f"{path}/create.json", more) == "1028"
        await stage.user.post(f"{path}/delete.json", {"attributes": [{"apiName": "field"}]})
        assert await stage.user.code("POST", f"{path}/update.json", {"attributes": [field]}) == "1013"
        assert await stage.user.code("POST", f"{path}/create.json", {"attributes": [CODE]}) == "1017"
        wrong = {"attributes": [{"apiName": "x", "name": "X", "dataType": "rainbow"}]}
        assert await stage.user.code("POST", f"{path}/create.json", wrong) == "1001"


async def test_a_type_that_can_not_be_made_is_refused() -> None:
    """There is room for ten."""
    async with served(limits=Limits(custom_activity_types=1)) as stage:
        assert await stage.user.code("POST", f"{TYPE}.json", {**FAILED, "triggerName": ""}) == "1002"
        assert await stage.user.code("POST", f"{TYPE}.json", {**FAILED, "apiName": "sync failed"}) == "1003"
        await stage.user.post(f"{TYPE}.json", FAILED)
        assert await stage.user.code("POST", f"{TYPE}.json", FAILED) == "1017"
        assert await stage.user.code("POST", f"{TYPE}.json", {**FAILED, "apiName": "x", "name": "X"}) == "1027"


async def test_activities_are_added_and_read_with_the_others() -> None:
    """Under the type's id, at the time that was given."""
    async with served() as stage:
        held, type_id = stage.person(), await make_type(stage.user)
        token = (await stage.user.changes(await stage.user.since(), "fax"))[1]["nextPageToken"]
        added, unknown = (
            await stage.user.post(EXTERNAL, {"input": [activity(type_id, held.id), activity(type_id, "7")]})
        )["result"]
        assert added["status"] == "added" and added["marketoGUID"] == str(added["id"])
        assert unknown == {"status": "skipped", "errors": [{"code": "1004", "message": "Lead not found"}]}
        (shown,) = (
            await stage.user.get("/rest/v1/activities.json", nextPageToken=token, activityTypeIds=str(type_id))
        )["result"]
        assert (shown["leadId"], shown["activityDate"]) == (int(held.id), "2026-09-01T09:20:00Z")
        assert shown["primaryAttributeValue"] == "jobtitle"
        assert shown["attributes"] == [{"name": "Error Code", "value": "0x80044331"}]


async def test_an_activity_that_can_not_be_added_is_passed_over() -> None:
    """Each with its code."""
    async with served() as stage:
        held, type_id = stage.person(), await make_type(stage.user)
        await stage.user.post(f"{TYPE}.json", {**FAILED, "apiName": "draft", "name": "Draft"})
        for more, code in (
            ({"activityTypeId": 13}, "1013"),
            ({"activityTypeId": type_id + 1}, "1013"),
            ({"primaryAttributeValue": None}, "1002"),
            ({"activityDate": "yesterday"}, "1001"),
            ({"attributes": [{"apiName": "nope", "value": "1"}]}, "1006"),
            ({"attributes": [{"apiName": "errorCode", "value": "x" * 65_536}]}, "1049"),
        ):
            answer = await stage.user.post(EXTERNAL, {"input": [activity(type_id, held.id, **more)]})
            assert answer["result"][0]["errors"][0]["code"] == code
        records = [activity(type_id, held.id)] * 301
        assert await stage.user.code("POST", EXTERNAL, {"input": records}) == "1003"


async def test_types_are_listed_with_the_custom_ones_that_are_live() -> None:
    """A draft is none yet."""
    async with served() as stage:
        await stage.user.post(f"{TYPE}.json", FAILED)
        path = "/rest/v1/activities/types.json"
        assert [each["id"] for each in (await stage.user.get(path))["result"]] == [12, 13, 32, 37, 110]
        await stage.user.post(f"{TYPE}/syncFailed/approve.json")
        last = (await stage.user.get(path))["result"][-1]
        assert (last["apiName"], last["primaryAttribute"]["name"]) == ("syncFailed", "About")


async def test_a_custom_activity_does_not_keep_the_connector_from_being_caught_up() -> None:
    """It writes them itself."""
    async with served() as stage:
        held, type_id = stage.person(), await make_type(stage.user)
        _, page = await stage.connector.changes(await stage.connector.since(), "fax")
        await stage.connector.changes(page["nextPageToken"], "fax")
        await stage.connector.post(EXTERNAL, {"input": [activity(type_id, held.id)]})
        assert stage.instance.is_caught_up()
