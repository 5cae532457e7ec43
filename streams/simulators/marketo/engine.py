"""The campaign engine: hands every Sync Person to the connector, by webhook for trigger campaigns, by flow step for batch ones.

A call is repeated, with the same ids, until the connector takes it: what a marketer would do by running the campaign again.
Calls that fail go to the end of their queue, so that none holds up the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp

from schemas.source_change import Campaign
from streams.simulators.marketo.activities import CALL_WEBHOOK
from streams.simulators.marketo.asked import CAMPAIGN_NAMES, Asked, SyncCall
from streams.simulators.marketo.callbacks import PATH
from streams.simulators.marketo.instance import MarketoInstance

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30.0
PAUSE_SECONDS = 0.05
PAUSE_SECONDS_MAX = 2.0
LOOK_EVERY_SECONDS = 0.5
"""How often the schedule is looked at."""
MUNCHKIN_ID = "123-ABC-456"


class CampaignEngine:
    """`webhook_url`, `flow_step_url`: where the connector listens; without one of them its people go to the other.

    `base_url`: where the instance listens; without it, where a client last reached it. `secret` goes along as a bearer token and as x-api-key. `delivered` counts calls that were taken by kind of campaign,
    `failures` those that were not, by what was wrong.
    """

    def __init__(
        self,
        instance: MarketoInstance,
        webhook_url: str | None,
        flow_step_url: str | None,
        secret: str,
        *,
        base_url: str | None = None,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self.instance, self.base_url = instance, base_url
        self.webhook_url, self.flow_step_url = webhook_url or None, flow_step_url or None
        self.delivered: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._headers = {"Authorization": f"Bearer {secret}", "x-api-key": secret}
        self._pause_seconds = pause_seconds
        self._waiting: dict[Campaign, asyncio.Queue[SyncCall]] = {"trigger": asyncio.Queue(), "batch": asyncio.Queue()}
        self._tokens: dict[str, str] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled."""
        self.instance.on_asked = self._woken.set
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with (
            aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session,
            asyncio.TaskGroup() as all_,
        ):
            all_.create_task(self._sort())
            for campaign in self._waiting:
                all_.create_task(self._deliver_all(session, campaign))

    async def _sort(self) -> None:
        """Every call into its queue, and what is scheduled when it is due."""
        while True:
            self.instance.run_due()
            while self.instance.asked:
                call = self.instance.asked.popleft()
                self._waiting[call.campaign].put_nowait(call)
            self._woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_SECONDS)

    async def _deliver_all(self, session: aiohttp.ClientSession, campaign: Campaign) -> None:
        queue, pause_seconds = self._waiting[campaign], self._pause_seconds
        while True:
            call = await queue.get()
            problem = await self._problem(session, call)
            if problem is None:
                pause_seconds = self._pause_seconds
                continue
            self.failures[problem] += 1
            queue.put_nowait(call)
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, PAUSE_SECONDS_MAX)

    async def _problem(self, session: aiohttp.ClientSession, call: SyncCall) -> str | None:
        try:
            return await self._deliver(session, call)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return type(error).__name__

    async def _deliver(self, session: aiohttp.ClientSession, call: SyncCall) -> str | None:
        """What is wrong; None where the connector took it."""
        by_webhook = self.flow_step_url is None or (call.campaign == "trigger" and self.webhook_url is not None)
        if by_webhook:
            problem = await self._call_webhook(session, call)
        else:
            problem = await self._call_flow_step(session, call)
        if problem is None:
            self.instance.undelivered.discard(call.run_id)
            self.delivered[call.campaign] += 1
        return problem

    async def _call_webhook(self, session: aiohttp.ClientSession, call: SyncCall) -> str | None:
        if self.webhook_url is None:
            return "no connector is named"
        for person in call.people:
            body = webhook_body(call, person)
            async with session.post(self.webhook_url, json=body) as response:
                content = (await response.read()).decode(errors="replace")
                if not response.ok:
                    return f"HTTP {response.status}"
                if not content.strip():
                    return "1001"  # "the web service emitted an empty response body"
            said = {"Error Type": response.status, "Response": content[:1000]}
            self.instance.note_activity(CALL_WEBHOOK, person.lead_id, "Sync Person to Microsoft", said)
        return None

    async def _call_flow_step(self, session: aiohttp.ClientSession, call: SyncCall) -> str | None:
        address, flow_steps = self.base_url or self.instance.address, self.instance.flow_steps
        if self.flow_step_url is None or address is None:
            return "no address for the callback"
        if call.run_id not in self._tokens:
            self._tokens[call.run_id] = flow_steps.expect(call.campaign_id)
        body = flow_step_body(call, self._tokens[call.run_id], flow_steps.key, f"{address}{PATH}")
        async with session.post(self.flow_step_url, json=body) as response:
            if not response.ok:
                return f"HTTP {response.status}"
        self._tokens.pop(call.run_id, None)
        return None


def webhook_body(call: SyncCall, person: Asked) -> Mapping[str, Any]:
    """What the webhook's payload template makes of a person."""
    body: dict[str, Any] = {
        "requestId": person.request_id,
        "campaignId": call.campaign_id,
        "leadId": person.lead_id,
        "syncAs": person.sync_as,
        "owner": person.owner or "",
    }
    return body if person.fields is None else {**body, "updatedAt": person.updated_at, "fields": person.fields}


def flow_step_body(call: SyncCall, token: str, api_key: str, callback_url: str) -> Mapping[str, Any]:
    """The `async` schema of the Service Provider Interface."""
    campaign = {"id": call.campaign_id, "name": CAMPAIGN_NAMES[call.campaign_id], "type": call.campaign}
    return {
        "token": token,
        "batchid": call.run_id,
        "apiCallBackKey": api_key,
        "campaignId": call.campaign_id,
        "callbackUrl": callback_url,
        "context": {
            "subscription": {"munchkinId": MUNCHKIN_ID, "prefix": "leadsync"},
            "campaign": campaign,
            "admin": {},
        },
        "objectData": [
            {
                "objectType": "lead",
                "objectContext": {"id": person.lead_id, **person.view()},
                "flowStepContext": {"syncAs": person.sync_as, "assignTo": person.owner or ""},
            }
            for person in call.people
        ],
    }
