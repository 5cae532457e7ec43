"""The two simulators on ports of this machine, in a thread of their own, so that commands can be run as a user runs them."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from click.testing import CliRunner, Result

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.cli import cli
from streams.demo.stock import stock_saving
from streams.policy import default_policy
from streams.simulators.dynamics.app import build_dynamics_app
from streams.simulators.dynamics.columns import Column
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.tokens import DynamicsCredentials
from streams.simulators.faults import Faults
from streams.simulators.marketo.app import build_marketo_app
from streams.simulators.marketo.identity import MarketoCredentials
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.serving import serving

SECRETS = {"marketo": "hush-marketo-7f", "dynamics": "hush-dynamics-7f"}
TENANT = "contoso.example"


@dataclass
class Systems:
    """Both instances, and the environment in which commands reach them."""

    marketo: MarketoInstance
    dynamics: DynamicsInstance
    denied: set[str] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, answer: str | None = None, **environment: str | None) -> Result:
        """A command, with its environment changed by `environment` (None: without)."""
        variables = {**dict.fromkeys(ALL_VARIABLES), **self.environment, **environment}
        return CliRunner(env=variables).invoke(cli, arguments, input=answer, prog_name="leadsync")

    def change(self, kind: str, name: str, **changed: Any) -> None:
        """Change a column of a lead or contact, or make one."""
        table = self.dynamics.schema.tables[kind]
        table.columns[name] = replace(table.columns.get(name) or Column(name, "String"), **changed)

    def change_field(self, name: str, **changed: Any) -> None:
        """Change a field of a person."""
        fields = self.marketo.catalog._fields
        fields[name] = replace(fields[name], **changed)

    @property
    def written(self) -> tuple[int, int]:
        """Rises with whatever is written to a record."""
        return self.dynamics.version, self.marketo.log.end


ALL_VARIABLES = [
    "LEADSYNC_BOOTSTRAP_SERVERS",
    "LEADSYNC_PREFIX",
    *(
        f"LEADSYNC_{system}_{name}"
        for system in ("MARKETO", "DYNAMICS")
        for name in ("URL", "IDENTITY_URL", "AUTHORITY", "TENANT", "CLIENT_ID", "CLIENT_SECRET", "CLIENT_SECRET_FILE", "CA_FILE")
    ),
]  # fmt: skip


@contextmanager
def both_running(with_our_fields: bool) -> Iterator[Systems]:
    """Both systems, empty, with the fields of the shipped policy."""
    policy = default_policy()
    saving = stock_saving(policy)
    systems = Systems(
        MarketoInstance(policy, random.Random(1), saving[MARKETO], with_our_fields=with_our_fields),
        DynamicsInstance(policy, random.Random(2), saving[DYNAMICS], with_our_columns=with_our_fields),
    )
    marketo = build_marketo_app(
        systems.marketo, Faults(), credentials=MarketoCredentials("our-service", SECRETS["marketo"])
    )
    marketo.middlewares.append(_denying(systems.denied))
    dynamics = build_dynamics_app(
        systems.dynamics, Faults(), credentials=DynamicsCredentials(TENANT, "our-app", SECRETS["dynamics"])
    )
    with in_a_thread(marketo, dynamics) as (marketo_url, dynamics_url):
        systems.environment = {
            "LEADSYNC_MARKETO_URL": marketo_url,
            "LEADSYNC_MARKETO_CLIENT_ID": "our-service",
            "LEADSYNC_MARKETO_CLIENT_SECRET": SECRETS["marketo"],
            "LEADSYNC_DYNAMICS_URL": dynamics_url,
            "LEADSYNC_DYNAMICS_AUTHORITY": dynamics_url,
            "LEADSYNC_DYNAMICS_TENANT": TENANT,
            "LEADSYNC_DYNAMICS_CLIENT_ID": "our-app",
            "LEADSYNC_DYNAMICS_CLIENT_SECRET": SECRETS["dynamics"],
        }
        yield systems


def _denying(denied: set[str]) -> Any:
    """A role without permissions: method and path of each call that is refused with 603."""

    @web.middleware
    async def deny(request: web.Request, handler: Any) -> web.StreamResponse:
        if f"{request.method} {request.path}" in denied:
            errors = [{"code": "603", "message": "Access denied"}]
            return web.json_response({"requestId": "1#1", "success": False, "errors": errors})
        response: web.StreamResponse = await handler(request)
        return response

    return deny


@contextmanager
def in_a_thread(*apps: web.Application) -> Iterator[list[str]]:
    """Serve the applications, each on a port of its own; gives their addresses."""
    addresses: list[str] = []
    ready, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            addresses.extend([await stack.enter_async_context(serving(app)) for app in apps])
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10), "the simulators did not start"
    try:
        yield addresses
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()
