"""Reading and writing people over REST, as "Leads" of the developer guide says."""

from __future__ import annotations

from typing import Any

import pytest

from streams.simulators.marketo.limits import Limits
from tests.simulators.marketo.served import served

LEADS = "/rest/v1/leads.json"


async def test_a_person_is_read_by_id_with_the_fields_asked_for() -> None:
    """Six by default; an empty one is null; unknown ones refuse the call."""
    async with served() as stage:
        held = stage.person(email="ada@old.example", jobTitle="CTO")
        path = f"/rest/v1/lead/{held.id}.json"
        (person,) = (await stage.user.get(path))["result"]
        assert set(person) == {"id", "email", "updatedAt", "createdAt", "firstName", "lastName"}
        assert person["createdAt"].endswith("Z") and "." not in person["createdAt"]
        (person,) = (await stage.user.get(path, fields="jobTitle,fax"))["result"]
        assert person == {"id": int(held.id), "jobTitle": "CTO", "fax": None}
        assert await stage.user.code("GET", path, fields="nope") == "1006"
        assert await stage.user.code("GET", "/rest/v1/lead/7.json") == "1004"


@pytest.mark.parametrize(("name", "value"), [("email", "ADA@old.example"), ("leadsyncKey", "p-1#1")])
async def test_people_are_found_by_any_searchable_field(name: str, value: str) -> None:
    """Letter case does not count; a value that nobody holds finds nobody."""
    async with served() as stage:
        await stage.user.sync("createOnly", "email", {"email": "ada@old.example", "leadsyncKey": "p-1#1"})
        found = await stage.user.get(LEADS, filterType=name, filterValues=f"nobody@here.example,{value}")
        assert [person["email"] for person in found["result"]] == ["ada@old.example"]
        assert (await stage.user.get(LEADS, filterType=name, filterValues="x"))["result"] == []


async def test_an_index_follows_edits_and_deletions() -> None:
    """What a field held before finds nobody."""
    async with served() as stage:
        held = stage.person(email="one@x.example")
        assert len((await stage.user.get(LEADS, filterType="email", filterValues="one@x.example"))["result"]) == 1
        stage.instance.edit(held.id, "marketing", {"email": "two@x.example"}, stage.clock.now)
        assert (await stage.user.get(LEADS, filterType="email", filterValues="one@x.example"))["result"] == []
        assert len((await stage.user.get(LEADS, filterType="email", filterValues="two@x.example"))["result"]) == 1
        stage.instance.delete(held.id, "marketing", stage.clock.now)
        assert (await stage.user.get(LEADS, filterType="email", filterValues="two@x.example"))["result"] == []


async def test_a_filter_that_is_missing_unknown_or_not_searchable_is_refused() -> None:
    """Each with its code."""
    async with served() as stage:
        assert await stage.user.code("GET", LEADS, filterValues="1") == "701"
        assert await stage.user.code("GET", LEADS, filterType="id") == "701"
        assert await stage.user.code("GET", LEADS, filterType="nope", filterValues="1") == "1006"
        assert await stage.user.code("GET", LEADS, filterType="firstName", filterValues="Ada") == "1011"
        assert await stage.user.code("GET", LEADS, filterType="id", filterValues="Ada") == "1001"
        too_many = ",".join(str(number) for number in range(301))
        assert await stage.user.code("GET", LEADS, filterType="id", filterValues=too_many) == "1003"


async def test_matches_come_in_pages_and_too_many_are_refused() -> None:
    """The last page has no token."""
    async with served(limits=Limits(matches=5)) as stage:
        ids = [int(stage.person(company="Acme").id) for _ in range(5)]
        first = await stage.user.get(LEADS, filterType="company", filterValues="acme", batchSize=3)
        assert [person["id"] for person in first["result"]] == ids[:3] and first["moreResult"] is True
        token = first["nextPageToken"]
        last = await stage.user.get(LEADS, filterType="company", filterValues="acme", batchSize=3, nextPageToken=token)
        assert [person["id"] for person in last["result"]] == ids[3:] and "nextPageToken" not in last
        stage.person(company="Acme")
        assert await stage.user.code("GET", LEADS, filterType="company", filterValues="acme") == "1003"
        assert await stage.user.code("GET", LEADS, filterType="id", filterValues="1", nextPageToken="=") == "1003"


@pytest.mark.parametrize("in_query", [True, False])
async def test_a_long_query_goes_as_a_form_with_method_get(in_query: bool) -> None:
    """`_method=GET` in the query, as documented, or in the form, as clients send it."""
    async with served() as stage:
        ids = [stage.person().id for _ in range(300)]
        form = {"filterType": "id", "filterValues": ",".join(ids)}
        params = {"_method": "GET"} if in_query else {}
        _, _, body = await stage.user.response(
            "POST", LEADS, params=params, data=form | ({} if in_query else {"_method": "GET"})
        )
        assert body.count(b'"lastName"') == 300
        assert stage.instance.calls == {"GET /rest/v1/leads.json": 1}


async def test_results_come_in_input_order_one_bad_record_harms_no_other() -> None:
    """300 records, one of them bad."""
    async with served() as stage:
        records: list[dict[str, Any]] = [{"email": f"p{number}@x.example"} for number in range(300)]
        records[17] = {"email": "not an address"}
        results = await stage.user.sync("createOnly", "email", *records)
        assert [place for place, result in enumerate(results) if result["status"] == "skipped"] == [17]
        assert results[17]["reasons"][0]["code"] == "1003" and results[299]["id"] == results[0]["id"] + 298


@pytest.mark.parametrize(
    ("action", "lookup_field", "record", "expected"),
    [
        ("createOnly", "email", {"email": "ada@x.example"}, "1005"),
        ("createOnly", "leadsyncKey", {"leadsyncKey": "p-1#1"}, "1005"),
        ("createOnly", "leadsyncKey", {"leadsyncKey": "p-1#2"}, "created"),
        ("createOnly", "email", {"lastName": "X"}, "1002"),
        ("createOrUpdate", None, {"email": "ada@x.example", "jobTitle": "CTO"}, "updated"),
        ("createOrUpdate", None, {"email": "new@x.example"}, "created"),
        ("createOrUpdate", None, {"email": "twin@x.example"}, "1007"),
        ("createOrUpdate", None, {"id": 1_000_001, "email": "ada@x.example"}, "1003"),
        ("updateOnly", "email", {"email": "ADA@X.example", "jobTitle": "CTO"}, "updated"),
        ("updateOnly", "id", {"id": 1_000_001, "jobTitle": "CTO"}, "updated"),
        ("updateOnly", "id", {"id": 7, "jobTitle": "CTO"}, "1004"),
        ("updateOnly", "id", {"jobTitle": "CTO"}, "1002"),
        ("updateOnly", "email", {"email": "new@x.example"}, "1004"),
        ("createDuplicate", None, {"email": "ada@x.example"}, "created"),
        ("updateOnly", "id", {"id": 1_000_001, "nope": 1}, "1006"),
        ("updateOnly", "id", {"id": 1_000_001, "createdAt": "2026-01-01T00:00:00Z"}, "1003"),
        ("updateOnly", "id", {"id": 1_000_001, "leadScore": "many"}, "1001"),
        ("updateOnly", "id", {"id": 1_000_001, "leadScore": "12"}, "updated"),
        ("updateOnly", "id", {"id": 1_000_001, "unsubscribed": "perhaps"}, "1001"),
        ("updateOnly", "id", {"id": 1_000_001, "annualRevenue": True}, "1001"),
        ("updateOnly", "id", {"id": 1_000_001, "dateOfBirth": "yesterday"}, "1001"),
        ("updateOnly", "id", {"id": 1_000_001, "microsoftCreatedDate": "2026-13-01T00:00:00Z"}, "1001"),
        ("updateOnly", "id", {"id": 1_000_001, "jobTitle": ["CTO"]}, "1001"),
        ("updateOnly", "id", {"id": 1_000_001, "jobTitle": "x" * 256}, "1003"),
        ("updateOnly", "id", {"id": 1_000_001, "mktoPersonNotes": "é" * 15_001}, "1003"),
        ("updateOnly", "id", {"id": 1_000_001, "mktoPersonNotes": "é" * 15_000}, "updated"),
        ("updateOnly", "id", {"id": 1_000_001, "email": "adá@x.example"}, "1003"),
        ("updateOnly", "id", {"id": 1_000_001, "leadsyncKey": "no key of ours"}, "1003"),
    ],
)
async def test_each_action_by_each_key(
    action: str, lookup_field: str | None, record: dict[str, Any], expected: str
) -> None:
    """Ada is there with a key, and a pair of twins."""
    async with served() as stage:
        await stage.user.sync("createOnly", "email", {"email": "ada@x.example", "leadsyncKey": "p-1#1"})
        for _ in range(2):
            await stage.user.sync("createDuplicate", None, {"email": "twin@x.example"})
        (result,) = await stage.user.sync(action, lookup_field, record)
        said = result["reasons"][0]["code"] if result["status"] == "skipped" else result["status"]
        assert said == expected


async def test_a_call_that_makes_no_sense_is_refused_as_a_whole() -> None:
    """Nothing is written."""
    async with served() as stage:
        person = {"email": "ada@x.example"}
        for body, code in (
            ({"action": "replace", "input": [person]}, "1003"),
            ({"lookupField": "firstName", "input": [person]}, "1011"),
            ({"lookupField": "id", "input": [person]}, "1011"),
            ({"lookupField": "nope", "input": [person]}, "1006"),
            ({"partitionName": "Elsewhere", "input": [person]}, "1008"),
            ({"input": []}, "701"),
            ({"input": [person] * 301}, "1003"),
        ):
            assert await stage.user.code("POST", LEADS, body) == code
        assert stage.instance.records == {}


async def test_a_body_that_is_no_json_is_refused() -> None:
    """609 for what can't be read, 612 for another content type."""
    async with served() as stage:
        for body, content_type, code in ((b"{", "application/json", b'"609"'), (b"{}", "text/plain", b'"612"')):
            headers = {"Content-Type": content_type}
            status, _, answer = await stage.user.response("POST", LEADS, data=body, headers=headers)
            assert status == 200 and code in answer


async def test_null_and_the_empty_text_are_stored_as_null_and_times_in_seconds() -> None:
    """Of UTC."""
    async with served() as stage:
        held = stage.person(jobTitle="CTO", fax="1")
        record = {
            "id": int(held.id),
            "jobTitle": None,
            "fax": "",
            "microsoftCreatedDate": "2026-09-01T11:14:07.25+02:00",
        }
        await stage.user.sync("updateOnly", "id", record)
        assert held.values["jobTitle"] is None and held.values["fax"] is None
        assert held.values["microsoftCreatedDate"] == "2026-09-01T09:14:07Z"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/rest/v1/leads/delete.json"), ("DELETE", "/rest/v1/leads/delete.json"), ("DELETE", LEADS)],
)
async def test_people_are_deleted_by_id(method: str, path: str) -> None:
    """Each by itself."""
    async with served() as stage:
        held = stage.person()
        answer = await stage.user.call(method, path, {"input": [{"id": int(held.id)}, {"id": 7}, {}]})
        deleted, unknown, nameless = answer["result"]
        assert deleted == {"id": int(held.id), "status": "deleted"}
        assert (unknown["reasons"][0]["code"], nameless["reasons"][0]["code"]) == ("1004", "1002")
        assert stage.witness.told[-1] == ("deleted", held.id)


async def test_people_are_deleted_by_ids_in_the_query() -> None:
    """Where there is no body."""
    async with served() as stage:
        ids = [stage.person().id for _ in range(2)]
        await stage.user.post("/rest/v1/leads/delete.json", id=",".join(ids))
        assert stage.instance.records == {}


async def test_a_merge_keeps_the_winner_and_fills_what_it_has_empty() -> None:
    """From the first loser that has it."""
    async with served() as stage:
        winner = stage.person(jobTitle="CTO")
        losers = [stage.person(jobTitle="CEO", phone="1"), stage.person(phone="2", fax="3")]
        path = f"/rest/v1/leads/{winner.id}/merge.json"
        answer = await stage.user.post(path, leadIds=",".join(loser.id for loser in losers))
        assert set(answer) == {"requestId", "success"}
        assert (winner.values["jobTitle"], winner.values["phone"], winner.values["fax"]) == ("CTO", "1", "3")
        assert list(stage.instance.records) == [winner.id]
        assert [fact for fact in stage.witness.told if fact[0] == "merged"] == [
            ("merged", loser.id, winner.id) for loser in losers
        ]


async def test_a_merge_of_nobody_of_too_many_or_of_strangers_is_refused() -> None:
    """25 losers are the most."""
    async with served() as stage:
        winner, loser = stage.person(), stage.person()
        path = f"/rest/v1/leads/{winner.id}/merge.json"
        assert await stage.user.code("POST", path) == "701"
        assert await stage.user.code("POST", path, leadId=winner.id) == "1003"
        assert await stage.user.code("POST", path, leadIds=f"{loser.id},7") == "1004"
        assert await stage.user.code("POST", "/rest/v1/leads/7/merge.json", leadId=loser.id) == "1004"
        too_many = ",".join(str(number) for number in range(26))
        assert await stage.user.code("POST", path, leadIds=too_many) == "1080"
        assert len(stage.instance.records) == 2


async def test_a_merge_may_treat_our_fields_as_any_other() -> None:
    """As a real instance does; a demo's does not, unless it is told to."""
    for takes in (False, True):
        async with served(merge_takes_our_fields=takes) as stage:
            winner = stage.person()
            await stage.user.sync("createOnly", "leadsyncKey", {"leadsyncKey": "p-1#1", "leadsyncRevision": 4})
            (loser,) = (held for held in stage.instance.records.values() if held is not winner)
            await stage.user.post(f"/rest/v1/leads/{winner.id}/merge.json", leadId=loser.id)
            assert (winner.key, winner.revision) == (("p-1#1", 4) if takes else (None, None))


async def test_an_unknown_resource_is_610_and_another_method_605() -> None:
    """With HTTP 200, as every error of a call."""
    async with served() as stage:
        assert await stage.user.code("GET", "/rest/v1/nope.json") == "610"
        assert await stage.user.code("PUT", LEADS, {}) == "605"
