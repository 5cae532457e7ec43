"""`leadsync bench`: how fast one worker is on this machine, as a table or as one JSON object."""

from __future__ import annotations

import json
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from streams.bench.load import FIELDS_MAX, Load
from streams.bench.report import summary, table_of
from streams.bench.rounds import measure
from streams.bench.subject import BenchFailed
from streams.broker import LocalBroker
from streams.broker.lock import kafka_version
from streams.cli import broker_options, run, settings_of

DEFAULT = Load()


@click.command()
@broker_options
@click.option("--people", default=DEFAULT.people, show_default=True, type=click.IntRange(min=1))
@click.option("--edits", default=DEFAULT.edits, show_default=True, type=click.IntRange(min=1), help="In each round.")
@click.option("--rounds", default=DEFAULT.rounds, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--fields", default=DEFAULT.fields, show_default=True, type=click.IntRange(3, FIELDS_MAX), help="Of each person."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option("--profile", type=click.Path(path_type=Path), help="Write cProfile's statistics of the worker here.")
def bench(bootstrap_servers: str | None, prefix: str, as_json: bool, profile: Path | None, **sizes: int) -> None:
    """Measure one worker: source changes per second and per CPU-second, beside a loop that moves the same bytes.

    Uses the broker that is named, or starts one. Its topics have a prefix of their own and are deleted afterwards.
    """
    load = Load(**sizes)
    if load.edits > load.people:
        raise click.UsageError("--edits must be at most --people: in a round, everyone is edited once at most")
    console = Console(stderr=True)
    try:
        found = _measured(load, bootstrap_servers, prefix, console, profile)
    except BenchFailed as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(found))
    else:
        Console().print(table_of(found))


def _measured(
    load: Load, bootstrap_servers: str | None, prefix: str, console: Console, profile: Path | None
) -> dict[str, Any]:
    with ExitStack() as stack:
        started = None if bootstrap_servers else stack.enter_context(LocalBroker())
        servers = started.bootstrap_servers if started else bootstrap_servers
        settings = settings_of(servers, f"{prefix}bench-{uuid.uuid4().hex[:8]}.")
        status = stack.enter_context(console.status("starting"))
        rounds = run(measure(settings, load, status.update, profile), settings)
    return summary(load, rounds, kafka_version() if started else None)
