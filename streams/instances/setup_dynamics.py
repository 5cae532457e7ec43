"""`leadsync setup` in Dynamics: finds our columns on leads and contacts, makes them and publishes ("Create and update column definitions")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.limits import DYNAMICS_KEY_CHARACTERS_MAX, REVISION_MAX
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.our_fields import DYNAMICS_KEY, DYNAMICS_REVISION
from streams.connectors.rest import Refused
from streams.instances.reading_metadata import read_records
from streams.instances.setup_plan import Item, dynamics_items

ENGLISH = 1033
SCHEMA_NAMES: Mapping[str, str] = {DYNAMICS_KEY: "new_LeadsyncKey", DYNAMICS_REVISION: "new_LeadsyncRevision"}
"""Dataverse makes the logical name of it, in small letters."""

WORDS: Mapping[str, tuple[str, str]] = {
    DYNAMICS_KEY: ("Leadsync key", "Names the person for leadsync, which syncs with Marketo. Do not edit."),
    DYNAMICS_REVISION: ("Leadsync revision", "Number of the last update by leadsync. Do not edit."),
}
"""Name -> display name, description."""


async def find_in_dynamics(client: DataverseClient) -> list[Item]:
    """What is wanted and how it stands. Raises CallFailed."""
    return dynamics_items(await read_records(client))


async def make_in_dynamics(client: DataverseClient, item: Item, language: int) -> None:
    """Make a missing column; it can be used once it was published. Raises CallFailed."""
    await client.post(f"EntityDefinitions(LogicalName='{item.on}')/Attributes", column_body(item.name, language))


async def publish(client: DataverseClient, kinds: Iterable[str]) -> None:
    """Publish the customizations of these tables. Raises CallFailed."""
    entities = "".join(f"<entity>{kind}</entity>" for kind in kinds)
    await client.post(
        "PublishXml",
        {"ParameterXml": f"<importexportxml><entities>{entities}</entities></importexportxml>"},
    )


async def base_language(client: DataverseClient) -> int:
    """The organisation's own language, in which labels must be; English where it is not told."""
    try:
        rows = [row async for row in client.rows("organizations?$select=languagecode")]
    except Refused:
        return ENGLISH
    code = rows[0].get("languagecode") if rows else None
    return code if isinstance(code, int) else ENGLISH


def column_body(name: str, language: int) -> dict[str, Any]:
    """What Dataverse is asked to make."""
    display_name, description = WORDS[name]
    special: dict[str, Any] = {
        "@odata.type": "Microsoft.Dynamics.CRM.IntegerAttributeMetadata",
        "AttributeType": "Integer",
        "AttributeTypeName": {"Value": "IntegerType"},
        "MinValue": 0,
        "MaxValue": REVISION_MAX,
        "Format": "None",
    }
    if name == DYNAMICS_KEY:
        special = {
            "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
            "AttributeType": "String",
            "AttributeTypeName": {"Value": "StringType"},
            "MaxLength": DYNAMICS_KEY_CHARACTERS_MAX,
            "FormatName": {"Value": "Text"},
        }
    return {
        **special,
        "SchemaName": SCHEMA_NAMES[name],
        "DisplayName": _label(display_name, language),
        "Description": _label(description, language),
        "RequiredLevel": {
            "Value": "None",
            "CanBeChanged": True,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
    }


def _label(text: str, language: int) -> dict[str, Any]:
    return {
        "@odata.type": "Microsoft.Dynamics.CRM.Label",
        "LocalizedLabels": [
            {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": language}
        ],
    }
