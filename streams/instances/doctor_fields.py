"""Steps that both systems have: our own fields, and those that the policy maps."""

from __future__ import annotations

from collections.abc import Iterable

from streams.instances.agreement_policy import column_disagreements
from streams.instances.doctor_steps import Line, well
from streams.instances.live import LiveTable
from streams.instances.setup_plan import Item, our_columns
from streams.operating.display import plural
from streams.sync.policy import Policy


def our_fields(tables: Iterable[LiveTable]) -> list[Line]:
    """Key and revision of each kind of record."""
    items = [item for table in tables for item in our_columns(table)]
    lines = [_line(item) for item in items if item.state != "there"]
    return lines or well(", ".join(dict.fromkeys(item.name for item in items)) + " are there")


def mapped_fields(policy: Policy, tables: Iterable[LiveTable]) -> list[Line]:
    """Each that the policy names must exist, and take writes where it is written."""
    tables = list(tables)
    lines = [
        Line("failed", each.found, each.remedy) for table in tables for each in column_disagreements(policy, table)
    ]
    counts = [f"{plural(len(policy.inbound[table.kind]), 'field', 'fields')} of a {table.kind}" for table in tables]
    return lines or well(f"{' and '.join(counts)}: all there, and writable where they are written")


def _line(item: Item) -> Line:
    if item.state == "missing":
        return Line("failed", f"{item.name} of a {item.on} is missing", "`leadsync setup` makes it")
    found, _, allowed = item.remark.partition("; ")
    return Line("failed", f"{item.name} of a {item.on} {found}", allowed)
