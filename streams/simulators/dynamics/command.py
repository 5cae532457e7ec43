"""`leadsync simulate dynamics`: an organisation to try leadsync or another client on, for as long as it runs."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import suppress
from pathlib import Path

import click
from aiohttp import web

from schemas.identity import uuid5
from schemas.vocabulary import DYNAMICS
from streams.demo.stock import stock_saving
from streams.policy import default_policy, read_policy, read_policy_file
from streams.simulators.dynamics.app import build_dynamics_app
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.tokens import DynamicsCredentials
from streams.simulators.dynamics.webhook import ServiceEndpoint
from streams.simulators.faults import Faults
from streams.simulators.options import plan_of, secret_of, serving_options
from streams.simulators.serving import serving
from streams.sync.policy import Policy

PORT = 8602
TENANT = uuid5("dynamics/tenant")
CLIENT_ID = "leadsync"
SECRET_VARIABLE = "LEADSYNC_DYNAMICS_CLIENT_SECRET"


@click.command()
@serving_options(PORT)
@click.option("--tenant", envvar="LEADSYNC_DYNAMICS_TENANT", default=TENANT, show_default=True)
@click.option("--client-id", envvar="LEADSYNC_DYNAMICS_CLIENT_ID", default=CLIENT_ID, show_default=True)
@click.option(
    "--client-secret-file",
    type=click.Path(path_type=Path),
    help=f"Holds the client secret; or {SECRET_VARIABLE}. Without either, one is made and shown.",
)
@click.option("--policy", "policy_file", type=click.Path(path_type=Path), help="Whose Dynamics columns there shall be.")
@click.option("--with-our-columns", is_flag=True, help="As after `leadsync setup`.")
@click.option(
    "--no-rewriting",
    is_flag=True,
    help="Values are kept as they were sent: no phone number or name is rewritten on save.",
)
@click.option("--no-duplicate-rule", is_flag=True, help="No record is refused as a duplicate, whatever its name says.")
@click.option("--webhook-url", help="Where every change is told, as a registered webhook would.")
def dynamics(
    host: str,
    port: int,
    seed: int,
    faults: tuple[str, ...],
    latency: tuple[float, float],
    tenant: str,
    client_id: str,
    client_secret_file: Path | None,
    policy_file: Path | None,
    with_our_columns: bool,
    no_rewriting: bool,
    no_duplicate_rule: bool,
    webhook_url: str | None,
) -> None:
    """A simulated Dynamics 365 organisation: its Web API and its token endpoint, in memory."""
    plan, policy = plan_of(faults, latency), _policy(policy_file)
    secret = secret_of(SECRET_VARIABLE, client_secret_file)
    if secret is None:
        secret = secrets.token_urlsafe(24)
        click.echo(f"client secret (made for this run): {secret}", err=True)
    rng = random.Random(seed)
    saving = stock_saving(policy, not no_rewriting, not no_duplicate_rule)[DYNAMICS]
    instance = DynamicsInstance(policy, rng, saving, with_our_columns=with_our_columns)
    app = build_dynamics_app(
        instance,
        Faults(plan, random.Random(f"{seed}/faults")),
        credentials=DynamicsCredentials(tenant, client_id, secret),
        endpoint=None if webhook_url is None else ServiceEndpoint(webhook_url),
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(app, host, port, tenant))


async def _serve(app: web.Application, host: str, port: int, tenant: str) -> None:
    async with serving(app, host, port) as address:
        click.echo(address)
        click.echo(f"tokens: {address}/{tenant}/oauth2/v2.0/token", err=True)
        await asyncio.Event().wait()


def _policy(path: Path | None) -> Policy:
    return default_policy() if path is None else read_policy(*read_policy_file(path), path.name)
