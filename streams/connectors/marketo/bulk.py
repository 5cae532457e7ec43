"""Bulk extract: every person of an instance, as a file that Marketo writes while we wait. For `leadsync bootstrap`.

A job is created, put into the queue, and polled about once a minute; its file is CSV, `null` for what is empty. A job covers
creation dates of at most 31 days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.connectors.marketo.calls import Request
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.pacing import Priority

FILE_SECONDS = 600.0
ROOT = "/bulk/v1/leads/export"


class LeadExport:
    """One export job at a time. Status: Created, Queued, Processing, Completed, Failed or Cancelled."""

    def __init__(self, client: MarketoClient, priority: Priority = Priority.BACKGROUND) -> None:
        self._calls, self._priority = client.calls, priority

    async def create(self, fields: Sequence[str], filters: Mapping[str, Any]) -> str:
        """A job's id. `filters`: {"createdAt": {"startAt", "endAt"}} or the same with "updatedAt"."""
        body = {"fields": list(fields), "format": "CSV", "filter": dict(filters)}
        request = Request("POST", f"{ROOT}/create.json", "bulk/create", None, body, write=True)
        return str((await self._first(request))["exportId"])

    async def enqueue(self, export_id: str) -> dict[str, Any]:
        """Put it into the queue. Refused with 1029 while too many wait there."""
        return await self._first(
            Request("POST", f"{ROOT}/{export_id}/enqueue.json", "bulk/enqueue", None, None, write=True)
        )

    async def status(self, export_id: str) -> dict[str, Any]:
        """{"exportId", "status", "numberOfRecords", "fileSize", …}."""
        return await self._first(Request("GET", f"{ROOT}/{export_id}/status.json", "bulk/status"))

    async def file(self, export_id: str) -> bytes:
        """The whole file, as CSV in UTF-8."""
        request = Request("GET", f"{ROOT}/{export_id}/file.json", "bulk/file", seconds_max=FILE_SECONDS)
        return await self._calls.raw(request, self._priority)

    async def _first(self, request: Request) -> dict[str, Any]:
        result: list[dict[str, Any]] = (await self._calls.json(request, self._priority)).get("result") or [{}]
        return result[0]
