"""Asks the live instances for their columns. Pure reading of what they answer stands in the two metadata modules."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from schemas.vocabulary import RecordKind, RecordType, System
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.marketo.client import MarketoClient
from streams.instances.connecting import asking, dynamics_here, marketo_here, open_dynamics, open_marketo
from streams.instances.dynamics_metadata import GENERAL, QUERIES, record_table
from streams.instances.live import LiveTable
from streams.instances.marketo_metadata import person_table

ENTITY = ("LogicalName", "ChangeTrackingEnabled", "IsOptimisticConcurrencyEnabled")
RECORD_TYPES: tuple[RecordType, ...] = ("lead", "contact")


async def read_person(client: MarketoClient) -> LiveTable:
    """The fields of a Marketo person. Raises CallFailed."""
    return person_table(await client.describe(), await client.searchable_fields())


async def read_record(client: DataverseClient, kind: RecordType) -> LiveTable:
    """The columns of a Dynamics lead or contact. Raises CallFailed."""
    entity = await client.entity(kind, ENTITY)
    lists = await asyncio.gather(
        client.attributes(kind, select=GENERAL),
        *(client.attributes(kind, name, select, expand) for name, (select, expand) in QUERIES.items()),
        return_exceptions=True,  # all are over before the client is closed
    )
    told = [each for each in lists if not isinstance(each, BaseException)]
    for each in lists:
        if isinstance(each, BaseException):
            raise each
    return record_table(kind, entity, told[0], dict(zip(QUERIES, told[1:], strict=True)))


async def read_tables(wanted: tuple[System, ...]) -> dict[RecordKind, LiveTable]:
    """The tables of these systems, as the environment names them, by kind. Raises SettingsError and NotAnswered."""
    marketo_connection = marketo_here() if "marketo" in wanted else None
    dynamics_connection = dynamics_here() if "dynamics" in wanted else None
    tables: dict[RecordKind, LiveTable] = {}
    if marketo_connection is not None:
        async with asking("marketo"), open_marketo(marketo_connection) as marketo:
            tables["person"] = await read_person(marketo)
    if dynamics_connection is not None:
        async with asking("dynamics"), open_dynamics(dynamics_connection) as dynamics:
            tables |= await read_records(dynamics)
    return tables


async def read_records(client: DataverseClient) -> Mapping[RecordKind, LiveTable]:
    """Leads and contacts. Raises CallFailed."""
    found: dict[RecordKind, LiveTable] = {}
    for kind in RECORD_TYPES:
        found[kind] = await read_record(client, kind)
    return found
