"""`leadsync bench`: how fast one worker is on this machine, as tables or as one JSON object."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from streams.bench.load import FIELDS_MAX, LOADS, STEADY, Load
from streams.bench.parts import BY_DEFAULT, PARTS, RATES
from streams.bench.plan import LONG_ROUNDS, plan_of
from streams.bench.subjects import WORDS
from streams.bench.whole import Asked, Whole, absent_parts, tables_of_all
from streams.broker import LocalBroker
from streams.broker.lock import kafka_version
from streams.cli import broker_options, run, settings_of

DEFAULT = Load()
WIDTH = 130
"""Of the tables where there is no terminal to ask."""


@click.command()
@broker_options
@click.option("--people", default=DEFAULT.people, show_default=True, type=click.IntRange(min=1))
@click.option("--edits", default=DEFAULT.edits, show_default=True, type=click.IntRange(min=2), help="In each round.")
@click.option(
    "--rounds", type=click.IntRange(min=1), help=f"After a warm-up.  [default: {DEFAULT.rounds}; long: {LONG_ROUNDS}]"
)
@click.option(
    "--fields", default=DEFAULT.fields, show_default=True, type=click.IntRange(3, FIELDS_MAX), help="Of each person."
)
@click.option("--load", "loads", multiple=True, type=click.Choice(list(LOADS)), help="Only this one; repeatable.")
@click.option("--subject", "subjects", multiple=True, type=click.Choice(list(WORDS)), help="Only this; repeatable.")
@click.option(
    "--part",
    multiple=True,
    type=click.Choice([RATES, *PARTS]),
    help=f"Repeatable.  [default: {', '.join(BY_DEFAULT)}; only rates where a load or a subject is named; long: all]",
)
@click.option("--long", is_flag=True, help="All parts, all loads of everybody, more rounds: half an hour or more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option(
    "--profile",
    type=click.Path(path_type=Path),
    help="Write cProfile's statistics of the worker under one load, the steady one unless --load names another, here.",
)
def bench(
    bootstrap_servers: str | None,
    prefix: str,
    people: int,
    edits: int,
    rounds: int | None,
    fields: int,
    loads: tuple[str, ...],
    subjects: tuple[str, ...],
    part: tuple[str, ...],
    long: bool,
    as_json: bool,
    profile: Path | None,
) -> None:
    """Measure one worker beside a loop that moves the same bytes. In source changes per second and per CPU-second.

    Uses the broker that is named, or starts one. Its topics have a prefix of their own and are deleted afterwards.
    """
    sizes = Load(people, edits, rounds or (LONG_ROUNDS if long else DEFAULT.rounds), fields)
    if sizes.edits > sizes.people:
        raise click.UsageError("--edits must be at most --people: in a round, everyone is edited once at most")
    if profile is not None:
        loads = loads or (STEADY,)
        if len(loads) > 1:
            raise click.UsageError("--profile is of one load; name one --load")
    asked = Asked(
        _parts(part, bool(loads or subjects), long), plan_of(sizes, loads, subjects, long=long), long, profile
    )
    found, failed = _measured(asked, bootstrap_servers, prefix)
    if as_json:
        click.echo(json.dumps(found))
    else:
        console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
        for table in tables_of_all(found):
            console.print(table)
        for line in absent_parts(found):
            console.print(line)
    if failed:
        raise click.ClickException("\n".join(f"{name}: {why}" for name, why in failed.items()))


def _parts(part: tuple[str, ...], picked: bool, long: bool) -> tuple[str, ...]:
    if part:
        return part
    if picked:
        return (RATES,)
    return (RATES, *PARTS) if long else BY_DEFAULT


def _measured(asked: Asked, bootstrap_servers: str | None, prefix: str) -> tuple[dict[str, Any], dict[str, str]]:
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # that a request is repeated is no news
    with ExitStack() as stack:
        started = None if bootstrap_servers else stack.enter_context(LocalBroker())
        servers = started.bootstrap_servers if started else bootstrap_servers
        settings = settings_of(servers, f"{prefix}bench-{uuid.uuid4().hex[:8]}.")
        say = stack.enter_context(Console(stderr=True).status("starting")).update
        whole = Whole(settings, say)
        found = run(whole.measure(asked), settings)
    found["machine"]["kafka"] = kafka_version() if started else None
    return found, whole.failed
