"""Every fault strikes when it is switched on, is counted, and does what it says."""

from __future__ import annotations

import aiohttp
import pytest

from streams.demo.record import HeldRecord
from streams.simulators.faults import POISON_MARK, FaultPlan
from tests.simulators.marketo.served import served

LEADS = "/rest/v1/leads.json"
DESCRIBE = "/rest/v1/leads/describe.json"
ADA = {"email": "ada@x.example"}


@pytest.mark.parametrize(("fault", "there"), [("dropped_before", 0), ("dropped_after", 1)])
async def test_a_dropped_connection_has_no_answer_whether_the_call_was_carried_out_or_not(
    fault: str, there: int
) -> None:
    """Nobody can tell from outside."""
    async with served(shares={fault: 1.0}) as stage:
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await stage.user.call("POST", LEADS, {"action": "createOnly", "input": [ADA]})
        assert len(stage.instance.records) == there and stage.faults.counts == {fault: 1}


async def test_an_answer_is_lost_only_where_something_was_written() -> None:
    """A read that is lost can be repeated anyway."""
    async with served(shares={"dropped_after": 1.0, "timeout_604_after": 1.0}) as stage:
        await stage.user.get(DESCRIBE)
        assert not stage.faults.counts


async def test_a_time_out_comes_after_the_write() -> None:
    """And counts against no quota."""
    async with served(shares={"timeout_604_after": 1.0}) as stage:
        assert await stage.user.code("POST", LEADS, {"action": "createOnly", "input": [ADA]}) == "604"
        assert len(stage.instance.records) == 1 and stage.faults.counts == {"timeout_604_after": 1}
        assert sum(users.total() for users in stage.meter.usage.values()) == 0


@pytest.mark.parametrize(("fault", "code"), [("rate_606", "606"), ("concurrency_615", "615"), ("token_602", "602")])
async def test_a_call_is_refused_before_it_does_anything(fault: str, code: str) -> None:
    """As often as it strikes."""
    async with served(shares={fault: 1.0}) as stage:
        assert await stage.user.code("POST", LEADS, {"action": "createOnly", "input": [ADA]}) == code
        assert not stage.instance.records and stage.faults.counts == {fault: 1}


async def test_an_expired_token_is_followed_by_another() -> None:
    """So that to authenticate again helps."""
    async with served(shares={"token_602": 1.0}) as stage:
        before = stage.user.token
        assert await stage.user.code("GET", DESCRIBE) == "602"
        await stage.user.identify()
        assert stage.user.token != before


async def test_a_used_up_quota_stays_used_up_for_a_while_and_is_counted_once() -> None:
    """Then calls go through again, until it strikes again."""
    async with served(plan=FaultPlan({"quota_607": 1.0}, quota_seconds=2.0)) as stage:
        for _ in range(3):
            assert await stage.user.code("GET", DESCRIBE) == "607"
        assert stage.faults.counts == {"quota_607": 1}
        stage.clock.now += 2
        await stage.user.code("GET", DESCRIBE)
        assert stage.faults.counts == {"quota_607": 2}


async def test_an_empty_page_says_that_there_is_more_and_the_next_one_has_it() -> None:
    """Never twice in a row, so that a client gets on."""
    async with served(shares={"empty_page": 1.0}) as stage:
        stage.person()
        activities, page = await stage.user.changes(await stage.user.since(), "fax")
        assert activities == [] and page["moreResult"] is True and stage.faults.counts == {"empty_page": 1}
        activities, page = await stage.user.changes(page["nextPageToken"], "fax")
        assert len(activities) == 1 and page["moreResult"] is False


async def test_an_empty_page_that_says_there_is_more_leaves_nobody_caught_up() -> None:
    """Only the page behind it does."""
    async with served(shares={"empty_page": 1.0}) as stage:
        stage.person()
        _, page = await stage.connector.changes(await stage.connector.since(), "fax")
        for caught_up in (False, False, True):
            _, page = await stage.connector.changes(page["nextPageToken"], "fax")
            assert stage.instance.is_caught_up() is caught_up


async def test_an_activity_is_repeated_at_the_top_of_the_next_page() -> None:
    """With the same marketoGUID; an idle poll shows nothing."""
    async with served(shares={"repeated_activity": 1.0}) as stage:
        for _ in range(3):
            stage.person()
        first, page = await stage.user.changes(await stage.user.since(), "fax", batchSize=2)
        second, page = await stage.user.changes(page["nextPageToken"], "fax", batchSize=2)
        guids = [each["marketoGUID"] for each in [*first, *second]]
        assert len(guids) == 4 and guids[1] == guids[2] and stage.faults.counts == {"repeated_activity": 1}
        assert (await stage.user.changes(page["nextPageToken"], "fax"))[0] == []


@pytest.mark.parametrize("by_filter", [True, False])
async def test_somebody_edits_a_person_between_a_read_and_what_follows_it(by_filter: bool) -> None:
    """The client has what was there before."""
    async with served(shares={"edited_between": 1.0}) as stage:
        held = stage.person(jobTitle="CTO")
        before = dict(held.values)
        if by_filter:
            await stage.user.get(LEADS, filterType="id", filterValues=held.id)
        else:
            await stage.user.get(f"/rest/v1/lead/{held.id}.json")
        assert held.values != before and stage.faults.counts == {"edited_between": 1}
        assert stage.witness.told[-1][0] == "entered"


async def test_a_demo_may_say_who_edits_between() -> None:
    """It is told of the record that was read."""
    async with served(shares={"edited_between": 1.0}) as stage:
        told: list[HeldRecord] = []
        stage.instance.on_read = told.append
        held = stage.person()
        await stage.user.get(LEADS, filterType="id", filterValues="7")
        await stage.user.get(f"/rest/v1/lead/{held.id}.json")
        assert told == [held]


async def test_a_value_that_is_stored_other_than_sent_is_counted() -> None:
    """And stored so."""
    async with served(rewriting=True) as stage:
        await stage.user.sync("createOnly", "email", {**ADA, "jobTitle": "  CTO "}, {"email": "b@x.example"})
        (held, _) = stage.instance.records.values()
        assert held.values["jobTitle"] == "CTO" and stage.faults.counts == {"rewritten_on_save": 1}


async def test_a_refusal_by_a_duplicate_rule_is_counted() -> None:
    """Marketo has none as shipped."""
    async with served() as stage:
        saving = stage.instance.saving
        object.__setattr__(saving, "is_duplicate", lambda column, value: value == "(twice)")
        (result,) = await stage.user.sync("createOnly", "email", {**ADA, "jobTitle": "(twice)"})
        assert result["reasons"][0]["code"] == "1003" and "field 'jobTitle'" in result["reasons"][0]["message"]
        assert stage.faults.counts == {"duplicate_rule": 1}


async def test_a_poisonous_record_fails_its_call_each_time() -> None:
    """What stood before it is saved, what stands behind it is not."""
    async with served() as stage:
        records = [{"email": f"{n}@x.example", "jobTitle": "CTO"} for n in range(3)]
        records[1]["jobTitle"] = f"CTO {POISON_MARK}"
        for code in ("611", "611"):
            body = {"action": "createOrUpdate", "lookupField": "email", "input": records}
            assert await stage.user.code("POST", LEADS, body) == code
        assert [held.values["email"] for held in stage.instance.records.values()] == ["0@x.example"]
        assert stage.faults.counts == {"poison_611": 2}


async def test_latency_is_counted() -> None:
    """How long it takes is the plan's."""
    async with served(plan=FaultPlan({"latency": 1.0}, latency_seconds=(0.0, 0.001))) as stage:
        await stage.user.get(DESCRIBE)
        assert stage.faults.counts == {"latency": 1}


async def test_without_a_plan_nothing_goes_wrong() -> None:
    """Not once."""
    async with served() as stage:
        await stage.user.sync("createOnly", "email", ADA)
        await stage.user.changes(await stage.user.since(), "fax")
        assert not stage.faults.counts
