"""What describe and the schema endpoints show, and making fields."""

from __future__ import annotations

from typing import Any

from streams.policy import default_policy
from streams.simulators.marketo.limits import Limits
from tests.simulators.marketo.served import served

FIELDS = "/rest/v1/leads/schema/fields.json"
OURS = [
    {"displayName": "leadsync Key", "name": "leadsyncKey", "dataType": "string", "description": "Whose it is"},
    {"displayName": "leadsync Revision", "name": "leadsyncRevision", "dataType": "integer"},
]


async def test_describe_shows_every_field_that_the_policy_maps() -> None:
    """With its type, its length and whether it can be written."""
    async with served(with_our_fields=False) as stage:
        fields = {
            each["rest"]["name"]: each for each in (await stage.user.get("/rest/v1/leads/describe.json"))["result"]
        }
        assert set(default_policy().inbound["person"]) <= set(fields) and "leadsyncKey" not in fields
        assert (fields["jobTitle"]["dataType"], fields["jobTitle"]["length"]) == ("string", 255)
        assert (fields["mktoPersonNotes"]["dataType"], fields["mktoPersonNotes"]["length"]) == ("text", 30_000)
        types = {name: fields[name]["dataType"] for name in ("email", "phone", "unsubscribed", "annualRevenue")}
        assert types == {"email": "email", "phone": "phone", "unsubscribed": "boolean", "annualRevenue": "currency"}
        assert fields["microsoftCreatedDate"]["dataType"] == "datetime"
        read_only = {name for name, each in fields.items() if each["rest"]["readOnly"]}
        assert read_only == {"id", "createdAt", "updatedAt"}
        assert len({each["id"] for each in fields.values()}) == len(fields)


async def test_describe_2_names_the_searchable_fields() -> None:
    """Custom fields of some types, and a few standard ones."""
    async with served() as stage:
        (described,) = (await stage.user.get("/rest/v1/leads/describe2.json"))["result"]
        searchable = {name for (name,) in described["searchableFields"]}
        assert {"id", "email", "leadsyncKey", "leadsyncRevision", "microsoftType"} <= searchable
        assert not searchable & {"firstName", "doNotEmail", "microsoftCreatedDate"}
        assert described["name"] == "API Lead" and described["fields"][0]["updateable"] is False


async def test_our_fields_are_made_and_can_then_be_written_and_searched() -> None:
    """As `leadsync setup` does."""
    async with served(with_our_fields=False) as stage:
        record: dict[str, Any] = {"leadsyncKey": "p-1#1", "leadsyncRevision": 1, "lastName": "Lovelace"}
        (result,) = await stage.connector.sync("createOnly", "email", {**record, "email": "a@x.example"})
        assert result["reasons"][0] == {"code": "1006", "message": "Field 'leadsyncKey' not found"}
        made = (await stage.connector.post(FIELDS, {"input": OURS}))["result"]
        assert made == [{"name": each["name"], "status": "created"} for each in OURS]
        assert (await stage.connector.sync("createOnly", "leadsyncKey", record))[0]["status"] == "created"
        field = (await stage.user.get("/rest/v1/leads/schema/fields/leadsyncKey.json"))["result"][0]
        assert field["isCustom"] and field["isApiCreated"] and field["description"] == "Whose it is"
        assert (field["dataType"], field["length"], field["isHidden"]) == ("string", 255, False)


async def test_a_field_that_can_not_be_made_is_passed_over() -> None:
    """And the others are made."""
    async with served(limits=Limits(created_fields=3)) as stage:
        asked = [
            {"displayName": "leadsync Key", "name": "leadsyncKey", "dataType": "string"},
            {"displayName": "Number", "name": "9lives", "dataType": "string"},
            {"displayName": "Colour", "name": "colour", "dataType": "rainbow"},
            {"displayName": "Size", "name": "size"},
            {"displayName": "One", "name": "one", "dataType": "string"},
            {"displayName": "Two", "name": "two", "dataType": "boolean"},
            {"displayName": "Two", "name": "three", "dataType": "boolean"},
            {"displayName": "Four", "name": "four", "dataType": "date"},
            {"displayName": "Five", "name": "five", "dataType": "date"},
        ]
        results = (await stage.user.post(FIELDS, {"input": asked}))["result"]
        codes = [each["reasons"][0]["code"] if "reasons" in each else each["status"] for each in results]
        assert codes == ["1017", "1003", "1001", "1002", "created", "created", "1017", "created", "1028"]


async def test_what_is_said_about_a_field_can_be_changed() -> None:
    """Of a custom one more than of a standard one, and never its type."""
    async with served() as stage:
        path = "/rest/v1/leads/schema/fields/{}.json"
        asked = {"input": [{"displayName": "The Topic", "isSensitive": True}]}
        assert (await stage.user.post(path.format("topic"), asked))["result"] == [
            {"name": "topic", "status": "updated"}
        ]
        field = (await stage.user.get(path.format("topic")))["result"][0]
        assert (field["displayName"], field["isSensitive"], field["isCustom"]) == ("The Topic", True, True)
        for name, change in (("email", {"displayName": "Mail"}), ("topic", {"dataType": "date"}), ("nope", {})):
            (result,) = (await stage.user.post(path.format(name), {"input": [change]}))["result"]
            assert result["status"] == "skipped"
        assert await stage.user.code("GET", path.format("nope")) == "1006"


async def test_fields_come_in_pages() -> None:
    """The last one has no token."""
    async with served() as stage:
        names, page = [], await stage.user.get(FIELDS, batchSize=20)
        while True:
            names += [each["name"] for each in page["result"]]
            if not page["moreResult"]:
                break
            page = await stage.user.get(FIELDS, batchSize=20, nextPageToken=page["nextPageToken"])
        assert names == [field.name for field in stage.instance.catalog.all()] and "nextPageToken" not in page


async def test_there_is_one_partition() -> None:
    """The one that writes may name."""
    async with served() as stage:
        (partition,) = (await stage.user.get("/rest/v1/leads/partitions.json"))["result"]
        body = {"partitionName": partition["name"], "input": [{"email": "ada@x.example"}]}
        assert (await stage.user.post("/rest/v1/leads.json", body))["result"][0]["status"] == "created"
