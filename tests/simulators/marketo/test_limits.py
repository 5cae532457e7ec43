"""What an instance puts up with, and what it tells of its use."""

from __future__ import annotations

import asyncio

from streams.simulators.faults import FaultPlan
from streams.simulators.marketo.limits import Limits
from tests.simulators.marketo.served import CONNECTOR, USER, served

DESCRIBE = "/rest/v1/leads/describe.json"
LEADS = "/rest/v1/leads.json"


async def test_more_than_so_many_calls_in_twenty_seconds_are_606() -> None:
    """Whoever makes them; twenty seconds later there is room again."""
    async with served(limits=Limits(window_calls=3)) as stage:
        for client in (stage.connector, stage.user, stage.connector):
            await client.get(DESCRIBE)
        answer = await stage.user.call("GET", DESCRIBE)
        assert answer["errors"] == [{"code": "606", "message": "Max rate limit '3' exceeded with in '20' secs"}]
        assert stage.faults.counts["rate_606"] == 1
        stage.clock.now += 20
        await stage.user.get(DESCRIBE)


async def test_a_hundred_is_the_documented_rate() -> None:
    """As shipped."""
    async with served() as stage:
        for _ in range(100):
            await stage.user.get("/rest/v1/activities/types.json")
        assert await stage.user.code("GET", DESCRIBE) == "606"


async def test_more_than_ten_calls_at_once_are_615() -> None:
    """The others are answered."""
    plan = FaultPlan({"latency": 1.0}, latency_seconds=(0.2, 0.2))
    async with served(plan=plan) as stage:
        answers = await asyncio.gather(*(stage.user.call("GET", DESCRIBE) for _ in range(12)))
        refused = [answer["errors"][0]["code"] for answer in answers if not answer["success"]]
        assert refused == ["615", "615"] and stage.faults.counts["concurrency_615"] == 2
        await stage.user.get(DESCRIBE)


async def test_the_daily_quota_is_607_until_midnight_cst() -> None:
    """And is shared by all users."""
    async with served(limits=Limits(daily_calls=2)) as stage:
        await stage.user.get(DESCRIBE)
        await stage.connector.get(DESCRIBE)
        assert await stage.user.code("GET", DESCRIBE) == "607"
        stage.clock.now += 86_400
        await stage.user.identify()
        await stage.user.get(DESCRIBE)


async def test_calls_that_end_in_certain_codes_count_against_nothing() -> None:
    """605 is one of them, 610 is not."""
    async with served(limits=Limits(window_calls=3, daily_calls=3)) as stage:
        for _ in range(5):
            assert await stage.user.code("PUT", DESCRIBE, {}) == "605"
        for _ in range(3):
            assert await stage.user.code("GET", "/rest/v1/nope.json") == "610"
        assert await stage.user.code("GET", DESCRIBE) == "607"


async def test_a_body_of_more_than_a_megabyte_is_http_413() -> None:
    """And is not looked at."""
    async with served() as stage:
        record = {"email": "ada@x.example", "mktoPersonNotes": "x" * 1_048_576}
        status, _, body = await stage.user.response("POST", LEADS, json={"input": [record]})
        assert status == 413 and b'"413"' in body and stage.instance.records == {}


async def test_an_address_of_more_than_eight_kilobytes_is_http_414() -> None:
    """What a client then sends by POST."""
    async with served() as stage:
        values = ",".join(f"p-{number:032d}#1" for number in range(290))
        status, _, body = await stage.user.response(
            "GET", LEADS, params={"filterType": "leadsyncKey", "filterValues": values}
        )
        assert status == 414 and b'"414"' in body


async def test_usage_is_told_by_day_and_user() -> None:
    """And errors by code."""
    async with served() as stage:
        await stage.connector.get(DESCRIBE)
        await stage.user.code("GET", "/rest/v1/nope.json")
        (today,) = (await stage.user.get("/rest/v1/stats/usage.json"))["result"]
        users = {each["userId"]: each["count"] for each in today["users"]}
        assert users == {CONNECTOR.user: 1, USER.user: 2} and today["total"] == 3
        (errors,) = (await stage.user.get("/rest/v1/stats/errors.json"))["result"]
        assert errors["errors"] == [{"errorCode": "610", "count": 1}] and errors["date"] == today["date"]
        assert len((await stage.user.get("/rest/v1/stats/usage/last7days.json"))["result"]) == 7
        assert len((await stage.user.get("/rest/v1/stats/errors/last7days.json"))["result"]) == 7
