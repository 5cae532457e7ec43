"""`RetrieveMetadataChanges(Query=@p1)`: definitions of tables and columns in one answer, those whose names are asked for.

Understood are conditions that compare LogicalName by Equals or In; everything is always answered as new.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streams.simulators.dynamics import definitions
from streams.simulators.dynamics.answers import Reply, bad_query, not_simulated
from streams.simulators.dynamics.call import Call
from streams.simulators.dynamics.columns import Column
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.schema import Table

Query = Mapping[str, Any]


def answer(instance: DynamicsInstance, call: Call) -> Reply:
    """The definitions that the query names. Raises ApiError."""
    query = _query(call)
    asked = _names(query.get("Criteria"))
    found = [
        _table(instance, table, query) for table in instance.schema if asked is None or table.logical_name in asked
    ]
    context = f"{call.base}$metadata#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse"
    stamp = f"{instance.version}!{int(instance.clock())}"
    return Reply(
        200, {"@odata.context": context, "ServerVersionStamp": stamp, "DeletedMetadata": None, "EntityMetadata": found}
    )


def _query(call: Call) -> Query:
    placeholder = (call.path[0].key or {}).get("Query", "")
    try:
        query = json.loads(call.query.get(placeholder, ""))
    except ValueError:
        raise bad_query(f"The parameter {placeholder} holds no JSON.") from None
    return query if isinstance(query, dict) else {}


def _table(instance: DynamicsInstance, table: Table, query: Query) -> dict[str, Any]:
    whole = definitions.table_definition(table)
    found = _chosen(whole, query.get("Properties"))
    columns = query.get("AttributeQuery")
    if columns is not None or "Attributes" in (query.get("Properties") or {}).get("PropertyNames", ()):
        asked = _names((columns or {}).get("Criteria"))
        found["Attributes"] = [
            _column(instance, table, column, (columns or {}).get("Properties"))
            for column in table.columns.values()
            if asked is None or column.name in asked
        ]
    return {**found, "MetadataId": whole["MetadataId"]}


def _column(instance: DynamicsInstance, table: Table, column: Column, properties: Any) -> dict[str, Any]:
    whole = {
        **definitions.general_definition(table, column),
        **definitions.special_definition(instance, table, column),
        **definitions.expandable(table, column),
    }
    kind = f"#Microsoft.Dynamics.CRM.{definitions.metadata_type(column)}"
    return {"@odata.type": kind, **_chosen(whole, properties), "MetadataId": whole["MetadataId"]}


def _chosen(whole: Mapping[str, Any], properties: Any) -> dict[str, Any]:
    if properties is None or properties.get("AllProperties"):
        return dict(whole)
    return {name: whole[name] for name in properties.get("PropertyNames", ()) if name in whole}


def _names(criteria: Any) -> set[str] | None:
    """The logical names that are asked for; None for all."""
    conditions = (criteria or {}).get("Conditions") or []
    if not conditions:
        return None
    condition = conditions[0]
    is_by_name = condition.get("PropertyName") == "LogicalName" and condition.get("ConditionOperator") in (
        "Equals",
        "In",
    )
    if len(conditions) > 1 or not is_by_name:
        raise not_simulated("RetrieveMetadataChanges by anything but one condition on LogicalName")
    value = condition.get("Value")
    value = value.get("Value") if isinstance(value, dict) else value
    return set(value) if isinstance(value, list) else {str(value)}
