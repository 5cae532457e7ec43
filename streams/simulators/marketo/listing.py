"""What the activity log gets of a change: New Lead, one Change Data Value per field, Delete Lead, Merge Leads.

A New Lead lists no values: whoever wants them reads the person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from streams.demo.record import HeldRecord
from streams.simulators.marketo.activities import (
    CHANGE_DATA_VALUE,
    DELETE_LEAD,
    MERGE_LEADS,
    NEW_LEAD,
    ActivityLog,
    FieldChange,
)
from streams.simulators.marketo.coercion import in_seconds, spelled
from streams.simulators.marketo.fields import Catalog
from streams.simulators.marketo.lookup import Lookup
from streams.simulators.marketo.origin import API_SOURCE, Origin
from streams.sync.messages import Value

_KEY = re.compile(r".{1,120}#(0|[1-9][0-9]{0,6})", re.DOTALL)


def is_key(text: str) -> bool:
    """Whether our key field holds a key of ours: a person key, `#` and a number."""
    return _KEY.fullmatch(text) is not None


def list_creation(log: ActivityLog, lookup: Lookup, held: HeldRecord, origin: Origin, time: float) -> None:
    """A person came into being."""
    lookup.came(held)
    said = {name: value for name, value in origin.attributes().items() if name not in ("Source", "Reason")}
    attributes = {"Created Date": in_seconds(time)[:10], "Source Type": origin.source, **said}
    log.add(
        NEW_LEAD, int(held.id), time, primary_id=int(held.id), primary=full_name(held), attributes=attributes
    )  # fmt: skip


def list_changes(
    log: ActivityLog,
    catalog: Catalog,
    lookup: Lookup,
    held: HeldRecord,
    origin: Origin,
    time: float,
    before: Mapping[str, Value],
    now: Mapping[str, Value],
) -> None:
    """Fields of a person changed; what is as it was is not listed."""
    attributes = {**origin.attributes(), "Lead ID": int(held.id)}
    for name, value in now.items():
        old, field = before.get(name), catalog.get(name)
        if old == value or field is None:
            continue
        lookup.moved(held.id, name, old, value)
        change = FieldChange(field.id, name, field.display_name, spelled(value), spelled(old))
        log.add(
            CHANGE_DATA_VALUE,
            int(held.id),
            time,
            primary_id=field.id,
            primary=field.display_name,
            attributes=attributes,
            change=change,
        )


def list_deletion(log: ActivityLog, lookup: Lookup, held: HeldRecord, time: float) -> None:
    """A person was deleted."""
    lookup.went(held)
    log.add(DELETE_LEAD, int(held.id), time, primary_id=int(held.id), primary=full_name(held))


def list_merge(
    log: ActivityLog,
    lookup: Lookup,
    loser: HeldRecord,
    winner_id: str,
    losers: tuple[str, ...],
    origin: Origin,
    time: float,
) -> None:
    """Persons were merged: one entry of the winner names them all, listed with the first."""
    lookup.went(loser)
    if loser.id != losers[0]:
        return
    attributes = {
        "Master Updated": True,
        "Merge Fields": "",
        "Merge IDs": ",".join(losers),
        "Merge Source": origin.source if origin.source == API_SOURCE else "Lead Database",
        "Merged in Sales": False,
    }
    log.add(
        MERGE_LEADS, int(winner_id), time, primary_id=int(winner_id), primary=winner_id, attributes=attributes
    )  # fmt: skip


def full_name(held: HeldRecord) -> str:
    """A person's name, as activities show it."""
    return " ".join(str(held.values[name]) for name in ("firstName", "lastName") if held.values.get(name))
