"""Clients for a command: a few tries instead of endless patience, and one line for whatever stood in the way."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import click

from schemas.vocabulary import SYSTEMS, System
from streams.cli import EX_USAGE, run
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.pacing import DYNAMICS_PACE, MARKETO_PACE, Backoff, Pacer
from streams.connectors.rest import CallFailed
from streams.connectors.settings import (
    DynamicsConnection,
    MarketoConnection,
    dynamics_connection,
    marketo_connection,
)
from streams.operating.refused import Refused

TRIES_MAX = 3
QUOTA_PAUSE_SECONDS = 1.0
CALL_SECONDS_MAX = 300.0
"""Dataverse takes its time to make a column."""

BRIEF = Backoff(0.2, 2.0)

NAMES: dict[System, str] = {"marketo": "Marketo", "dynamics": "Dynamics"}

only_option = click.option("--only", type=click.Choice(SYSTEMS), help="Leave the other system alone.")
"""`--only marketo|dynamics`."""


class NotAnswered(Refused):
    """A system that could not be asked."""

    exit_code = EX_USAGE


def marketo_here() -> MarketoConnection:
    """From the environment. Raises SettingsError."""
    return marketo_connection(os.environ)


def dynamics_here() -> DynamicsConnection:
    """From the environment. Raises SettingsError."""
    return dynamics_connection(os.environ)


@asynccontextmanager
async def open_marketo(connection: MarketoConnection) -> AsyncIterator[MarketoClient]:
    """A client that gives up after a few tries."""
    client = MarketoClient(
        connection,
        Pacer(MARKETO_PACE),
        rng=random.Random(),
        backoff=BRIEF,
        tries_max=TRIES_MAX,
        quota_pause_seconds_max=QUOTA_PAUSE_SECONDS,
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def open_dynamics(connection: DynamicsConnection) -> AsyncIterator[DataverseClient]:
    """A client that gives up after a few tries."""
    client = DataverseClient(
        connection, Pacer(DYNAMICS_PACE), backoff=BRIEF, patient=False, seconds_max=CALL_SECONDS_MAX
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def asking(system: System) -> AsyncIterator[None]:
    """What goes wrong within the block is told as this system's. Raises NotAnswered."""
    try:
        yield
    except CallFailed as error:
        raise NotAnswered(f"{NAMES[system]}: {error}; `leadsync doctor {system}` finds out why") from None


def ask(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end. Clients log each try that failed; a command tells the outcome itself."""
    logging.getLogger("streams.connectors").addHandler(logging.NullHandler())
    return run(work)


def systems(only: System | None) -> tuple[System, ...]:
    """Which systems a command is about."""
    return SYSTEMS if only is None else (only,)
