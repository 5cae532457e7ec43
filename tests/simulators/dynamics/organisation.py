"""A simulated organisation that runs, a client that speaks plain HTTP to it, and a witness that writes down what it is told."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp

from streams.demo.record import HeldRecord
from streams.demo.saving import Saving
from streams.demo.stock import stock_saving
from streams.demo.witness import Unwatched
from streams.policy import default_policy
from streams.simulators.dynamics.app import GATE, TOKENS, build_dynamics_app
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.limits import Gate, Limits
from streams.simulators.dynamics.tokens import DynamicsCredentials, Tokens
from streams.simulators.dynamics.webhook import ServiceEndpoint
from streams.simulators.faults import FaultPlan, Faults
from streams.simulators.serving import serving
from streams.sync.messages import ApplyCommand, Value

CREDENTIALS = DynamicsCredentials("contoso-tenant", "leadsync-app", "not-so-secret")
NOW = 1_790_000_000.0
LEAD_ID = "6f0e0000-0000-4000-8000-000000000001"
QUALIFY = {"CreateAccount": False, "CreateContact": True, "CreateOpportunity": False, "Status": 3}


class Answer(NamedTuple):
    """What came back. `row`: the JSON object; `text`: the body as it is."""

    status: int
    row: Any
    text: str
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The error's code; empty where it is none."""
        return self.row["error"]["code"] if isinstance(self.row, dict) and "error" in self.row else ""

    @property
    def message(self) -> str:
        """The error's message."""
        return str(self.row["error"]["message"])

    @property
    def entity_id(self) -> str:
        """The id within OData-EntityId."""
        return self.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")


class Told(Unwatched):
    """Writes down every fact, with what it is about."""

    def __init__(self) -> None:
        self.facts: list[tuple[Any, ...]] = []

    def created(self, held: HeldRecord, entered: Mapping[str, Value], command: ApplyCommand | None) -> None:
        self.facts.append(("created", held.id, command))

    def entered(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        self.facts.append(("entered", held.id, dict(changed)))

    def landed(self, held: HeldRecord, command: ApplyCommand) -> None:
        self.facts.append(("landed", held.id, command))

    def deleted(self, held: HeldRecord) -> None:
        self.facts.append(("deleted", held.id))

    def merged(self, loser: HeldRecord, winner: HeldRecord) -> None:
        self.facts.append(("merged", loser.id, winner.id))

    def converted(self, lead: HeldRecord, contact: HeldRecord) -> None:
        self.facts.append(("converted", lead.id, contact.id))

    def shown(self, held: HeldRecord) -> None:
        self.facts.append(("shown", held.id, held.version))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        """The facts of one kind."""
        return [fact for fact in self.facts if fact[0] == kind]


@dataclass
class Organisation:
    """`ask` for a request with a good token; `lead` for a lead that somebody made by REST."""

    instance: DynamicsInstance
    faults: Faults
    told: Told
    gate: Gate
    tokens: Tokens
    address: str
    http: aiohttp.ClientSession
    clock: list[float]
    token: str = field(default="", repr=False)

    @property
    def api(self) -> str:
        """Where the Web API begins."""
        return f"{self.address}/api/data/v9.2/"

    async def sign_in(self, **form: str) -> Answer:
        """Ask the token endpoint."""
        asked = {
            "grant_type": "client_credentials",
            "client_id": CREDENTIALS.client_id,
            "client_secret": CREDENTIALS.client_secret,
            "scope": f"{self.address}/.default",
        }
        url = f"{self.address}/{CREDENTIALS.tenant_id}/oauth2/v2.0/token"
        async with self.http.post(url, data={**asked, **form}) as found:
            text = await found.text()
            return Answer(found.status, json.loads(text), text, found.headers)

    async def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """A request below the root, or to a whole address. Header names with `_` for `-`."""
        url = target if "://" in target else self.api + target
        sent = {"Authorization": f"Bearer {self.token}", **{n.replace("_", "-"): v for n, v in headers.items()}}
        async with self.http.request(method, url, json=body, headers=sent) as found:
            text = await found.text()
            is_json = "json" in found.headers.get("Content-Type", "")
            return Answer(found.status, json.loads(text) if is_json else None, text, found.headers)

    async def batch(self, body: str, boundary: str = "b", **headers: str) -> Answer:
        """A `$batch`; lines may end with a bare newline."""
        sent = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": f'multipart/mixed; boundary="{boundary}"',
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        async with self.http.post(f"{self.api}$batch", data=body.encode(), headers=sent) as found:
            text = await found.text()
            is_json = "json" in found.headers.get("Content-Type", "")
            return Answer(found.status, json.loads(text) if is_json else None, text, found.headers)

    async def lead(self, **values: Any) -> str:
        """A new lead's id."""
        return (await self.ask("POST", "leads", {"lastname": "Lovelace", "subject": "Trial", **values})).entity_id

    async def synced_lead(self, revision: int = 1, lead_id: str = LEAD_ID, **values: Any) -> str:
        """A lead that a command makes."""
        body = {"lastname": "Lovelace", "new_leadsynckey": "p-1#1", "new_leadsyncrevision": revision, **values}
        made = await self.ask("PATCH", f"leads({lead_id})", body, If_None_Match="*")
        assert made.status == 204, made.text
        return lead_id

    async def changes(self, target: str, rows_max: int = 5_000) -> tuple[list[dict[str, Any]], str]:
        """All pages of change tracking from here: the entries and the next delta link."""
        found: list[dict[str, Any]] = []
        prefer = f"odata.track-changes,odata.maxpagesize={rows_max}"
        while True:
            page = (await self.ask("GET", target, Prefer=prefer)).row
            found += page["value"]
            if "@odata.deltaLink" in page:
                return found, str(page["@odata.deltaLink"])
            target = page["@odata.nextLink"]


@asynccontextmanager
async def organisation(
    shares: Mapping[str, float] | None = None,
    *,
    limits: Limits | None = None,
    plan: FaultPlan | None = None,
    saving: Saving | None = None,
    endpoint: ServiceEndpoint | None = None,
    **more: Any,
) -> AsyncIterator[Organisation]:
    """An organisation with our columns, at a time that stands still until `clock[0]` is set, with a client that has signed in."""
    policy, told, clock = default_policy(), Told(), [NOW]
    kept = saving or stock_saving(policy)["dynamics"]
    options = {"with_our_columns": True, **more}
    instance = DynamicsInstance(policy, random.Random(1), kept, told, clock=lambda: clock[0], **options)
    faults = Faults(plan or FaultPlan(shares or {}), random.Random(2))
    app = build_dynamics_app(instance, faults, credentials=CREDENTIALS, limits=limits, endpoint=endpoint)
    async with serving(app) as address, aiohttp.ClientSession() as http:
        made = Organisation(instance, faults, told, app[GATE], app[TOKENS], address, http, clock)
        made.token = (await made.sign_in()).row["access_token"]
        yield made
