"""What protects the service, and what goes wrong on purpose: each strikes, is counted, and keeps its promise."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from streams.demo.record import HeldRecord
from streams.simulators.dynamics.limits import Limits
from streams.simulators.faults import FaultPlan
from tests.simulators.dynamics.organisation import LEAD_ID, NOW, organisation
from tests.simulators.dynamics.test_batch import batch, part, statuses

NEW = {"lastname": "Lovelace"}


async def test_more_requests_than_the_window_allows_are_429_until_it_has_moved() -> None:
    """With the code, and how long to wait."""
    async with organisation(limits=Limits(requests_max=3)) as org:
        assert [(await org.ask("GET", "WhoAmI")).status for _ in range(3)] == [200] * 3
        refused = await org.ask("GET", "WhoAmI")
        assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "0x80072322", "300")
        org.clock[0] += 299
        assert (await org.ask("GET", "WhoAmI")).status == 429 and org.gate.early == 1
        org.clock[0] += 2
        answer = await org.ask("GET", "WhoAmI")
        assert answer.status == 200 and answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "2"


async def test_more_requests_at_once_than_allowed_are_429() -> None:
    """The others are answered."""
    plan = FaultPlan({"latency": 1.0}, (0.0, 0.0))
    async with organisation(limits=Limits(concurrent_max=0), plan=plan) as org:
        refused = await org.ask("GET", "WhoAmI")
        assert (refused.status, refused.code) == (429, "0x80072326") and int(refused.headers["Retry-After"]) >= 1
    async with organisation(limits=Limits(concurrent_max=52)) as org:
        answers = await asyncio.gather(*(org.ask("GET", "WhoAmI") for _ in range(52)))
        assert {answer.status for answer in answers} == {200}


async def test_a_body_that_is_too_large_is_413() -> None:
    """Nothing is done."""
    async with organisation(limits=Limits(content_bytes_max=1_000)) as org:
        assert (await org.ask("POST", "leads", {"description": "x" * 1_000})).status == 413
        assert not org.instance.records


async def test_a_throttled_client_is_turned_away_until_its_time_is_over() -> None:
    """The fault names its own Retry-After, and calls before that count as early."""
    plan = FaultPlan({"throttled_429": 1.0}, retry_after_seconds=17)
    async with organisation(plan=plan) as org:
        refused = await org.ask("POST", "leads", NEW)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "17") and not org.instance.records
        org.clock[0] += 16
        assert (await org.ask("POST", "leads", NEW)).headers["Retry-After"] == "1"
        assert org.gate.early == 1 and org.faults.counts["throttled_429"] == 1


async def test_a_dropped_connection_may_have_done_nothing_or_everything() -> None:
    """The client can't tell the two apart."""
    for fault, made in (("dropped_before", 0), ("dropped_after", 1)):
        async with organisation({fault: 1.0}) as org:
            with pytest.raises(aiohttp.ClientError):
                await org.ask("POST", "leads", NEW)
            assert len(org.instance.records) == made and org.faults.counts[fault] == 1


async def test_a_server_error_may_come_after_everything_was_done() -> None:
    """A 5xx says nothing about the write."""
    async with organisation({"server_5xx_after": 1.0}) as org:
        answer = await org.ask("PATCH", f"leads({LEAD_ID})", NEW)
        assert answer.status == 503 and LEAD_ID in org.instance.records
        assert org.faults.counts["server_5xx_after"] == 1


async def test_a_delta_token_may_expire_early_and_stays_expired() -> None:
    """A full read helps, and its new token is struck as well, if all are."""
    async with organisation({"expired_delta": 1.0}) as org:
        await org.lead()
        entries, link = await org.changes("leads?$select=lastname")
        assert len(entries) == 1
        for _ in range(2):
            answer = await org.ask("GET", link)
            assert (answer.status, answer.code) == (400, "0x80044352")
        assert org.faults.counts["expired_delta"] == 2


async def test_delays_are_counted() -> None:
    """Of every call, the one for the token too."""
    async with organisation({"latency": 1.0}) as org:
        await org.ask("GET", "WhoAmI")
        assert org.faults.counts["latency"] == 2


async def test_somebody_edits_between_a_read_and_the_write_that_follows() -> None:
    """The row was rendered before, so the write is stale."""
    async with organisation({"edited_between": 1.0}) as org:
        lead_id = await org.lead(jobtitle="CTO")
        row = (await org.ask("GET", f"leads({lead_id})")).row
        assert row["jobtitle"] == "CTO" and row["versionnumber"] < org.instance.records[lead_id].version
        late = await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "CEO"}, If_Match=row["@odata.etag"])
        assert late.status == 412 and org.faults.counts["edited_between"] == 1


async def test_the_demo_may_say_who_edits_between() -> None:
    """In a batch too; never after a page of change tracking, a query, or a read of a closed record."""
    read: list[str] = []

    def note(held: HeldRecord) -> None:
        read.append(held.id)

    async with organisation({"edited_between": 1.0}) as org:
        org.instance.on_read = note
        lead_id, loser = await org.lead(jobtitle="CTO"), await org.lead()
        await org.batch(batch(part(f"GET leads({lead_id})"), part(f"GET leads({lead_id})/jobtitle")))
        assert read == [lead_id, lead_id]
        read.clear()
        org.instance.merge(loser, lead_id, "tim", NOW)
        await org.ask("GET", f"leads({loser})")
        await org.ask("GET", "leads")
        await org.changes("leads?$select=lastname")
        assert read == []


async def test_values_that_are_stored_other_than_sent_are_counted() -> None:
    """By the write, not by the column; an equal value is none."""
    async with organisation() as org:
        lead_id = await org.lead(telephone1="(0) 1", jobtitle="cto")
        assert org.faults.counts["rewritten_on_save"] == 1
        await org.ask("PATCH", f"leads({lead_id})", {"jobtitle": "Ceo"})
        assert org.faults.counts["rewritten_on_save"] == 1
        assert (await org.ask("GET", f"leads({lead_id})/telephone1")).row["value"] == "01"


async def test_without_shares_nothing_strikes() -> None:
    """A faultless organisation counts nothing."""
    async with organisation() as org:
        lead_id = await org.lead()
        await org.ask("GET", f"leads({lead_id})")
        _, link = await org.changes("leads?$select=lastname")
        await org.changes(link)
        assert not org.faults.counts


async def test_faults_of_a_batch_strike_the_batch_as_a_whole() -> None:
    """Applied and lost; the parts are counted one by one all the same."""
    async with organisation({"server_5xx_after": 1.0}) as org:
        answer = await org.batch(batch(part("POST leads", NEW), part("POST leads", NEW)))
        assert answer.status == 503 and statuses(answer) == [] and len(org.instance.records) == 2
        assert org.instance.calls == {"POST token": 1, "POST $batch": 1, "batch POST leads": 2}


async def test_calls_are_counted_by_endpoint() -> None:
    """Ids don't make new ones; change tracking has its own."""
    async with organisation() as org:
        lead_id = await org.lead()
        await org.ask("GET", f"leads({lead_id})")
        await org.ask("GET", "leads")
        await org.changes("leads?$select=lastname")
        await org.ask("GET", "EntityDefinitions(LogicalName='lead')/Attributes")
        assert set(org.instance.calls) == {
            "POST token", "POST leads", "GET leads(id)", "GET leads", "GET leads delta", "GET EntityDefinitions(id)/Attributes",
        }  # fmt: skip
