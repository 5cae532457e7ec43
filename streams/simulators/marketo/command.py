"""`leadsync simulate marketo`: one instance, in memory, until it is interrupted."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import suppress
from pathlib import Path

import click

from schemas.vocabulary import MARKETO
from streams.demo.stock import stock_saving
from streams.policy import default_policy, read_policy, read_policy_file
from streams.simulators.faults import FaultPlan, Faults
from streams.simulators.marketo.app import build_marketo_app
from streams.simulators.marketo.engine import CampaignEngine
from streams.simulators.marketo.identity import MarketoCredentials
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.options import plan_of, secret_of, serving_options
from streams.simulators.serving import serving
from streams.sync.policy import Policy

PORT = 8601
CLIENT_ID = "leadsync"


@click.command()
@serving_options(PORT)
@click.option("--client-id", envvar="LEADSYNC_MARKETO_CLIENT_ID", default=CLIENT_ID, show_default=True)
@click.option(
    "--client-secret-file",
    type=click.Path(path_type=Path),
    help="Holds the client secret; or LEADSYNC_MARKETO_CLIENT_SECRET. Without either, one is made and shown.",
)
@click.option("--policy", "policy_file", type=click.Path(path_type=Path), help="Whose Marketo fields there shall be.")
@click.option("--with-our-fields", is_flag=True, help="As after `leadsync setup`.")
@click.option(
    "--indexing-seconds",
    default=0.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How late activities show in the feed.",
)
@click.option("--webhook-url", help="Where the connector takes Sync Person of trigger campaigns.")
@click.option("--flow-step-url", help="Where it takes Sync Person of batch campaigns.")
@click.option(
    "--webhook-secret-file",
    type=click.Path(path_type=Path),
    help="Holds the secret for both; or LEADSYNC_MARKETO_WEBHOOK_SECRET.",
)
def marketo(
    host: str,
    port: int,
    seed: int,
    faults: tuple[str, ...],
    latency: tuple[float, float],
    client_id: str,
    client_secret_file: Path | None,
    policy_file: Path | None,
    with_our_fields: bool,
    indexing_seconds: float,
    webhook_url: str | None,
    flow_step_url: str | None,
    webhook_secret_file: Path | None,
) -> None:
    """A simulated Marketo Engage instance: its REST API, in memory."""
    plan, policy = plan_of(faults, latency), _policy(policy_file)
    client_secret = secret_of("LEADSYNC_MARKETO_CLIENT_SECRET", client_secret_file)
    if client_secret is None:
        client_secret = secrets.token_urlsafe(24)
        click.echo(f"client secret (made for this run): {client_secret}", err=True)
    instance = MarketoInstance(
        policy,
        random.Random(seed),
        stock_saving(policy)[MARKETO],
        with_our_fields=with_our_fields,
        indexing_seconds=indexing_seconds,
    )
    engine = None
    if webhook_url or flow_step_url:
        secret = secret_of("LEADSYNC_MARKETO_WEBHOOK_SECRET", webhook_secret_file)
        if secret is None:
            raise click.UsageError(
                "Sync Person needs a secret: --webhook-secret-file or LEADSYNC_MARKETO_WEBHOOK_SECRET"
            )
        engine = CampaignEngine(instance, webhook_url, flow_step_url, secret)
    credentials = MarketoCredentials(client_id, client_secret)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(instance, plan, seed, credentials, engine, host, port))


async def _serve(
    instance: MarketoInstance,
    plan: FaultPlan,
    seed: int,
    credentials: MarketoCredentials,
    engine: CampaignEngine | None,
    host: str,
    port: int,
) -> None:
    app = build_marketo_app(instance, Faults(plan, random.Random(f"{seed}/faults")), credentials=credentials)
    async with serving(app, host, port) as address:
        click.echo(address)
        if engine is None:
            await asyncio.Event().wait()
        else:
            engine.base_url = address
            await engine.run()


def _policy(path: Path | None) -> Policy:
    return default_policy() if path is None else read_policy(*read_policy_file(path), path.name)
