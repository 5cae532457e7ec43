"""`leadsync bootstrap`: the initial sync. Shows what it would do, asks, does it; a start after a crash goes on where it was."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from streams.cli import run
from streams.connectors.journal import TakenOver
from streams.connectors.settings import DynamicsConnection, MarketoConnection
from streams.instances.agreeing import agreed
from streams.instances.bootstrapping.display import as_json, print_summary
from streams.instances.bootstrapping.plan import Summary
from streams.instances.bootstrapping.plan_file import check_file
from streams.instances.bootstrapping.progress import progress_shown
from streams.instances.bootstrapping.running import Bootstrap, Choices
from streams.instances.bootstrapping.writing import Written
from streams.instances.connecting import NAMES, dynamics_here, marketo_here
from streams.operating.display import note, plural, print_json
from streams.operating.refused import Refused
from streams.operating.settings_here import on_broker, settings_here
from streams.settings import Settings
from streams.topics import ensure_topics

EX_DECLINED = 1
STATE = Path("leadsync-bootstrap")


def _past(_context: click.Context, _parameter: click.Parameter, since: datetime | None) -> datetime | None:
    if since is not None and since.replace(tzinfo=UTC) > datetime.now(UTC):
        raise click.BadParameter(f"{since:%Y-%m-%d} is still to come; name a day from before Marketo's first person")
    return since


@click.command()
@click.option(
    "--since",
    type=click.DateTime(("%Y-%m-%d",)),
    metavar="YYYY-MM-DD",
    callback=_past,
    help="Marketo people created from this day on (UTC) are read.",
)
@click.option(
    "--match", "match", type=click.Choice(["email"]), help="Link by e-mail address too, where one record each has it."
)
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what would be done to this .csv, .jsonl or .json file, and do nothing.",
)
@click.option(
    "--state",
    default=STATE,
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where what was read is kept until all is done.",
)
@click.option("--fresh", is_flag=True, help="Read again what an earlier start has read.")
@click.option("--again", is_flag=True, help="Although the connectors have run before.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--poll-seconds", default=60.0, hidden=True, type=click.FloatRange(min=0.01))
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON object on standard output.")
@on_broker
def bootstrap(
    since: datetime | None,
    match: str | None,
    plan: Path | None,
    state: Path,
    fresh: bool,
    again: bool,
    yes: bool,
    poll_seconds: float,
    as_json_: bool,
) -> None:
    """Link who is in both systems, before connectors first run. Reads both in full, and tells the connectors where to go on.

    Records are linked by the keys that leadsync wrote into them, and with --match email by address. Both connectors must be
    stopped; workers may run. With --plan nothing is written but that file; without it, the same is shown and asked about.
    What several records share is left alone and stands in the plan as ambiguous. Stopped in the middle, it goes on where it was.
    Addresses and credentials come from LEADSYNC_MARKETO_… and LEADSYNC_DYNAMICS_….
    """  # fmt: skip
    if plan is not None and yes:
        raise click.UsageError("--plan writes nothing but its file, --yes does what it shows: one of them")
    settings = settings_here()
    day = None if since is None else since.replace(tzinfo=UTC)
    choices = Choices(state, day, match == "email", plan, again, fresh, poll_seconds)
    work = carry_out(settings, choices, marketo_here(), dynamics_here(), yes=yes, in_json=as_json_)
    raise SystemExit(run(work, settings))


async def carry_out(
    settings: Settings,
    choices: Choices,
    marketo: MarketoConnection,
    dynamics: DynamicsConnection,
    *,
    yes: bool,
    in_json: bool = False,
) -> int:
    """The exit status: 0 where it was done, or planned as asked. Raises SettingsError, TopicsError, NotAnswered."""
    if choices.plan is not None:
        check_file(choices.plan)
    await ensure_topics(settings, create=False)
    began, written = time.monotonic(), None
    async with Bootstrap.begun(settings, choices) as work:
        with progress_shown() as steps:
            await work.read(marketo, dynamics, steps)
            summary = work.plan(steps)
        if not in_json:
            print_summary(summary)
        is_to_be_done = choices.plan is None and (yes or work.is_being_written or _asked())
        if is_to_be_done:
            try:
                with progress_shown() as steps:
                    written = await work.write(steps)
            except TakenOver as error:
                raise Refused(f"{error}: stop both connectors, and run this again") from None
    _tell(choices, summary, written, time.monotonic() - began, in_json)
    return 0 if choices.plan is not None or written is not None else EX_DECLINED


def _asked() -> bool:
    note("")
    return agreed("Both connectors are stopped? Then write this?")


def _tell(choices: Choices, summary: Summary, written: Written | None, seconds: float, in_json: bool) -> None:
    note("")
    if written is not None:
        records = ", ".join(
            f"{plural(count, 'record', 'records')} of {NAMES[system]}" for system, count in written.records.items()
        )
        note(f"{records} told in {seconds:,.1f} s; the connectors may start now")
    elif choices.plan is not None:
        note(f"the plan is in {choices.plan}, to be read; nothing else was written")
        note("the same command without --plan writes what it shows, from what was read now; it does not read the file")
    else:
        note("nothing was written; what was read is kept")
    if in_json:
        told: dict[str, Any] = {"planned": as_json(summary), "written": None, "seconds": round(seconds, 3)}
        if written is not None:
            told["written"] = {"records": dict(written.records), "links": dict(written.links)}
        print_json(told)
