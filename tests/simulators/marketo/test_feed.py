"""The activity feed: what is listed, how it is paged, and when the connector counts as caught up."""

from __future__ import annotations

from typing import Any

from streams.simulators.marketo.activities import CHANGE_DATA_VALUE, NEW_LEAD, Activity, ActivityLog, Query
from streams.simulators.marketo.coercion import in_seconds
from tests.simulators.marketo.served import LONG_AGO, NOW, Client, Served, served

ACTIVITIES = "/rest/v1/activities.json"
DELETED = "/rest/v1/activities/deletedleads.json"
CHANGES = "/rest/v1/activities/leadchanges.json"


def changed(activities: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    """Name, old and new value of each change."""
    return [(field["name"], field["oldValue"], field["newValue"]) for each in activities for field in each["fields"]]


def attributes(activity: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in activity["attributes"]}


async def test_a_creation_lists_no_values_and_an_edit_one_activity_per_field() -> None:
    """All of one save bear one time, each an id of its own."""
    async with served() as stage:
        held = stage.person(jobTitle="CTO", unsubscribed=True, leadScore=3)
        values = {"jobTitle": "CEO", "unsubscribed": False, "leadScore": None}
        stage.instance.edit(held.id, "marketing", values, stage.clock.now)
        (created, *edits), page = await stage.user.changes(await stage.user.since(), "jobTitle,unsubscribed,leadScore")
        assert (created["activityTypeId"], created["leadId"], created["fields"]) == (12, int(held.id), [])
        assert changed(edits) == [
            ("jobTitle", "CTO", "CEO"),
            ("unsubscribed", "true", "false"),
            ("leadScore", "3", None),
        ]
        assert len({each["activityDate"] for each in edits}) == 1 and len({each["id"] for each in edits}) == 3
        assert all(each["marketoGUID"] == str(each["id"]) for each in edits)
        assert page["moreResult"] is False and "nextPageToken" in page


async def test_a_write_over_rest_names_its_request_and_an_edit_by_hand_does_not() -> None:
    """So that a connector can tell what it wrote itself."""
    async with served() as stage:
        held = stage.person()
        record = {"id": int(held.id), "jobTitle": "CTO", "leadsyncKey": "p-1#0", "leadsyncRevision": 7}
        answer = await stage.connector.post(
            "/rest/v1/leads.json", {"action": "updateOnly", "lookupField": "id", "input": [record]}
        )
        stage.instance.edit(held.id, "grace@marketing.example", {"jobTitle": "CEO"}, stage.clock.now)
        fields = "jobTitle,leadsyncKey,leadsyncRevision"
        (_, *edits), _ = await stage.user.changes(await stage.user.since(), fields)
        assert changed(edits) == [
            ("jobTitle", None, "CTO"),
            ("leadsyncKey", None, "p-1#0"),
            ("leadsyncRevision", None, "7"),
            ("jobTitle", "CTO", "CEO"),
        ]
        ours, by_hand = attributes(edits[0]), attributes(edits[3])
        assert ours["Source"] == ours["Reason"] == "Web service API"
        assert ours["Request Id"] == answer["requestId"] and ours["Lead ID"] == int(held.id)
        assert "Request Id" not in by_hand and by_hand["Modifying User"] == "grace@marketing.example"
        assert by_hand["Source"] in ("Manual Change", "Web form fillout")


async def test_a_write_that_changes_nothing_lists_nothing_and_one_of_our_revision_lists_that() -> None:
    """The revision is a field like any other."""
    async with served() as stage:
        held = stage.person(jobTitle="CTO")
        record = {"id": int(held.id), "jobTitle": "CTO", "leadsyncKey": "p-1#0", "leadsyncRevision": 1}
        for _ in range(2):
            await stage.connector.sync("updateOnly", "id", record)
        (_, *edits), _ = await stage.user.changes(await stage.user.since(), "jobTitle,leadsyncKey,leadsyncRevision")
        assert changed(edits) == [("leadsyncKey", None, "p-1#0"), ("leadsyncRevision", None, "1")]


async def test_lead_changes_hold_the_fields_asked_for_and_no_others() -> None:
    """New Leads always."""
    async with served() as stage:
        held = stage.person()
        for column in ("jobTitle", "fax", "jobTitle"):
            stage.instance.edit(held.id, "m", {column: f"{stage.clock.now}{column}"}, stage.clock.now)
            stage.clock.now += 1
        activities, _ = await stage.user.changes(await stage.user.since(), "fax")
        assert [each["activityTypeId"] for each in activities] == [12, 13]
        token = await stage.user.since()
        assert await stage.user.code("GET", CHANGES, nextPageToken=token) == "701"
        assert await stage.user.code("GET", CHANGES, nextPageToken=token, fields="nope") == "1006"
        assert await stage.user.code("GET", CHANGES, fields="fax") == "701"


async def test_pages_go_on_where_the_last_one_ended() -> None:
    """Nothing is skipped, nothing repeated, and the last token waits for what comes."""
    async with served() as stage:
        for _ in range(7):
            stage.person()
        token, seen, more = await stage.user.since(), [], True
        while more:
            activities, page = await stage.user.changes(token, "jobTitle", batchSize=3)
            seen += [each["leadId"] for each in activities]
            token, more = page["nextPageToken"], page["moreResult"]
        assert seen == sorted(int(record_id) for record_id in stage.instance.records)
        assert (await stage.user.changes(token, "jobTitle"))[0] == []
        held = stage.person()
        assert [each["leadId"] for each in (await stage.user.changes(token, "jobTitle"))[0]] == [int(held.id)]


async def test_a_token_is_of_a_time_and_what_happened_after_it_is_shown() -> None:
    """One of a time to come goes on standing for that time."""
    async with served() as stage:
        stage.person()
        stage.clock.now += 10
        future = await stage.user.since(in_seconds(NOW + 1_000))
        past = await stage.user.since(in_seconds(NOW + 5))
        later = stage.person()
        assert [each["leadId"] for each in (await stage.user.changes(past, "fax"))[0]] == [int(later.id)]
        activities, page = await stage.user.changes(future, "fax")
        assert activities == [] and page["nextPageToken"] == future
        assert await stage.user.code("GET", "/rest/v1/activities/pagingtoken.json", sinceDatetime="soon") == "704"
        assert await stage.user.code("GET", CHANGES, nextPageToken="soon", fields="fax") == "1003"


async def test_deletions_and_merges_are_activities_of_their_own() -> None:
    """A merge is the winner's, and names the losers."""
    async with served() as stage:
        winner, loser, gone = stage.person(), stage.person(phone="1"), stage.person(firstName="Ada")
        stage.instance.merge(loser.id, winner.id, "marketing", stage.clock.now, take=("phone",))
        stage.instance.delete(gone.id, "marketing", stage.clock.now)
        token = await stage.user.since()
        (merged,) = (await stage.user.get(ACTIVITIES, nextPageToken=token, activityTypeIds="32"))["result"]
        assert merged["leadId"] == int(winner.id) and attributes(merged)["Merge IDs"] == loser.id
        (taken,) = (await stage.user.get(ACTIVITIES, nextPageToken=token, activityTypeIds="13"))["result"]
        assert taken["leadId"] == int(winner.id) and attributes(taken)["New Value"] == "1"
        (deleted,) = (await stage.user.get(DELETED, nextPageToken=token))["result"]
        assert (deleted["activityTypeId"], deleted["leadId"]) == (37, int(gone.id))
        assert deleted["primaryAttributeValue"] == "Ada Lovelace" and deleted["attributes"] == []


async def test_several_losers_of_one_merge_are_one_activity() -> None:
    """With all their ids."""
    async with served() as stage:
        winner, *losers = (stage.person() for _ in range(3))
        ids = ",".join(loser.id for loser in losers)
        await stage.user.post(f"/rest/v1/leads/{winner.id}/merge.json", leadIds=ids)
        token = await stage.user.since()
        (merged,) = (await stage.user.get(ACTIVITIES, nextPageToken=token, activityTypeIds="32"))["result"]
        assert attributes(merged)["Merge IDs"] == ids


async def test_activities_are_of_the_types_and_the_people_asked_for() -> None:
    """Ten types and thirty people at most; there are no lists."""
    async with served() as stage:
        one, other = stage.person(), stage.person()
        stage.instance.edit(other.id, "m", {"jobTitle": "CTO"}, stage.clock.now)
        token = await stage.user.since()
        page = await stage.user.get(ACTIVITIES, nextPageToken=token, activityTypeIds="12,13", leadIds=other.id)
        assert [(each["activityTypeId"], each["leadId"]) for each in page["result"]] == [
            (12, int(other.id)),
            (13, int(other.id)),
        ]
        assert (await stage.user.changes(token, "fax", leadIds=one.id))[0][0]["leadId"] == int(one.id)
        assert (await stage.user.changes(token, "fax", listId="5"))[0] == []
        for more, code in (
            ({"activityTypeIds": ",".join(str(number) for number in range(11))}, "1003"),
            ({"activityTypeIds": "12", "leadIds": ",".join(str(number) for number in range(31))}, "1003"),
            ({"activityTypeIds": "twelve"}, "1001"),
            ({}, "701"),
        ):
            assert await stage.user.code("GET", ACTIVITIES, nextPageToken=token, **more) == code


async def test_activities_show_when_they_are_indexed() -> None:
    """Later than they happened."""
    async with served(indexing_seconds=5.0) as stage:
        token = await stage.user.since()
        stage.person()
        assert (await stage.user.changes(token, "fax"))[0] == []
        stage.clock.now += 6
        assert len((await stage.user.changes(token, "fax"))[0]) == 1


async def drain(client: Client, token: str | None = None) -> None:
    """Follow every feed to its end, as a connector does."""
    first = token or await client.since(LONG_AGO)
    for path, asked in (
        (CHANGES, {"fields": "jobTitle"}),
        (ACTIVITIES, {"activityTypeIds": "32"}),
        (DELETED, {}),
    ):
        page: dict[str, Any] = {"nextPageToken": first, "result": [1]}
        while page["result"] or page["moreResult"]:
            page = await client.get(path, nextPageToken=page["nextPageToken"], **asked)


async def test_the_connector_is_caught_up_when_it_asked_for_more_of_every_feed_and_got_nothing() -> None:
    """Until something happens, in whichever feed."""
    async with served() as stage:
        assert stage.instance.is_caught_up()
        await catch_up(stage)
        one, other = stage.person(), stage.person()
        await catch_up(stage)
        stage.instance.edit(one.id, "m", {"jobTitle": "CTO"}, stage.clock.now)
        await catch_up(stage)
        stage.instance.merge(one.id, other.id, "m", stage.clock.now)
        await catch_up(stage)
        stage.instance.delete(other.id, "m", stage.clock.now)
        await catch_up(stage)


async def catch_up(stage: Served) -> None:
    if stage.instance.log.end:
        assert not stage.instance.is_caught_up()
    await drain(stage.connector)
    assert stage.instance.is_caught_up()


async def test_another_client_at_the_end_of_the_feed_is_no_connector() -> None:
    """Nor is the connector that looks at a few people only."""
    async with served() as stage:
        held = stage.person()
        await drain(stage.user)
        assert not stage.instance.is_caught_up()
        _, page = await stage.connector.changes(await stage.connector.since(), "fax")
        assert not stage.instance.is_caught_up()  # the page was not empty
        await stage.connector.changes(page["nextPageToken"], "fax", leadIds=held.id)
        assert not stage.instance.is_caught_up()
        await stage.connector.changes(page["nextPageToken"], "fax")
        assert stage.instance.is_caught_up()


class Counting(Query):
    """Counts the activities that were looked at."""

    looked_at = 0

    def wants(self, activity: Activity) -> bool:
        Counting.looked_at += 1
        return super().wants(activity)


def test_a_page_costs_what_it_shows() -> None:
    """Wherever it begins, and however long the log is."""
    log = ActivityLog()
    for number in range(30_000):
        log.add(NEW_LEAD if number % 100 == 0 else CHANGE_DATA_VALUE, number % 7, NOW + number)
    page = log.page(Counting(frozenset({NEW_LEAD})), 20_000, log.end, 10)
    assert [each.time - NOW for each in page.activities] == [20_000 + 100 * number for number in range(10)]
    log.page(Counting(frozenset({CHANGE_DATA_VALUE}), frozenset({3})), log.end, log.end, 300)
    assert Counting.looked_at == 10


async def test_a_page_of_fields_that_nobody_changed_ends_after_a_while_and_says_that_there_is_more() -> None:
    """Fewer than asked for, or none at all, with `moreResult`."""
    async with served() as stage:
        held = stage.person()
        for number in range(6_000):
            stage.instance.edit(held.id, "m", {"jobTitle": f"Number {number}"}, stage.clock.now)
        activities, page = await stage.user.changes(await stage.user.since(), "fax")
        assert len(activities) == 1 and page["moreResult"] is True
        activities, page = await stage.user.changes(page["nextPageToken"], "fax")
        assert activities == [] and page["moreResult"] is False
