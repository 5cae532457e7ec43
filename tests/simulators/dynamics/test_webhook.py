"""A registered webhook: one POST for each change, as a wake-up."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from streams.simulators.dynamics.directory import user_id_of
from streams.simulators.dynamics.webhook import ServiceEndpoint
from streams.simulators.serving import serving
from tests.simulators.dynamics.organisation import organisation

DEADLINE_SECONDS = 10.0


class Endpoint:
    """Takes what it is sent; answers with the statuses of `answers`, then with 200."""

    def __init__(self, *answers: int) -> None:
        self.taken: asyncio.Queue[tuple[dict[str, str], dict[str, Any]]] = asyncio.Queue()
        self._answers = list(answers)
        self.app = web.Application(client_max_size=10_000_000)
        self.app.router.add_post("/hook", self._take)

    async def next(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Headers and body of the next call."""
        return await asyncio.wait_for(self.taken.get(), DEADLINE_SECONDS)

    async def _take(self, request: web.Request) -> web.Response:
        self.taken.put_nowait((dict(request.headers), await request.json()))
        return web.Response(status=self._answers.pop(0) if self._answers else 200)


async def test_changes_are_told_with_who_made_them() -> None:
    """Create, Update and Delete, by REST and within the process, with the headers that the endpoint asks for."""
    endpoint = Endpoint()
    async with (
        serving(endpoint.app) as url,
        organisation(endpoint=ServiceEndpoint(f"{url}/hook", {"x-key": "k"})) as org,
    ):
        lead_id = await org.lead(jobtitle="CTO")
        headers, made = await endpoint.next()
        assert (made["MessageName"], made["PrimaryEntityName"], made["PrimaryEntityId"]) == (
            "Create",
            "lead",
            lead_id,
        )
        assert (headers["x-key"], headers["x-ms-dynamics-request-name"]) == ("k", "Create")
        org.instance.edit(lead_id, "tim", {"jobtitle": "CEO"}, org.clock[0])
        _, changed = await endpoint.next()
        assert (changed["MessageName"], changed["InitiatingUserId"]) == ("Update", user_id_of("tim"))
        written = {each["key"]: each["value"] for each in changed["InputParameters"][0]["value"]["Attributes"]}
        assert written["jobtitle"] == "CEO" and changed["OperationCreatedOn"] == "/Date(1790000000000+0000)/"
        await org.ask("DELETE", f"leads({lead_id})")
        _, gone = await endpoint.next()
        assert (gone["MessageName"], gone["InputParameters"][0]["value"]["Id"]) == ("Delete", lead_id)


async def test_a_gateway_error_is_tried_once_more_and_no_other() -> None:
    """503, 503: given up; 500: given up at once."""
    endpoint = Endpoint(503, 503, 500)
    async with serving(endpoint.app) as url, organisation(endpoint=ServiceEndpoint(f"{url}/hook")) as org:
        first, second, third = [await org.lead() for _ in range(3)]
        told = [(await endpoint.next())[1]["PrimaryEntityId"] for _ in range(4)]
        assert told == [first, first, second, third]


async def test_a_large_change_comes_without_its_values() -> None:
    """Above 256 KB, with the header that says so."""
    endpoint = Endpoint()
    memo = {
        "@odata.type": "Microsoft.Dynamics.CRM.MemoAttributeMetadata",
        "SchemaName": "new_Long",
        "MaxLength": 400_000,
    }
    async with serving(endpoint.app) as url, organisation(endpoint=ServiceEndpoint(f"{url}/hook")) as org:
        await org.ask("POST", "EntityDefinitions(LogicalName='lead')/Attributes", memo)
        await org.lead(new_long="x" * 300_000)
        headers, body = await endpoint.next()
        assert headers["x-ms-dynamics-msg-size-exceeded"] == "true" and "InputParameters" not in body


async def test_an_endpoint_that_is_not_there_stops_nobody() -> None:
    """Changes are made all the same."""
    async with organisation(endpoint=ServiceEndpoint("http://127.0.0.1:9/hook")) as org:
        assert (await org.ask("GET", f"leads({await org.lead()})")).status == 200
