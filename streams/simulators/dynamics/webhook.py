"""A service endpoint that is told of changes, as a registered webhook is: RemoteExecutionContext as JSON, one POST for each change.

Asynchronous and without a promise: 60 seconds each, one more try after 502, 503 and 504, and then it is forgotten.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from streams.simulators.dynamics.directory import BUSINESS_UNIT_ID, ORGANISATION_ID, user_id_of
from streams.simulators.dynamics.instance import DynamicsInstance, Event

SECONDS_MAX = 60.0
TRIED_AGAIN = (502, 503, 504)
BODY_BYTES_MAX = 256 * 1024
WAITING_MAX = 10_000
POST_OPERATION, ASYNCHRONOUS = 40, 1
_CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
_STRIPPED = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")


@dataclass(frozen=True)
class ServiceEndpoint:
    """Where changes are told. `headers`: what the endpoint knows the organisation by."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Webhook:
    """Tells one endpoint of an instance's changes. `answers`: the HTTP statuses that came back; 0 for none."""

    def __init__(self, instance: DynamicsInstance, endpoint: ServiceEndpoint) -> None:
        self.answers: list[int] = []
        self._instance, self._endpoint = instance, endpoint
        self._events: asyncio.Queue[Event] = asyncio.Queue(WAITING_MAX)

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        """For as long as the application runs."""
        self._instance.on_event = self._take
        task = asyncio.create_task(self._tell_all())
        yield
        self._instance.on_event = None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def _take(self, event: Event) -> None:
        with suppress(asyncio.QueueFull):  # it is a wake-up, and there are enough of them
            self._events.put_nowait(event)

    async def _tell_all(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(SECONDS_MAX)) as session:
            while True:
                event = await self._events.get()
                status = await self._tell(session, event)
                if status in TRIED_AGAIN:
                    status = await self._tell(session, event)
                self.answers.append(status)

    async def _tell(self, session: aiohttp.ClientSession, event: Event) -> int:
        context = execution_context(event, self._instance.clock())
        headers = {
            "x-ms-dynamics-organization": "leadsync.crm.dynamics.com",
            "x-ms-dynamics-entity-name": event.record.type,
            "x-ms-dynamics-request-name": event.message,
            "x-ms-correlation-request-id": context["CorrelationId"],
            "Content-Type": "application/json",
            **self._endpoint.headers,
        }
        body = json.dumps(context).encode()
        if len(body) > BODY_BYTES_MAX:
            headers["x-ms-dynamics-msg-size-exceeded"] = "true"
            body = json.dumps({name: value for name, value in context.items() if name not in _STRIPPED}).encode()
        try:
            async with session.post(self._endpoint.url, data=body, headers=headers) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


def execution_context(event: Event, now: float) -> dict[str, Any]:
    """RemoteExecutionContext of a change. `now`: seconds since the epoch."""
    record, user_id = event.record, user_id_of(event.who)
    reference: dict[str, Any] = {"Id": record.id, "LogicalName": record.type, "KeyAttributes": [], "RowVersion": None}
    target: dict[str, Any] = {"__type": f"EntityReference:{_CONTRACTS}", "Name": None, **reference}
    if event.message != "Delete":
        target = {
            "__type": f"Entity:{_CONTRACTS}",
            "Attributes": [
                {"key": f"{record.type}id", "value": record.id},
                *({"key": name, "value": value} for name, value in event.values.items()),
            ],
            "EntityState": None,
            "FormattedValues": [],
            "RelatedEntities": [],
            **reference,
        }
    return {
        "BusinessUnitId": BUSINESS_UNIT_ID,
        "CorrelationId": str(uuid.uuid4()),
        "Depth": 1,
        "InitiatingUserId": user_id,
        "InputParameters": [{"key": "Target", "value": target}],
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": event.message,
        "Mode": ASYNCHRONOUS,
        "OperationCreatedOn": f"/Date({int(now * 1000)}+0000)/",
        "OperationId": str(uuid.uuid4()),
        "OrganizationId": ORGANISATION_ID,
        "OrganizationName": "leadsync",
        "OutputParameters": [],
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [],
        "PrimaryEntityId": record.id,
        "PrimaryEntityName": record.type,
        "RequestId": None,
        "SecondaryEntityName": "none",
        "SharedVariables": [],
        "Stage": POST_OPERATION,
        "UserId": user_id,
    }
