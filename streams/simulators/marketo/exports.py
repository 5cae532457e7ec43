"""Bulk lead extract: jobs that run by themselves, two at a time, and files that can be fetched in parts ("Bulk Extract").

A job's state follows from the time: it is worked out whenever somebody asks. The file holds what the people were when the
job was done.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from streams.demo.record import HeldRecord
from streams.simulators.marketo.coercion import in_seconds, moment, spelled
from streams.simulators.marketo.envelope import Json, Refused
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.marketo.limits import Limits

Status = Literal["Created", "Queued", "Processing", "Canceled", "Completed"]
SEPARATORS: Mapping[str, str] = {"CSV": ",", "TSV": "\t", "SSV": ";"}
DATE_FILTERS = ("createdAt", "updatedAt")
DAY_SECONDS = 86_400
EMPTY = "null"
"""What a file says where a field is empty."""


@dataclass
class ExportJob:
    """One job. Times in seconds since the epoch."""

    id: str
    owner: str
    fields: tuple[str, ...]
    headers: Mapping[str, str]
    format: str
    filter: tuple[str, float, float]
    created_at: float
    status: Status = "Created"
    queued_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    content: bytes = b""
    count: int = 0

    def shown(self) -> Json:
        """As the status endpoints show it."""
        shown: Json = {
            "exportId": self.id,
            "format": self.format,
            "status": "Cancelled" if self.status == "Canceled" else self.status,
        }
        times = {"createdAt": self.created_at, "queuedAt": self.queued_at}
        times |= {"startedAt": self.started_at, "finishedAt": self.finished_at}
        shown |= {name: in_seconds(time) for name, time in times.items() if time is not None}
        if self.status == "Completed":
            shown |= {"numberOfRecords": self.count, "fileSize": len(self.content)}
            shown["fileChecksum"] = f"sha256:{hashlib.sha256(self.content).hexdigest()}"
        return shown


class Exports:
    """The queue of one instance."""

    def __init__(self, instance: MarketoInstance, limits: Limits) -> None:
        self._instance, self._limits = instance, limits
        self._jobs: dict[str, ExportJob] = {}

    def create(self, owner: str, asked: Mapping[str, Any], now: float) -> ExportJob:
        """A job that waits to be enqueued. Raises Refused."""
        fields = asked.get("fields")
        if not isinstance(fields, list) or not fields:
            raise Refused("1002", "Missing value for the required parameter 'fields'")
        for name in fields:
            if name not in self._instance.catalog:
                raise Refused("1006", f"Field '{name}' not found")
        form = str(asked.get("format") or "CSV").upper()
        if form not in SEPARATORS:
            raise Refused("1001", f"Invalid value '{form}'. Required of type 'format'")
        headers = asked.get("columnHeaderNames") or {}
        job = ExportJob(str(uuid4()), owner, tuple(fields), headers, form, self._filter(asked.get("filter")), now)
        self._jobs[job.id] = job
        return job

    def get(self, owner: str, job_id: str, now: float) -> ExportJob:
        """A job of this user's, as it stands now. Raises Refused (1013)."""
        self._advance(now)
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise Refused("1013", f"Object not found: export job '{job_id}'")
        return job

    def all(self, owner: str, now: float) -> list[ExportJob]:
        """This user's jobs."""
        self._advance(now)
        return [job for job in self._jobs.values() if job.owner == owner]

    def enqueue(self, job: ExportJob, now: float) -> None:
        """The job shall run. Raises Refused (1029)."""
        if job.status != "Created":
            raise Refused("1029", "Job already queued")
        if sum(each.status in ("Queued", "Processing") for each in self._jobs.values()) >= self._limits.exports_queued:
            raise Refused("1029", "Too many jobs in queue")
        job.status, job.queued_at = "Queued", now

    def cancel(self, job: ExportJob) -> None:
        """The job shall not run. Raises Refused (709) for one that is done."""
        if job.status == "Completed":
            raise Refused("709", "Business Rule Violation: the job is completed")
        job.status = "Canceled"

    def _filter(self, asked: Any) -> tuple[str, float, float]:
        if not isinstance(asked, dict) or len(asked) != 1:
            raise Refused("1003", "Invalid data: one filter is needed")
        ((name, span),) = asked.items()
        if name not in DATE_FILTERS:
            raise Refused("1035", "Unsupported filter type for target subscription")
        ends = [moment(str(span.get(end, ""))) if isinstance(span, dict) else None for end in ("startAt", "endAt")]
        start, end = ends
        if start is None or end is None or start > end:
            raise Refused("1001", f"Invalid value for {name}: startAt and endAt are times")
        if (end - start).total_seconds() > self._limits.export_days * DAY_SECONDS:
            raise Refused("1003", f"Invalid data: {name} spans more than {self._limits.export_days} days")
        return name, start.timestamp(), end.timestamp()

    def _advance(self, now: float) -> None:
        """Finish what is done, then start what may start."""
        running = [job for job in self._jobs.values() if job.status == "Processing"]
        for job in running:
            if job.started_at is not None and now >= job.started_at + self._limits.export_work_seconds:
                self._finish(job, now)
        places = self._limits.exports_running - sum(job.status == "Processing" for job in running)
        waiting = [job for job in self._jobs.values() if job.status == "Queued" and job.queued_at is not None]
        for job in sorted(waiting, key=lambda job: job.queued_at or 0.0)[: max(places, 0)]:
            if now >= (job.queued_at or 0.0) + self._limits.export_queue_seconds:
                job.status, job.started_at = "Processing", now

    def _finish(self, job: ExportJob, now: float) -> None:
        text, rows = io.StringIO(), 0
        writer = csv.writer(text, delimiter=SEPARATORS[job.format], lineterminator="\n")
        writer.writerow([job.headers.get(name, name) for name in job.fields])
        for held in self._instance.records.values():
            if self._matches(job, held):
                rows += 1
                values = (spelled(self._instance.value_of(held, name)) for name in job.fields)
                writer.writerow([EMPTY if value is None else value for value in values])
        job.content, job.count = text.getvalue().encode(), rows
        job.status, job.finished_at = "Completed", now

    def _matches(self, job: ExportJob, held: HeldRecord) -> bool:
        name, start, end = job.filter
        if name == "createdAt":
            time = self._instance.created_at[held.id]
        else:
            updated = moment(held.time)
            time = 0.0 if updated is None else updated.timestamp()
        return start <= int(time) <= end
