"""`leadsync demo`: a broker if none is given, then one run of the demo, its view on standard error, its summary on standard output."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from streams.broker import LocalBroker
from streams.cli import broker_options, run, settings_of
from streams.demo.fleet import WorkerFailed
from streams.demo.quiet import NotQuiet
from streams.demo.runner import Demo
from streams.demo.stage import Plan
from streams.demo.summary import Summary
from streams.demo.view import follow
from streams.settings import Settings

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
EDITS = 1_500
SECONDS_OF_CHAOS = 120.0
EDITS_PER_SECOND_UNDER_CHAOS = 30
"""Little enough to be worked off while a good part of the time nobody works."""
WORKERS_UNDER_CHAOS = 2
EX_DIFFERS = 1
EX_FAILED = 2
EX_INTERRUPTED = 130


class DemoFailed(click.ClickException):
    """The demo could not be brought to its end; that is no verdict on the records."""

    exit_code = EX_FAILED


@click.command()
@broker_options
@click.option(
    "--people", default=300, show_default=True, type=click.IntRange(1, 100_000), help="How many to start with."
)
@click.option(
    "--edits",
    type=click.IntRange(0, 10_000_000),
    help=f"Saves by simulated users.  [default: {EDITS:,}; with --chaos {EDITS_PER_SECOND_UNDER_CHAOS} a second]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help=f"Spread the edits over this time, and stop then.  [default with --chaos: {SECONDS_OF_CHAOS:.0f}]",
)
@click.option("--seed", default=1, show_default=True, help="Who does what; the same seed, the same people and habits.")
@click.option(
    "--workers",
    type=click.IntRange(1, 16),
    help="Each a process of its own.  [default: 1; with --chaos 2, and more at times]",
)
@click.option(
    "--kill-worker-at", type=click.FloatRange(0, 1), help="kill -9 for one worker after this share of the edits."
)
@click.option("--rest", is_flag=True, help="Both systems behind REST, two connectors between them and Kafka.")
@click.option(
    "--faults/--no-faults", default=True, show_default=True, help="Of REST: whether anything goes wrong on purpose."
)
@click.option(
    "--kill-connectors",
    default=0,
    show_default=True,
    type=click.IntRange(0, 100),
    help="kill -9 so often, with --rest.",
)
@click.option(
    "--chaos",
    is_flag=True,
    help="Workers, stores and a broker of our own are killed, stopped and damaged on purpose; then every topic is audited.",
)
@click.option("--json", "as_json", is_flag=True, help="One summary object on standard output.")
@click.option("--keep", is_flag=True, help="Leave the workers' logs, and the topics where the broker is yours.")
def demo(
    bootstrap_servers: str | None,
    prefix: str,
    people: int,
    edits: int | None,
    seconds: float | None,
    seed: int,
    workers: int | None,
    kill_worker_at: float | None,
    rest: bool,
    faults: bool,
    kill_connectors: int,
    chaos: bool,
    as_json: bool,
    keep: bool,
) -> None:
    """Show the main job on simulated systems. Two of them, people who edit in both, and leadsync between: do all end alike?

    Exit status 0 when they do, 1 when they differ.
    """
    if kill_connectors and not rest:
        raise click.UsageError("--kill-connectors goes with --rest: without it there are no connectors")
    if chaos and (rest or kill_worker_at is not None):
        raise click.UsageError("--chaos goes without --rest and --kill-worker-at: it has strikes of its own")
    if chaos:
        seconds, workers = seconds or SECONDS_OF_CHAOS, workers or WORKERS_UNDER_CHAOS
        edits = round(seconds * EDITS_PER_SECOND_UNDER_CHAOS) if edits is None else edits
    edits, workers = EDITS if edits is None else edits, workers or 1
    plan = Plan(people, edits, seconds, seed, workers, kill_worker_at, rest, faults, kill_connectors, chaos)
    folder, is_telling = Path(tempfile.mkdtemp(prefix="leadsync-demo-")), True
    logging.basicConfig(filename=folder / "demo.log", level="WARNING", format=LOG_FORMAT)
    try:
        summary = _run(plan, bootstrap_servers, prefix, folder, keep)
        _tell(summary, as_json)
        is_telling = keep or not summary.is_alike
    except (WorkerFailed, NotQuiet) as error:
        raise DemoFailed(str(error)) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        is_telling = keep
        click.echo("stopped", err=True)
        raise SystemExit(EX_INTERRUPTED) from None
    finally:
        if is_telling:
            click.echo(f"logs are in {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    raise SystemExit(0 if summary.is_alike else EX_DIFFERS)


def _run(plan: Plan, bootstrap_servers: str | None, prefix: str, folder: Path, keep: bool) -> Summary:
    """On the broker given, else on one of our own; topics on the latter go with it."""
    console = Console(stderr=True)
    with ExitStack() as stack:
        broker = None
        if not bootstrap_servers:
            console.print("starting a broker …", highlight=False)
            broker = stack.enter_context(LocalBroker())
            bootstrap_servers = broker.bootstrap_servers
        settings = settings_of(bootstrap_servers, f"{prefix}demo-{secrets.token_hex(3)}.")
        if keep:
            console.print(_kept(settings, is_broker_ours=broker is not None), highlight=False, soft_wrap=True)
        result: Summary = run(_play(settings, plan, folder, console, broker, keep), settings)
        return result


def _kept(settings: Settings, is_broker_ours: bool) -> str:
    if is_broker_ours:
        return "--keep: the topics go with the demo's own broker, the logs stay; name a broker of yours to keep both"
    return f"--bootstrap-servers {settings.bootstrap_servers} --prefix {settings.prefix}"


async def _play(
    settings: Settings, plan: Plan, folder: Path, console: Console, broker: LocalBroker | None, keep: bool
) -> Summary:
    """Ctrl-C and SIGTERM cancel this task, and everything ends in good order on the way out."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    demo = Demo(settings, plan, folder, broker)
    showing = asyncio.create_task(follow(demo.progress, console))
    try:
        return await demo.run()
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        if broker is None and not keep:
            await demo.delete_topics()


def _tell(summary: Summary, as_json: bool) -> None:
    """For `--json`, nothing but the object on standard output."""
    *lines, verdict = summary.lines()
    if as_json:
        click.echo(summary.model_dump_json())
    for line in lines:
        click.echo(line, err=as_json)
    click.secho(verdict, bold=True, fg="green" if summary.is_alike else "red", err=as_json)
