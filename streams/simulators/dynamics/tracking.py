"""Change tracking: all rows and then a delta link; with it, what changed since, and what was deleted.

A page of changes holds new and changed rows first, by row version, and then what was deleted. The window is fixed by its first
page: what changes while the pages are read comes with the next delta link, so that nothing is lost in between.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import quote

from streams.simulators.dynamics.answers import ApiError, Reply, bad_query, token_expired
from streams.simulators.dynamics.call import PAGE_ROWS_MAX, Call
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.privileges import need
from streams.simulators.dynamics.rows import context_of, row_of, selected
from streams.simulators.dynamics.schema import Table

EXPIRY_DAYS = 7
"""`ExpireChangeTrackingInDays` of an organisation as shipped."""

REFUSED_OPTIONS = ("$filter", "$orderby", "$expand", "$top")
_TOKEN = re.compile(r"(\d+)!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_PAGE = re.compile(r"delta-(\d+)-(\d+)-(\d+)-(rows|deleted)-(first|later)")


class Window(NamedTuple):
    """What is read: changes after one row version up to another. `read_to`: how far the pages before came, in rows or deletions."""

    after: int
    up_to: int
    read_to: int
    deletions: bool = False
    is_first_sync: bool = False  # without a token: every row there is, and no deletion


def is_tracked(call: Call) -> bool:
    """Whether the call is one of change tracking, on its first page or a later one."""
    return (
        call.prefer.tracks_changes
        or "$deltatoken" in call.query
        or call.query.get("$skiptoken", "").startswith("delta-")
    )


def pages(instance: DynamicsInstance, table: Table, call: Call) -> Reply:
    """`GET leads` with `Prefer: odata.track-changes`, a delta link or the next link of one of the two."""
    need(instance.privileges, "Read", table.logical_name)
    _check(table, call)
    window = _window(instance, call)
    rows_max = call.prefer.page_rows or PAGE_ROWS_MAX
    columns, annotations = selected(table, call), call.prefer.annotations
    entries: list[dict[str, Any]] = []
    shown = []
    found, rest = _found(instance, table, window, rows_max)
    for record_id, is_deleted in found:
        held = None if is_deleted else instance.records[record_id]
        if held is None:
            entries.append(_tombstone(table, call, record_id))
            continue
        entries.append(row_of(instance, table, held, columns, annotations))
        if held.state == "open":
            shown.append(held)
    body: dict[str, Any] = {"@odata.context": context_of(call, table, "" if window.is_first_sync else "/$delta")}
    body |= _links(instance, table, call, window, rest)
    body["value"] = entries
    instance.note_page(table.logical_name, window.after)
    return Reply(200, body, {"Preference-Applied": "odata.track-changes"}, shown=shown)


def count(instance: DynamicsInstance, table: Table, call: Call) -> Reply:
    """`GET leads/$count?$deltatoken=...`: how many entries the delta would have."""
    need(instance.privileges, "Read", table.logical_name)
    _check(table, call)
    window = _window(instance, call)
    return Reply(200, str(sum(1 for _ in instance.logs[table.logical_name].between(window.after, window.up_to))))


def token_of(version: int, now: float) -> str:
    """A delta token: a row version and the time at which it was given out."""
    return f"{version}!{datetime.fromtimestamp(now, UTC):%m/%d/%Y %H:%M:%S}"


def _check(table: Table, call: Call) -> None:
    if not table.tracks_changes:
        raise ApiError(400, "0x80044351", f"Entity: {table.logical_name} does not have change tracking enabled.")
    for option in REFUSED_OPTIONS:
        if option in call.query:
            raise bad_query(f'The \\"{option}\\" query parameter isn\'t supported when Change Tracking is enabled.')


def _window(instance: DynamicsInstance, call: Call) -> Window:
    page = _PAGE.fullmatch(call.query.get("$skiptoken", ""))
    if page is not None:
        after, up_to, read_to = (int(part) for part in page.groups()[:3])
        return Window(after, up_to, read_to, page[4] == "deleted", page[5] == "first")
    token = call.query.get("$deltatoken")
    if token is None:
        return Window(0, instance.version, 0, is_first_sync=True)
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise bad_query("The delta token in the request URI is not valid.")
    given = datetime.strptime(match[2], "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC).timestamp()
    if instance.clock() - given > EXPIRY_DAYS * 86_400 or token in instance.expired_tokens:
        raise token_expired()
    return Window(int(match[1]), instance.version, int(match[1]))


def _found(
    instance: DynamicsInstance, table: Table, window: Window, rows_max: int
) -> tuple[list[tuple[str, bool]], Window | None]:
    """(record id, is deleted) of this page, and where the next one goes on; None where this is the last."""
    log = instance.logs[table.logical_name]
    found: list[tuple[str, bool]] = []
    read_to, deletions = window.read_to, window.deletions
    while True:
        places = (
            (version, record_id)
            for version, record_id in log.between(read_to, window.up_to)
            if (record_id not in instance.records) == deletions
        )
        for version, record_id in islice(places, rows_max - len(found)):
            found.append((record_id, deletions))
            read_to = version
        if len(found) == rows_max and next(places, None) is not None:
            return found, window._replace(read_to=read_to, deletions=deletions)
        if deletions or window.is_first_sync:
            return found, None
        read_to, deletions = window.after, True
        if len(found) == rows_max:
            return found, window._replace(read_to=read_to, deletions=True)


def _links(instance: DynamicsInstance, table: Table, call: Call, window: Window, rest: Window | None) -> dict[str, str]:
    select = call.query.get("$select")
    address = f"{call.base}{table.entity_set}?{f'$select={select}&' if select else ''}"
    if rest is None:
        return {
            "@odata.deltaLink": f"{address}$deltatoken={quote(token_of(window.up_to, instance.clock()), safe='').lower()}"
        }
    part, sync = ("deleted" if rest.deletions else "rows"), ("first" if rest.is_first_sync else "later")
    page = f"delta-{rest.after}-{rest.up_to}-{rest.read_to}-{part}-{sync}"
    return {"@odata.nextLink": f"{address}$skiptoken={page}"}


def _tombstone(table: Table, call: Call, record_id: str) -> dict[str, str]:
    context = f"{call.base}$metadata#{table.entity_set}/$deletedEntity"
    return {"@odata.context": context, "id": record_id, "reason": "deleted"}
