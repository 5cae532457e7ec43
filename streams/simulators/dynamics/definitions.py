"""Tables, columns and option sets in the words of Dataverse's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.identity import uuid5
from streams.simulators.dynamics.columns import Column, ColumnType
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.option_labels import STATUS_STATES
from streams.simulators.dynamics.schema import Table
from streams.sync.messages import Value

ENGLISH = 1033
NOTHING_CHOSEN = -1
TYPE_CODES: Mapping[str, int] = {"account": 1, "contact": 2, "lead": 4, "systemuser": 8}

OPTION_TYPES: tuple[ColumnType, ...] = ("Picklist", "MultiSelectPicklist", "State", "Status", "Boolean")
NUMBER_TYPES: tuple[ColumnType, ...] = ("Integer", "BigInt", "Decimal", "Double", "Money")

METADATA_TYPES: Mapping[ColumnType, str] = {
    "Owner": "Lookup",
    "Customer": "Lookup",
    "Uniqueidentifier": "UniqueIdentifier",
}
"""Column type -> the name of its metadata type, where that is another one."""


def metadata_type(column: Column) -> str:
    """Such as `StringAttributeMetadata`. A key column has none of its own."""
    if column.type == "Uniqueidentifier":
        return "AttributeMetadata"
    return f"{METADATA_TYPES.get(column.type, column.type)}AttributeMetadata"


def table_definition(table: Table) -> dict[str, Any]:
    """EntityMetadata, without its columns."""
    return {
        "LogicalName": table.logical_name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "CollectionSchemaName": f"{table.schema_name}s",
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": TYPE_CODES[table.logical_name],
        "OwnershipType": "BusinessOwned" if table.logical_name == "systemuser" else "UserOwned",
        "ChangeTrackingEnabled": table.tracks_changes,
        "CanChangeTrackingBeEnabled": managed(True, "canchangetrackingbeenabled"),
        "IsOptimisticConcurrencyEnabled": table.checks_versions,
        "IsCustomEntity": False,
        "IsActivity": False,
        "IsIntersect": False,
        "IsLogicalEntity": False,
        "IsManaged": True,
        "IsPrivate": False,
        "IsCustomizable": managed(True, "iscustomizable"),
        "Description": label(""),
        "DisplayName": label(table.schema_name),
        "DisplayCollectionName": label(f"{table.schema_name}s"),
        "MetadataId": table.metadata_id,
    }


def column_id(table: Table, column: Column) -> str:
    """The id of a column's definition."""
    return uuid5(f"dynamics/metadata/{table.logical_name}/{column.name}")


def general_definition(table: Table, column: Column) -> dict[str, Any]:
    """What every AttributeMetadata has."""
    kind = "Virtual" if column.type == "MultiSelectPicklist" else column.type
    return {
        "LogicalName": column.name,
        "SchemaName": column.schema_name or column.name,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{column.type}Type"},
        "AttributeOf": None,
        "EntityLogicalName": table.logical_name,
        "DisplayName": label(column.display_name or column.name),
        "Description": label(""),
        "RequiredLevel": managed(column.required, "canmodifyrequirementlevelsettings"),
        "IsValidForCreate": column.creatable,
        "IsValidForUpdate": column.updatable,
        "IsValidForRead": True,
        "IsCustomAttribute": column.is_custom,
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "IsLogical": False,
        "MetadataId": column_id(table, column),
    }


def special_definition(instance: DynamicsInstance, table: Table, column: Column) -> dict[str, Any]:
    """What only its type has, without what must be expanded."""
    default = _default(instance, table, column)
    if column.type == "String":
        return {"MaxLength": column.length_max, "FormatName": {"Value": column.format}, "Format": column.format}
    if column.type == "Memo":
        return {"MaxLength": column.length_max, "Format": column.format, "FormatName": {"Value": column.format}}
    if column.type in NUMBER_TYPES:
        bounds = {"MinValue": column.minimum, "MaxValue": column.maximum}
        return {**bounds, "Format": "None"} if column.type in ("Integer", "BigInt") else {**bounds, "Precision": 2}
    if column.type == "DateTime":
        behaviour = "DateOnly" if column.format == "DateOnly" else "UserLocal"
        return {"Format": column.format, "DateTimeBehavior": {"Value": behaviour}}
    if column.type == "Boolean":
        return {"DefaultValue": default is True}
    if column.type in OPTION_TYPES:
        return {"DefaultFormValue": default if isinstance(default, int) else NOTHING_CHOSEN}
    return {"Targets": list(column.targets)} if column.is_lookup else {}


def expandable(table: Table, column: Column) -> dict[str, Any]:
    """Option sets, which come only when `$expand` asks for them."""
    if column.type not in OPTION_TYPES:
        return {}
    return {"OptionSet": option_set(table, column), "GlobalOptionSet": None}


def option_set(table: Table, column: Column) -> dict[str, Any]:
    """The options of a column, with their words."""
    name = f"{table.logical_name}_{column.name}"
    head = {
        "MetadataId": uuid5(f"dynamics/options/{name}"),
        "Name": name,
        "IsGlobal": False,
        "IsCustomOptionSet": column.is_custom,
        "OptionSetType": "Picklist" if column.type == "MultiSelectPicklist" else column.type,
    }
    options = column.options or {}
    if column.type == "Boolean":
        return {
            **head,
            "FalseOption": _option(table, column, 0, options.get(0, "No")),
            "TrueOption": _option(table, column, 1, options.get(1, "Yes")),
        }
    return {**head, "Options": [_option(table, column, number, text) for number, text in options.items()]}


def key_definition(table: Table, name: str, columns: tuple[str, ...]) -> dict[str, Any]:
    """EntityKeyMetadata."""
    return {
        "LogicalName": name.lower(),
        "SchemaName": name,
        "EntityLogicalName": table.logical_name,
        "KeyAttributes": list(columns),
        "EntityKeyIndexStatus": "Active",
        "DisplayName": label(name),
        "MetadataId": uuid5(f"dynamics/keys/{table.logical_name}/{name}"),
    }


def label(text: str) -> dict[str, Any]:
    """A text for people, in English."""
    localized = {
        "Label": text,
        "LanguageCode": ENGLISH,
        "IsManaged": True,
        "MetadataId": uuid5(f"dynamics/labels/{text}"),
        "HasChanged": None,
    }
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def managed(value: Any, name: str) -> dict[str, Any]:
    """A managed property."""
    return {"Value": value, "CanBeChanged": True, "ManagedPropertyLogicalName": name}


def _option(table: Table, column: Column, number: int, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Value": number,
        "Label": label(text),
        "Description": label(""),
        "Color": None,
        "IsManaged": True,
        "ExternalValue": "",
        "MetadataId": None,
        "HasChanged": None,
    }
    states = STATUS_STATES["contact" if table.logical_name == "contact" else "lead"]
    if column.type == "Status":
        return {
            "@odata.type": "#Microsoft.Dynamics.CRM.StatusOptionMetadata",
            **found,
            "State": states.get(number, 0),
        }
    if column.type == "State":
        status = next((each for each, state in states.items() if state == number), None)
        return {
            "@odata.type": "#Microsoft.Dynamics.CRM.StateOptionMetadata",
            **found,
            "DefaultStatus": status,
            "InvariantName": text,
        }
    return found


def _default(instance: DynamicsInstance, table: Table, column: Column) -> Value:
    if table.logical_name not in ("lead", "contact"):
        return None
    return instance.saving.defaults.get("contact" if table.logical_name == "contact" else "lead", {}).get(column.name)
