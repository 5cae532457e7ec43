"""Which table's lookups point to which table."""

from __future__ import annotations

from typing import Any

from schemas.identity import uuid5
from streams.simulators.dynamics.columns import Column
from streams.simulators.dynamics.schema import Schema, Table


def many_to_one(table: Table) -> list[dict[str, Any]]:
    """One relationship for each table that a lookup of this one may point to."""
    return [_relationship(table, column, target) for column in table.columns.values() for target in column.targets]


def one_to_many(schema: Schema, table: Table) -> list[dict[str, Any]]:
    """The lookups of all tables that point to this one."""
    return [
        found for other in schema for found in many_to_one(other) if found["ReferencedEntity"] == table.logical_name
    ]


def _relationship(table: Table, column: Column, target: str) -> dict[str, Any]:
    name = f"{target}_{table.logical_name}_{column.name}"
    navigation = f"{column.name}_{target}" if column.type == "Customer" else column.name
    return {
        "SchemaName": name,
        "MetadataId": uuid5(f"dynamics/relationships/{name}"),
        "RelationshipType": "OneToManyRelationship",
        "ReferencingEntity": table.logical_name,
        "ReferencingAttribute": column.name,
        "ReferencingEntityNavigationPropertyName": navigation,
        "ReferencedEntity": target,
        "ReferencedAttribute": f"{target}id",
        "ReferencedEntityNavigationPropertyName": name,
        "IsCustomRelationship": column.is_custom,
    }
