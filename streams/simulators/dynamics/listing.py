"""`GET leads`: rows that fit a filter, in an order, page by page. A walk over all records: users and bootstraps ask so, not the feed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from functools import cmp_to_key
from typing import Any
from urllib.parse import quote

from streams.demo.record import HeldRecord
from streams.simulators.dynamics.answers import Reply, bad_query, no_property, not_simulated
from streams.simulators.dynamics.call import PAGE_ROWS_MAX, Call
from streams.simulators.dynamics.columns import Column
from streams.simulators.dynamics.expanding import expand, needed
from streams.simulators.dynamics.filters import Filter, Row, ordering, sort_key
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.privileges import need
from streams.simulators.dynamics.rows import context_of, directory_row, row_of, selected
from streams.simulators.dynamics.schema import Table

Order = list[tuple[str, bool]]
Found = tuple[dict[str, Any], HeldRecord | None]

OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$expand"})
COUNT_MAX = 5_000
"""`@odata.count` never says more."""


def rows(instance: DynamicsInstance, table: Table, call: Call) -> Reply:
    """`GET leads?$select=&$filter=&$orderby=&$top=&$count=`."""
    need(instance.privileges, "Read", table.logical_name)
    _check_options(call)
    needed(table, call)
    columns, order = selected(table, call), ordering(call.query.get("$orderby"), _name_of(table))
    found = sorted(_matching(instance, table, call), key=_by(order, table))
    page, rest = _page(found, order, table, call)
    body: dict[str, Any] = {"@odata.context": context_of(call, table)}
    if call.query.get("$count") == "true":
        body["@odata.count"] = min(len(found), COUNT_MAX)
    if rest is not None:
        body["@odata.nextLink"] = _next_link(table, call, rest)
    body["value"] = [_shown_row(instance, table, held, row, columns, call) for row, held in page]
    shown = [held for _, held in page if held is not None and held.state == "open" and instance.reads_show]
    return Reply(200, body, shown=shown)


def count(instance: DynamicsInstance, table: Table, call: Call) -> Reply:
    """`GET leads/$count`: as plain text."""
    need(instance.privileges, "Read", table.logical_name)
    return Reply(200, str(min(sum(1 for _ in _matching(instance, table, call)), COUNT_MAX)))


def query_names(call: Call, table: Table) -> Callable[[Row], bool]:
    """What the call's `$filter` asks of a row."""
    text = call.query.get("$filter")
    return (lambda row: True) if not text else Filter(text, _name_of(table)).test


def _check_options(call: Call) -> None:
    for name in call.query:
        if name == "$skip":
            raise bad_query("Skip Clause is not supported in CRM")
        if name not in OPTIONS:
            raise not_simulated(f"The query option {name}")


def _matching(instance: DynamicsInstance, table: Table, call: Call) -> Iterator[Found]:
    test, columns = query_names(call, table), list(table.columns.values())
    if table.logical_name in ("systemuser", "account"):
        directory = instance.users if table.logical_name == "systemuser" else instance.accounts
        everything: Iterator[Found] = (
            (directory_row(directory, row_id, columns, None, instance), None) for row_id in list(directory)
        )
    else:
        everything = (
            (row_of(instance, table, held, columns, None), held)
            for held in list(instance.records.values())
            if held.record.type == table.logical_name
        )
    return (found for found in everything if test(found[0]))


def _shown_row(
    instance: DynamicsInstance,
    table: Table,
    held: HeldRecord | None,
    row: dict[str, Any],
    columns: list[Column],
    call: Call,
) -> dict[str, Any]:
    if held is not None:
        shown = row_of(instance, table, held, columns, call.prefer.annotations)
        if "$expand" in call.query:
            expand(instance, table, shown, row, call)
        return shown
    directory = instance.users if table.logical_name == "systemuser" else instance.accounts
    return directory_row(directory, row[table.primary_id], columns, call.prefer.annotations, instance)


def _name_of(table: Table) -> Callable[[str], str]:
    def name_of(name: str) -> str:
        column = table.column_of(name)
        if column is None:
            raise no_property(name, table.logical_name)
        return column.property_name

    return name_of


def _by(order: Order, table: Table) -> Any:
    def compare(one: Found, other: Found) -> int:
        return _compare(_place(one[0], order, table), _place(other[0], order, table), order)

    return cmp_to_key(compare)


def _place(row: Row, order: Order, table: Table) -> list[Any]:
    """Where a row stands: the values that it is ordered by, and its id."""
    return [*(row[name] for name, _ in order), row[table.primary_id]]


def _compare(one: list[Any], other: list[Any], order: Order) -> int:
    for mine, theirs, descending in zip(one, other, [*(each for _, each in order), False], strict=True):
        left, right = sort_key(mine), sort_key(theirs)
        if left != right:
            return 1 if (left > right) != descending else -1
    return 0


def _page(
    found: list[Found], order: Order, table: Table, call: Call
) -> tuple[list[Found], tuple[int, list[Any]] | None]:
    """The rows of this page; its number and the place of its last row where more follow."""
    number, after = _cookie(call)
    if after is not None:
        found = [each for each in found if _compare(_place(each[0], order, table), after, order) > 0]
    top = call.query.get("$top")
    if top is not None:
        if not top.isdigit():
            raise bad_query("Invalid value for $top.")
        return found[: min(int(top), PAGE_ROWS_MAX)], None
    page = found[: call.prefer.page_rows or PAGE_ROWS_MAX]
    return page, (number, _place(page[-1][0], order, table)) if len(page) < len(found) else None


def _cookie(call: Call) -> tuple[int, list[Any] | None]:
    token = call.query.get("$skiptoken")
    if token is None:
        return 1, None
    try:
        number, after = json.loads(base64.urlsafe_b64decode(token.encode()))
        return int(number), list(after)
    except (ValueError, TypeError):
        raise bad_query("The skip token in the request URI is not valid.") from None


def _next_link(table: Table, call: Call, rest: tuple[int, list[Any]]) -> str:
    token = base64.urlsafe_b64encode(json.dumps([rest[0] + 1, rest[1]]).encode()).decode()
    kept = [f"{name}={quote(value, safe=',$')}" for name, value in call.query.items() if name != "$skiptoken"]
    return f"{call.base}{table.entity_set}?{'&'.join([*kept, f'$skiptoken={quote(token)}'])}"
