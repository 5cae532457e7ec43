"""`leadsync doctor`: a first connection, one line a step, with what to do where one fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import click
from aiokafka.errors import KafkaError
from rich.table import Table

from schemas.vocabulary import SYSTEMS, System
from streams.cli import BrokerUnreachableError, broker_options, run, settings_of
from streams.instances.connecting import NAMES, ask, systems
from streams.instances.doctor_dynamics import DynamicsDoctor, remedy_in_dynamics
from streams.instances.doctor_marketo import MarketoDoctor, remedy_in_marketo
from streams.instances.doctor_steps import Checked, Outcome, run_steps
from streams.operating.display import cell, console, note, print_json, visible
from streams.operating.policy_commands import policy_in_force
from streams.operating.reading import Reader
from streams.policy import default_policy, read_policy, read_policy_file
from streams.settings import Settings
from streams.sync.policy import Policy
from streams.topics import TopicsError

EX_FAILED = 1
STEP_CHARACTERS = 22
MARKS: dict[Outcome, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warned": ("!", "yellow"),
    "failed": ("✗", "bold red"),
    "skipped": ("-", "dim"),
}


@click.command()
@click.argument("system", type=click.Choice(SYSTEMS), required=False)
@click.option(
    "--policy",
    "file",
    type=click.Path(path_type=Path),
    help="Whose fields are looked for. [the one in force on --bootstrap-servers, else the shipped one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@broker_options
def doctor(system: System | None, file: Path | None, as_json: bool, bootstrap_servers: str | None, prefix: str) -> None:
    """Check a first connection to both systems, step by step. Address, credentials, permissions, fields, change tracking, quota.

    Nothing is changed in either system. Addresses and credentials come from LEADSYNC_MARKETO_… and LEADSYNC_DYNAMICS_….
    Exits 0 when all is well, 1 when a step failed.
    """
    chosen = _chosen(file, bootstrap_servers, prefix)
    if not as_json:
        note(f"mapped fields are those of the policy {chosen.source}")
    told: Callable[[Checked], None] = _silent if as_json else _Teller()
    checked: list[Checked] = ask(_check_up(systems(system), chosen.policy, told))
    counts = Counter(each.outcome for each in checked)
    ok = not counts["failed"]
    if as_json:
        print_json({"ok": ok, "policy": chosen.source, "checks": [each._asdict() for each in checked]})
    else:
        note("all is well" if ok else f"{counts['failed']} failed, {counts['skipped']} not checked")
    raise SystemExit(0 if ok else EX_FAILED)


class Chosen(NamedTuple):
    """A policy, and where it comes from."""

    policy: Policy
    source: str


async def _check_up(wanted: Sequence[System], policy: Policy, told: Callable[[Checked], None]) -> list[Checked]:
    checked: list[Checked] = []
    for system in wanted:
        async with AsyncExitStack() as stack:
            if system == "marketo":
                checked += await run_steps(system, MarketoDoctor(policy, stack).steps(), remedy_in_marketo, told)
            else:
                checked += await run_steps(system, DynamicsDoctor(policy, stack).steps(), remedy_in_dynamics, told)
    return checked


def _chosen(file: Path | None, bootstrap_servers: str | None, prefix: str) -> Chosen:
    """The broker is not what is to be checked: where it has no policy to give, the shipped one will do.

    Raises PolicyError, PolicyUnreadableError, SettingsError.
    """
    if file is not None:
        return Chosen(read_policy(*read_policy_file(file), str(file)), str(file))
    if bootstrap_servers:
        settings = settings_of(bootstrap_servers, prefix)
        try:
            policy: Policy = run(_in_force(settings), settings)
        except (BrokerUnreachableError, TopicsError, KafkaError) as error:
            return Chosen(default_policy(), f"that ships ({error})")
        return Chosen(policy, f"in force, {policy.digest[:12]}…")
    return Chosen(default_policy(), "that ships")


async def _in_force(settings: Settings) -> Policy:
    async with Reader(settings) as reader:
        return await policy_in_force(reader)


def _silent(checked: Checked) -> None:
    """For `--json`, which tells everything at the end."""


class _Teller:
    """Tells each line as soon as it is known, under the name of its system; in a pipe, columns with tabs between."""

    def __init__(self) -> None:
        self._system: System | None = None

    def __call__(self, checked: Checked) -> None:
        mark, style = MARKS[checked.outcome]
        screen = console()
        if not screen.is_terminal:
            parts = (mark, checked.system, checked.step, checked.found, checked.remedy)
            click.echo("\t".join(visible(part) for part in parts))
            return
        if checked.system != self._system:
            self._system = checked.system
            screen.print(f"\n[bold]{NAMES[checked.system]}[/bold]")
        line = Table.grid(padding=(0, 1))
        line.add_column(width=1)
        line.add_column(width=STEP_CHARACTERS)
        line.add_column(overflow="fold")
        quiet = "dim" if checked.outcome == "skipped" else ""
        line.add_row(cell(mark, style), cell(checked.step, quiet), cell(checked.found, quiet))
        if checked.remedy:
            line.add_row(cell(""), cell(""), cell(f"→ {checked.remedy}", "cyan"))
        screen.print(line)
