"""Sync Person from a campaign to the connector: by webhook, by flow step, again until it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from streams.simulators.marketo.engine import MUNCHKIN_ID, CampaignEngine
from streams.simulators.marketo.limits import Limits
from streams.simulators.serving import serving
from tests.simulators.marketo.served import Served, served

TRIGGER = "/rest/v1/campaigns/1021/trigger.json"
SCHEDULE = "/rest/v1/campaigns/1022/schedule.json"
DEADLINE_SECONDS = 10.0


class Connector:
    """Takes calls, after refusing the first `refusals` of them with `status`."""

    def __init__(self, refusals: int = 0, status: int = 503, body: str = '{"status": "accepted"}') -> None:
        self.calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self._refusals, self._status, self._body = refusals, status, body
        self.app = web.Application()
        self.app.router.add_post("/marketo/webhooks/sync-person", self.take)
        self.app.router.add_post("/marketo/flow-step/submitAsyncAction", self.take)

    async def take(self, request: web.Request) -> web.Response:
        self.calls.append((request.path, await request.json(), dict(request.headers)))
        if len(self.calls) <= self._refusals:
            return web.Response(status=self._status, text=self._body)
        return web.Response(status=201 if "flow-step" in request.path else 200, text='{"status": "accepted"}')


@asynccontextmanager
async def campaigning(stage: Served, connector: Connector) -> AsyncIterator[CampaignEngine]:
    """The engine runs beside the test."""
    async with serving(connector.app) as url:
        engine = CampaignEngine(
            stage.instance,
            f"{url}/marketo/webhooks/sync-person",
            f"{url}/marketo/flow-step/submitAsyncAction",
            "h00k",
            pause_seconds=0.001,
        )
        running = asyncio.create_task(engine.run())
        try:
            yield engine
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_trigger_campaign_calls_the_webhook_with_the_person_as_it_was() -> None:
    """Empty fields are stated; the witness is told when somebody asks, not when it is delivered."""
    connector = Connector()
    async with served() as stage, campaigning(stage, connector):
        held = stage.person(jobTitle="CTO")
        stage.instance.request_sync(held.id, "grace", stage.clock.now, "trigger", "contact", "ada@sales.example")
        fact, record_id, change = stage.witness.told[-1]
        assert (fact, record_id, change.action, change.campaign) == ("requested", held.id, "sync_person", "trigger")
        await until(lambda: not stage.instance.undelivered)
        ((path, body, headers),) = connector.calls
        assert path.endswith("/webhooks/sync-person") and headers["Authorization"] == "Bearer h00k"
        fields = body.pop("fields")
        assert body == {
            "requestId": change.change_id,
            "campaignId": 1021,
            "leadId": int(held.id),
            "syncAs": "contact",
            "owner": "ada@sales.example",
            "updatedAt": stage.instance.value_of(held, "updatedAt"),
        }
        assert (fields["jobTitle"], fields["fax"], fields["leadsyncKey"]) == ("CTO", None, None)
        assert not stage.instance.announced


async def test_a_request_without_a_view_has_no_fields() -> None:
    """As from a shorter payload template."""
    connector = Connector()
    async with served() as stage, campaigning(stage, connector):
        held = stage.person()
        stage.instance.request_sync(held.id, "grace", stage.clock.now, with_view=False)
        await until(lambda: not stage.instance.undelivered)
        assert set(connector.calls[0][1]) == {"requestId", "campaignId", "leadId", "syncAs", "owner"}


async def test_a_batch_campaign_calls_the_flow_step_and_takes_its_callback() -> None:
    """Once: the token is used up. The fields that come back are a user's edit."""
    connector = Connector()
    async with served() as stage, campaigning(stage, connector), aiohttp.ClientSession() as session:
        held = stage.person(jobTitle="CTO")
        stage.instance.request_sync(held.id, "grace", stage.clock.now, "batch")
        await until(lambda: not stage.instance.undelivered)
        ((path, body, headers),) = connector.calls
        assert path.endswith("/submitAsyncAction") and headers["x-api-key"] == "h00k"
        (person,) = body["objectData"]
        assert person["objectType"] == "lead" and person["flowStepContext"] == {"syncAs": "lead", "assignTo": ""}
        assert person["objectContext"]["id"] == int(held.id) and person["objectContext"]["jobTitle"] == "CTO"
        assert body["context"]["subscription"]["munchkinId"] == MUNCHKIN_ID and body["campaignId"] == 1022
        keys = {"x-api-key": body["apiCallBackKey"], "x-callback-token": body["token"]}
        lead = {"id": int(held.id), "fax": "1", "nope": 1, "leadScore": "many"}
        callback = {
            "munchkinId": MUNCHKIN_ID,
            "objectData": [{"leadData": lead, "activityData": {"success": True}}],
        }
        for headers, content, status in (
            (keys | {"x-api-key": "wrong"}, callback, 401),
            (keys | {"x-callback-token": "wrong"}, callback, 404),
            (keys, {"objectData": [{}]}, 400),
            (keys, {"objectData": []}, 400),
            (keys, callback, 200),
            (keys, callback, 404),
        ):
            async with session.post(body["callbackUrl"], json=content, headers=headers) as response:
                assert response.status == status
        assert stage.instance.flow_steps.outcomes == {"success": 1}
        assert stage.witness.told[-1] == ("entered", held.id, {"fax": "1"})


async def test_a_failure_of_the_whole_chunk_is_reported_by_its_code() -> None:
    """Nothing is written."""
    connector = Connector()
    async with served() as stage, campaigning(stage, connector), aiohttp.ClientSession() as session:
        held = stage.person()
        stage.instance.request_sync(held.id, "grace", stage.clock.now, "batch")
        await until(lambda: not stage.instance.undelivered)
        body = connector.calls[0][1]
        keys = {"x-api-key": body["apiCallBackKey"], "x-callback-token": body["token"]}
        callback = {"munchkinId": MUNCHKIN_ID, "errorCode": "BROKER_DOWN", "errorMessage": "", "objectData": []}
        async with session.post(body["callbackUrl"], json=callback, headers=keys) as response:
            assert response.status == 200
        assert stage.instance.flow_steps.outcomes == {"BROKER_DOWN": 1}


@pytest.mark.parametrize("campaign", ["trigger", "batch"])
async def test_a_call_is_repeated_with_the_same_ids_until_it_is_taken(campaign: Any) -> None:
    """And until then the instance is not caught up."""
    connector = Connector(refusals=3)
    async with served() as stage:
        held = stage.person()
        stage.instance.request_sync(held.id, "grace", stage.clock.now, campaign)
        await stage.connector.changes(
            (await stage.connector.changes(await stage.connector.since(), "fax"))[1]["nextPageToken"], "fax"
        )
        assert not stage.instance.is_caught_up()
        async with campaigning(stage, connector) as engine:
            await until(lambda: not stage.instance.undelivered)
            assert engine.failures == {"HTTP 503": 3} and engine.delivered == {campaign: 1}
        assert len(connector.calls) == 4 and all(call[1] == connector.calls[0][1] for call in connector.calls)
        assert stage.instance.is_caught_up()


async def test_an_empty_answer_of_a_webhook_is_none() -> None:
    """Marketo's error 1001."""
    connector = Connector(refusals=1, status=200, body="")
    async with served() as stage, campaigning(stage, connector) as engine:
        stage.instance.request_sync(stage.person().id, "grace", stage.clock.now)
        await until(lambda: not stage.instance.undelivered)
        assert engine.failures == {"1001": 1} and len(connector.calls) == 2


async def test_a_connector_that_is_not_there_is_called_again() -> None:
    """Nothing is lost meanwhile."""
    async with served() as stage:
        stage.instance.request_sync(stage.person().id, "grace", stage.clock.now)
        async with serving(web.Application()) as gone:
            pass
        engine = CampaignEngine(stage.instance, gone, None, "h00k", pause_seconds=0.001)
        running = asyncio.create_task(engine.run())
        await until(lambda: engine.failures["ClientConnectorError"] > 2)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        assert len(stage.instance.undelivered) == 1


async def test_a_client_triggers_the_campaign_for_people() -> None:
    """The program's tokens say how."""
    connector = Connector()
    async with served() as stage, campaigning(stage, connector):
        people = [stage.person() for _ in range(2)]
        tokens = [
            {"name": "{{my.syncAs}}", "value": "contact"},
            {"name": "{{my.assignTo}}", "value": "ada@sales.example"},
        ]
        asked = {"leads": [{"id": int(held.id)} for held in people], "tokens": tokens}
        assert (await stage.user.post(TRIGGER, {"input": asked}))["result"] == [{"id": 1021}]
        await until(lambda: not stage.instance.undelivered)
        assert [(call[1]["leadId"], call[1]["syncAs"], call[1]["owner"]) for call in connector.calls] == [
            (int(held.id), "contact", "ada@sales.example") for held in people
        ]


async def test_a_request_that_makes_no_sense_is_refused() -> None:
    """A hundred people at most."""
    async with served() as stage:
        lead = {"id": int(stage.person().id)}
        for path, asked, code in (
            (TRIGGER, {"leads": []}, "701"),
            (TRIGGER, {"leads": [lead] * 101}, "1003"),
            (TRIGGER, {"leads": [lead, {"id": 7}]}, "1004"),
            (TRIGGER, {"leads": [lead], "tokens": [{"name": "{{my.syncAs}}", "value": "account"}]}, "1003"),
            (TRIGGER.replace("1021", "1022"), {"leads": [lead]}, "1003"),
            (TRIGGER.replace("1021", "7"), {"leads": [lead]}, "1013"),
            (SCHEDULE.replace("1022", "1021"), {}, "1003"),
            (SCHEDULE, {"runAt": "2040-01-01T00:00:00Z"}, "1042"),
            (SCHEDULE, {"runAt": "soon"}, "704"),
        ):
            assert await stage.user.code("POST", path, {"input": asked}) == code
        assert not stage.instance.undelivered and not len(stage.instance.schedule)


async def test_a_batch_campaign_runs_when_it_is_due_for_everybody_who_is_not_in_dynamics() -> None:
    """A hundred people a call, and never sooner than in five minutes."""
    connector = Connector()
    async with served(limits=Limits()) as stage:
        for _ in range(150):
            stage.person()
        stage.person(microsoftType="Lead")
        assert (await stage.user.post(SCHEDULE, {"input": {"runAt": "2026-01-01T00:00:00Z"}}))["success"]
        stage.instance.run_due()
        assert not stage.instance.undelivered
        stage.clock.now += 300
        async with campaigning(stage, connector):
            await until(lambda: len(connector.calls) == 2 and not stage.instance.undelivered)
        assert sorted(len(call[1]["objectData"]) for call in connector.calls) == [50, 100]


async def test_campaigns_are_listed() -> None:
    """One of each kind."""
    async with served() as stage:
        listed = (await stage.user.get("/rest/v1/campaigns.json"))["result"]
        assert [(each["id"], each["type"]) for each in listed] == [(1021, "trigger"), (1022, "batch")]
        (one,) = (await stage.user.get("/rest/v1/campaigns/1022.json"))["result"]
        assert one == listed[1]
