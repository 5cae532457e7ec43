"""A served instance with a clock of the test's own, and a client that speaks plain HTTP to it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from schemas.vocabulary import MARKETO
from streams.demo.record import HeldRecord
from streams.demo.stock import stock_saving
from streams.demo.witness import Unwatched, Witness
from streams.policy import default_policy
from streams.simulators.faults import FaultPlan, Faults
from streams.simulators.marketo.app import METER, build_marketo_app
from streams.simulators.marketo.identity import MarketoCredentials
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.marketo.limits import Limits
from streams.simulators.serving import serving
from streams.sync.messages import ApplyCommand, SourceChange, Value

NOW = 1_790_000_000.0
CONNECTOR = MarketoCredentials("leadsync", "s3cret", "leadsync@api.example")
USER = MarketoCredentials("crm-export", "0ther", "export@api.example")
LONG_AGO = "2020-01-01T00:00:00Z"

Json = dict[str, Any]


class Clock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Recording(Unwatched):
    """A witness that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def created(self, held: HeldRecord, entered: Mapping[str, Value], command: ApplyCommand | None) -> None:
        self.told.append(("created", held.id, dict(entered), command))

    def entered(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        self.told.append(("entered", held.id, dict(changed)))

    def landed(self, held: HeldRecord, command: ApplyCommand) -> None:
        self.told.append(("landed", held.id, command))

    def deleted(self, held: HeldRecord) -> None:
        self.told.append(("deleted", held.id))

    def merged(self, loser: HeldRecord, winner: HeldRecord) -> None:
        self.told.append(("merged", loser.id, winner.id))

    def requested(self, held: HeldRecord, change: SourceChange) -> None:
        self.told.append(("requested", held.id, change))

    def linked(self, held: HeldRecord, person_key: str) -> None:
        self.told.append(("linked", held.id, person_key))


class Client:
    """Calls the instance with one user's token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, credentials: MarketoCredentials) -> None:
        self.session, self.url, self.credentials = session, url, credentials
        self.token = ""

    async def identify(self) -> Json:
        asked = {
            "grant_type": "client_credentials",
            "client_id": self.credentials.client_id,
            "client_secret": self.credentials.client_secret,
        }
        async with self.session.get(f"{self.url}/identity/oauth/token", params=asked) as response:
            answer: Json = await response.json()
        self.token = answer["access_token"]
        return answer

    async def response(self, method: str, path: str, **more: Any) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        async with self.session.request(method, f"{self.url}{path}", headers=headers, **more) as response:
            return response.status, response.headers, await response.read()

    async def call(self, method: str, path: str, body: Any = None, **params: Any) -> Json:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.session.request(
            method, f"{self.url}{path}", headers=headers, params=params, json=body
        ) as response:
            answer: Json = await response.json()
        return answer

    async def get(self, path: str, **params: Any) -> Json:
        """A call that must succeed."""
        answer = await self.call("GET", path, **params)
        assert answer["success"], answer
        return answer

    async def post(self, path: str, body: Any = None, **params: Any) -> Json:
        """A call that must succeed."""
        answer = await self.call("POST", path, body, **params)
        assert answer["success"], answer
        return answer

    async def code(self, method: str, path: str, body: Any = None, **params: Any) -> str:
        """The code of a call that must be refused."""
        answer = await self.call(method, path, body, **params)
        assert answer["success"] is False and set(answer) == {"requestId", "success", "errors"}, answer
        return str(answer["errors"][0]["code"])

    async def sync(self, action: str, lookup_field: str | None, *records: Json) -> list[Json]:
        """Sync Leads."""
        body: Json = {"action": action, "input": list(records)}
        if lookup_field is not None:
            body["lookupField"] = lookup_field
        results: list[Json] = (await self.post("/rest/v1/leads.json", body))["result"]
        return results

    async def since(self, when: str = LONG_AGO) -> str:
        """A paging token."""
        answer = await self.get("/rest/v1/activities/pagingtoken.json", sinceDatetime=when)
        return str(answer["nextPageToken"])

    async def changes(self, token: str, fields: str, **more: Any) -> tuple[list[Json], Json]:
        """One page of lead changes: its activities, and the whole answer."""
        page = await self.get("/rest/v1/activities/leadchanges.json", nextPageToken=token, fields=fields, **more)
        return page["result"], page


class Served:
    """The instance, its faults, and two clients: the connector's and a user's."""

    def __init__(
        self, instance: MarketoInstance, faults: Faults, clock: Clock, witness: Recording, url: str, meter: Any
    ) -> None:
        self.instance, self.faults, self.clock, self.witness = instance, faults, clock, witness
        self.url, self.meter = url, meter
        self.connector: Client
        self.user: Client

    def person(self, **values: Value) -> HeldRecord:
        """Somebody typed in in Marketo's own screens."""
        return self.instance.create("marketing", {"lastName": "Lovelace", **values}, self.clock.now)


@asynccontextmanager
async def served(
    *,
    shares: Mapping[str, float] | None = None,
    plan: FaultPlan | None = None,
    limits: Limits | None = None,
    with_our_fields: bool = True,
    rewriting: bool = False,
    **more: Any,
) -> AsyncIterator[Served]:
    """An instance of the shipped policy, behind REST."""
    policy, clock, recording = default_policy(), Clock(), Recording()
    witness: Witness = recording
    instance = MarketoInstance(
        policy,
        random.Random(1),
        stock_saving(policy, rewriting=rewriting)[MARKETO],
        witness,
        clock=clock,
        with_our_fields=with_our_fields,
        **more,
    )
    faults = Faults(plan or FaultPlan(shares or {}), random.Random(7))
    app = build_marketo_app(instance, faults, credentials=CONNECTOR, others=[USER], limits=limits)
    async with serving(app) as url, aiohttp.ClientSession() as session:
        stage = Served(instance, faults, clock, recording, url, app[METER])
        stage.connector, stage.user = Client(session, url, CONNECTOR), Client(session, url, USER)
        await stage.connector.identify()
        await stage.user.identify()
        yield stage
