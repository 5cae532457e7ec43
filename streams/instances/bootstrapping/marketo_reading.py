"""Everybody in Marketo, window by window of their creation: bulk extract, or paged reads where the subscription has none.

Before anything is read, the place in the activity log is noted: whatever happens while we read is in the feed from there on.
A window counts as read when its people are in the store, in one transaction with that word, so a second start goes on with
the jobs that Marketo has in hand and with the windows that are left.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.connectors.marketo.bulk import LeadExport
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.names import LEADS_MAX, NEW_LEAD
from streams.connectors.pacing import Priority
from streams.connectors.rest import OutcomeUnknown, Refused
from streams.instances.bootstrapping.at_once import all_at_once
from streams.instances.bootstrapping.marketo_rows import (
    Window,
    asked_fields,
    people_in_file,
    person_of,
    stamp,
    windows,
)
from streams.instances.bootstrapping.store import Store
from streams.settings import SettingsError
from streams.sync.collision import seconds_of

log = logging.getLogger(__name__)

JOBS_MAX = 2
"""So many run at once at the most; more would only wait in a queue that others use too."""

NO_BULK = frozenset({"603", "610", "1035", "404"})
"""What Marketo answers where there is no bulk extract: no permission, no such address, no such filter."""

QUEUE_FULL = "1029"
"""Too many jobs in the queue, or the day's export quota is used up."""

ENDED = frozenset({"Completed", "Failed", "Canceled", "Cancelled"})
TRIES_MAX = 3
OVERLAP = timedelta(minutes=10)
"""So far before our own clock's now the feed is taken up, since clocks differ and Marketo shows activities with a delay."""

SKEW = timedelta(minutes=1)
"""So much our clock and Marketo's may differ where it only matters in which second something happened."""

FIRST_LOOK_SECONDS = 1.0

Read = Callable[[int], None]
Sleep = Callable[[float], Awaitable[None]]


class MarketoReading:
    """`read()` once; `read_so_far(count)` is told of progress. `poll_seconds`: at the most, between two looks at a job.

    Marketo renews a job's status once a minute, but a small job may be done sooner: the first looks come quickly.
    """

    def __init__(
        self,
        client: MarketoClient,
        store: Store,
        columns: Sequence[str],
        *,
        since: datetime,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll_seconds: float = 60.0,
        read_so_far: Read = lambda count: None,
        sleep: Sleep = asyncio.sleep,
        export: LeadExport | None = None,
    ) -> None:
        self._client, self._store, self._columns, self._since, self._now = client, store, columns, since, now
        self._export = export or LeadExport(client)
        self._poll_seconds, self._read_so_far, self._sleep = poll_seconds, read_so_far, sleep
        self._slots = asyncio.Semaphore(JOBS_MAX)

    async def read(self) -> None:
        """Read everybody. Raises Refused, SettingsError."""
        if self._store.note("marketo.read") is not None:
            return
        await self._take_place()
        until = datetime.fromisoformat(self._store.note("marketo.until") or "")
        left = [w for w in windows(self._since, until) if self._store.note(f"window.{w.start}") != "read"]
        if self._store.note("marketo.paged") is None:
            try:
                await all_at_once(self._window(each) for each in left)
            except _NoBulkError:
                self._store.take_note("marketo.paged", "0")
        if self._store.note("marketo.paged") is not None:
            await self._paged()
        self._store.take_note("marketo.read", stamp(self._now()))

    async def _take_place(self) -> None:
        if self._store.note("marketo.token") is None:
            now = self._now()
            token = await self._client.paging_token(stamp(now - OVERLAP))
            with self._store.together():
                self._store.take_note("marketo.until", stamp(now))
                self._store.take_note("marketo.token", token)

    async def _window(self, window: Window) -> None:
        async with self._slots:
            for _ in range(TRIES_MAX):
                status = await self._job(window)
                if status["status"] == "Completed" and await self._load(window, status):
                    return
                self._store.take_note(f"job.{window.start}", None)
                log.warning("the export of %s to %s came to nothing (%s); again", *window, status["status"])
        raise SettingsError(f"Marketo's bulk extract of {window.start} to {window.end} failed {TRIES_MAX} times")

    async def _job(self, window: Window) -> dict[str, Any]:
        """The status of the window's job once it has ended; of one that an earlier start has made, where Marketo still has it."""
        note = f"job.{window.start}"
        export_id, is_old = self._store.note(note), True
        pause = min(FIRST_LOOK_SECONDS, self._poll_seconds)
        while True:
            try:
                if export_id is None:
                    export_id, is_old = await self._create(window), False
                    self._store.take_note(note, export_id)
                status = await self._export.status(export_id)
                if status.get("status") == "Created":
                    status = await self._export.enqueue(export_id)
                if status.get("status") in ENDED:
                    return status
            except OutcomeUnknown as error:  # nothing is lost if it was done: its status will say so
                log.warning("Marketo's bulk extract: %s", error)
            except Refused as error:
                if error.code == QUEUE_FULL:
                    log.warning("Marketo takes no further export for now (%s); waiting", error.message)
                elif is_old and export_id is not None:
                    export_id = None
                    continue
                else:
                    raise
            await self._sleep(pause)
            pause = min(pause * 2, self._poll_seconds)

    async def _create(self, window: Window) -> str:
        filters = {"createdAt": {"startAt": window.start, "endAt": window.end}}
        try:
            return await self._export.create(asked_fields(self._columns), filters)
        except Refused as error:
            if error.code in NO_BULK:
                log.warning("this subscription has no bulk extract of people (%s): reading page by page", error.code)
                raise _NoBulkError from None
            raise

    async def _load(self, window: Window, status: dict[str, Any]) -> bool:
        """Put the file's people into the store. False where it did not come over whole."""
        content = await self._export.file(str(status["exportId"]))
        checksum = str(status.get("fileChecksum") or "").partition(":")[2]
        if checksum and hashlib.sha256(content).hexdigest() != checksum.lower():
            return False
        lines = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")
        try:
            with self._store.together():
                self._store.put(people_in_file(lines, self._columns))
                self._store.take_note(f"window.{window.start}", "read")
        except (ValueError, UnicodeDecodeError) as error:
            raise SettingsError(f"Marketo's bulk extract of {window.start} to {window.end}: {error}") from None
        self._read_so_far(self._store.count("marketo"))
        return True

    async def _paged(self) -> None:
        """Everybody who was created since: the activity log names them, and reads by id say what they hold."""
        token = self._store.note("paged.token") or await self._client.paging_token(stamp(self._since))
        while True:
            page = await self._client.activities(token, (NEW_LEAD,), priority=Priority.BACKGROUND)
            ids = list(dict.fromkeys(str(each["leadId"]) for each in page.get("result") or ()))
            found = [
                person
                for start in range(0, len(ids), LEADS_MAX)
                for each in await self._client.leads_by(
                    "id", ids[start : start + LEADS_MAX], asked_fields(self._columns), Priority.BACKGROUND
                )
                if (person := person_of(each, self._columns)) is not None
            ]
            token = str(page["nextPageToken"])
            with self._store.together():
                self._store.put(found)
                self._store.take_note("paged.token", token)
            self._read_so_far(self._store.count("marketo"))
            if not page.get("moreResult"):
                return


def shown_before(updated_at: str | None, until: datetime) -> str | None:
    """Before which time whatever the feed lists of a person is in its row; None where it lists nothing of that again.

    `updated_at`: the row's own word, in whole seconds; `until`: from when on rows were read. What happened in that very second is
    in the row as well, where the second was over by then.
    """
    seconds = seconds_of(updated_at)
    if seconds is None or seconds < (until - OVERLAP).timestamp():
        return None
    is_over = seconds < (until - SKEW).timestamp()
    return stamp(datetime.fromtimestamp(int(seconds) + is_over, UTC))


class _NoBulkError(Exception):
    """The subscription has no bulk extract."""
