"""`leadsync setup`: shows what it would make, asks, makes it, and says what it did. Whatever is there already is left alone."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import click

from schemas.vocabulary import RECORD_KINDS, System
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.rest import CallFailed, OutcomeUnknown
from streams.instances.agreeing import agreed
from streams.instances.connecting import (
    NAMES,
    ask,
    asking,
    dynamics_here,
    marketo_here,
    only_option,
    open_dynamics,
    open_marketo,
    systems,
)
from streams.instances.setup_dynamics import base_language, find_in_dynamics, make_in_dynamics, publish
from streams.instances.setup_marketo import find_in_marketo, make_in_marketo
from streams.instances.setup_plan import ActivityType, Item
from streams.operating.display import note, print_rows

EX_FAILED = 1
TRY_AGAIN = "run `leadsync setup` again: it goes on where it stopped"


@click.command()
@click.option("--yes", is_flag=True, help="Make what is missing without asking.")
@only_option
def setup(yes: bool, only: System | None) -> None:
    """Make leadsync's own fields where they are missing.

    Key and revision of every Marketo person, Dynamics lead and contact, and the activity type "Sync to Dynamics" in Marketo.

    Shows what it will do and asks first. Addresses and credentials come from LEADSYNC_MARKETO_… and LEADSYNC_DYNAMICS_….
    Exits 0 when everything is there, 1 when something is missing or wrong, 2 when a system cannot be asked.
    """
    raise SystemExit(ask(_setup(systems(only), yes)))


@dataclass
class Found:
    """The clients, and what stands where."""

    marketo: MarketoClient | None = None
    dynamics: DataverseClient | None = None
    items: list[Item] = field(default_factory=list)
    activity: ActivityType | None = None


async def _setup(wanted: tuple[System, ...], yes: bool) -> int:
    """Settings of all systems are looked at before any of them is asked."""
    marketo = marketo_here() if "marketo" in wanted else None
    dynamics = dynamics_here() if "dynamics" in wanted else None
    async with AsyncExitStack() as stack:
        found = Found()
        if marketo is not None:
            async with asking("marketo"):
                found.marketo = await stack.enter_async_context(open_marketo(marketo))
                items, found.activity = await find_in_marketo(found.marketo)
                found.items += items
        if dynamics is not None:
            async with asking("dynamics"):
                found.dynamics = await stack.enter_async_context(open_dynamics(dynamics))
                found.items += await find_in_dynamics(found.dynamics)
        return await _act(found, yes)


async def _act(found: Found, yes: bool) -> int:
    missing = [item for item in found.items if item.state == "missing"]
    wrong = [item for item in found.items if item.state == "wrong"]
    _show(found.items)
    for item in wrong:
        note(f"leadsync: {_said(item)} {item.remark}")
    if not missing:
        note("nothing to make" + ("" if wrong else ": everything is there"))
        return EX_FAILED if wrong else 0
    if not yes and not agreed(f"Make what is missing ({len(missing)} of {len(found.items)})?"):
        note("nothing was changed")
        return EX_FAILED
    failed = await _make(found, missing)
    note(f"{len(missing) - failed} of {len(missing)} made" + (f"; {TRY_AGAIN}" if failed else ""))
    return EX_FAILED if failed or wrong else 0


async def _make(found: Found, missing: list[Item]) -> int:
    """How many of them could not be made."""
    failed = 0
    for item in missing:
        if item.system == "marketo" and found.marketo is not None:
            failed += not await _made(item, make_in_marketo(found.marketo, item, found.activity))
    columns = [item for item in missing if item.system == "dynamics"]
    if columns and found.dynamics is not None:
        failed += await _make_columns(found.dynamics, columns)
    return failed


async def _make_columns(client: DataverseClient, columns: list[Item]) -> int:
    """How many could not be made. Published once, after the last one; without that none can be used."""
    language = await base_language(client)
    made = [item for item in columns if await _made(item, make_in_dynamics(client, item, language))]
    kinds = sorted({item.on for item in made})
    try:
        if kinds:
            await publish(client, kinds)
            click.echo(f"published in Dynamics: {', '.join(kinds)}")
    except CallFailed as error:
        note(
            f"leadsync: Dynamics: {' and '.join(kinds)} could not be published: {error}; publish all customizations there"
        )
        return len(columns)
    return len(columns) - len(made)


async def _made(item: Item, making: Awaitable[None]) -> bool:
    """Whether it could be made; said in one line either way."""
    try:
        await making
    except OutcomeUnknown as error:
        note(f"leadsync: {_said(item)} may or may not have been made: {error}")
        return False
    except CallFailed as error:
        note(f"leadsync: {_said(item)} could not be made: {error}")
        return False
    click.echo(f"made {_said(item)}")
    return True


def _said(item: Item) -> str:
    return (
        f"{NAMES[item.system]}: {item.name} of {item.on}"
        if item.on in RECORD_KINDS[item.system]
        else f"{NAMES[item.system]}: {item.on} {item.name}"
    )


def _show(items: Iterable[Item]) -> None:
    states = {"there": "there", "missing": "to be made", "wrong": "wrong"}
    rows = [
        (item.system, item.on, item.name, item.type, ": ".join(filter(None, (states[item.state], item.remark))))
        for item in items
    ]
    print_rows(("system", "on", "name", "type", ""), rows)
