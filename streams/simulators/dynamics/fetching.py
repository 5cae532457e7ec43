"""`GET leads?fetchXml=...`: one table's attributes, filters and orders, said in the words of the other query options.

Linked tables, aggregates and conditions beyond the table below are not simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from streams.simulators.dynamics import listing
from streams.simulators.dynamics.answers import Reply, bad_query, not_simulated
from streams.simulators.dynamics.call import PAGE_ROWS_MAX, Call, Prefer
from streams.simulators.dynamics.columns import NUMERIC_TYPES
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.schema import Table

COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
XML_CHARACTERS_MAX = 65_536
_OTHER_NAMES = {"neq": "ne", "on-or-after": "ge", "on-or-before": "le"}


def rows(instance: DynamicsInstance, table: Table, call: Call) -> Reply:
    """What the query finds, page by page: `count` rows, of which `page` says which."""
    fetch = _fetch(call.query["fetchXml"])
    entity = fetch.find("entity")
    if entity is None or entity.get("name") != table.logical_name:
        raise bad_query(f"The FetchXML query asks for another table than {table.entity_set}.")
    if entity.find("link-entity") is not None or fetch.get("aggregate") == "true":
        raise not_simulated("FetchXML with linked tables or aggregates")
    count, page = _number(fetch, "count", PAGE_ROWS_MAX), _number(fetch, "page", 1)
    found = listing.rows(instance, table, replace(call, query=_query(table, fetch, entity), prefer=_all_rows(call)))
    every = found.body["value"]
    start = (page - 1) * count
    found.body["value"] = every[start : start + count]
    found.shown = [held for held in found.shown if any(held.id == row[table.primary_id] for row in found.body["value"])]
    if len(every) > start + count:
        found.body["@Microsoft.Dynamics.CRM.morerecords"] = True
        found.body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"] = _cookie(page + 1)
    return found


def condition(table: Table, name: str, operator: str, values: list[str]) -> str:
    """A condition as `$filter` says it. Raises ApiError for an operator that is not simulated."""
    column = table.columns.get(name)
    property_name = name if column is None else column.property_name
    first = _literal(table, name, values[0]) if values else "null"
    operator = _OTHER_NAMES.get(operator, operator)
    if operator in COMPARISONS:
        return f"{property_name} {operator} {first}"
    if operator in ("null", "not-null"):
        return f"{property_name} {'eq' if operator == 'null' else 'ne'} null"
    if operator in ("like", "not-like"):
        return f"{'not ' if operator == 'not-like' else ''}{_like(property_name, values[0])}"
    if operator in ("in", "not-in"):
        either = " or ".join(f"{property_name} eq {_literal(table, name, value)}" for value in values)
        return f"{'not ' if operator == 'not-in' else ''}({either})"
    raise not_simulated(f"The operator {operator}")


def _fetch(text: str) -> Element:
    if len(text) > XML_CHARACTERS_MAX or "<!" in text:
        raise bad_query("The FetchXML query is too long, or declares what it should not.")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise bad_query(f"Invalid XML. {error}") from None


def _query(table: Table, fetch: Element, entity: Element) -> dict[str, str]:
    query = {}
    names = [str(each.get("name")) for each in entity.findall("attribute")]
    if names:
        query["$select"] = ",".join(names)
    filters = [text for each in entity.findall("filter") if (text := _filter(table, each))]
    if filters:
        query["$filter"] = " and ".join(filters)
    orders = [
        f"{each.get('attribute')} {'desc' if each.get('descending') == 'true' else 'asc'}"
        for each in entity.findall("order")
    ]
    if orders:
        query["$orderby"] = ",".join(orders)
    if fetch.get("top") is not None:
        query["$top"] = str(fetch.get("top"))
    return query


def _filter(table: Table, element: Element) -> str:
    joined = f" {'or' if element.get('type') == 'or' else 'and'} "
    parts = []
    for each in element:
        if each.tag == "filter":
            parts.append(_filter(table, each))
        elif each.tag == "condition":
            values = [each.get("value", "")] if each.get("value") is not None else [value.text or "" for value in each]
            parts.append(condition(table, str(each.get("attribute")), str(each.get("operator")), values))
    return f"({joined.join(part for part in parts if part)})" if any(parts) else ""


def _literal(table: Table, name: str, value: str) -> str:
    """A value as `$filter` spells it, by the type of its column."""
    column = table.columns.get(name)
    if column is not None and column.type in NUMERIC_TYPES:
        return value
    if column is not None and column.type == "Boolean":
        return "true" if value.lower() in ("1", "true") else "false"
    return "'" + value.replace("'", "''") + "'"


def _like(property_name: str, pattern: str) -> str:
    bare = pattern.strip("%").replace("'", "''")
    starts_open, ends_open = pattern.startswith("%"), pattern.endswith("%")
    if "%" in bare or "_" in bare or "[" in bare:
        raise not_simulated("A pattern with a wildcard within")
    if starts_open and ends_open:
        return f"contains({property_name},'{bare}')"
    if not starts_open and not ends_open:
        return f"{property_name} eq '{bare}'"
    return f"{'startswith' if ends_open else 'endswith'}({property_name},'{bare}')"


def _number(fetch: Element, name: str, default: int) -> int:
    text = fetch.get(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise bad_query(f"Invalid value for {name}.")
    return int(text)


def _all_rows(call: Call) -> Prefer:
    kept: Mapping[str, str] = {name: value for name, value in call.prefer.values.items() if name != "odata.maxpagesize"}
    return Prefer(kept)


def _cookie(page: int) -> str:
    inner = quote(quote(f'<cookie page="{page - 1}"/>'))
    return (
        f"<cookie pagenumber={quoteattr(str(page))} pagingcookie={quoteattr(inner)} istracking={quoteattr('False')} />"
    )
