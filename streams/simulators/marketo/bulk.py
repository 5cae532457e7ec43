"""The endpoints of bulk lead extract. They stand under /bulk/v1; the file is no JSON, and a missing one a plain 404."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from streams.simulators.marketo import tokens
from streams.simulators.marketo.call import Answer, Call
from streams.simulators.marketo.envelope import Refused
from streams.simulators.marketo.exports import Exports

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")

BulkHandler = Callable[[Call, Exports], Awaitable[Answer]]


async def create_job(call: Call, exports: Exports) -> Answer:
    """POST /bulk/v1/leads/export/create.json"""
    return {"result": [exports.create(call.user, await call.body(), call.now).shown()]}


async def get_jobs(call: Call, exports: Exports) -> Answer:
    """GET /bulk/v1/leads/export.json"""
    wanted, size = call.names("status"), call.batch_size()
    jobs = [job for job in exports.all(call.user, call.now) if not wanted or job.status in wanted]
    token = call.params.get("nextPageToken")
    first = int(tokens.read(token, "after").at) if token else 0
    shown = {"result": [job.shown() for job in jobs[first : first + size]]}
    more = {"nextPageToken": tokens.written("after", first + size), "moreResult": True}
    return {**shown, **(more if first + size < len(jobs) else {})}


async def enqueue_job(call: Call, exports: Exports) -> Answer:
    """POST /bulk/v1/leads/export/{exportId}/enqueue.json"""
    job = exports.get(call.user, call.path_id(), call.now)
    exports.enqueue(job, call.now)
    return {"result": [job.shown()]}


async def cancel_job(call: Call, exports: Exports) -> Answer:
    """POST /bulk/v1/leads/export/{exportId}/cancel.json"""
    job = exports.get(call.user, call.path_id(), call.now)
    exports.cancel(job)
    return {"result": [job.shown()]}


async def get_status(call: Call, exports: Exports) -> Answer:
    """GET /bulk/v1/leads/export/{exportId}/status.json"""
    return {"result": [exports.get(call.user, call.path_id(), call.now).shown()]}


async def get_file(call: Call, exports: Exports) -> Answer:
    """GET /bulk/v1/leads/export/{exportId}/file.json, in whole or by a Range of bytes."""
    try:
        job = exports.get(call.user, call.path_id(), call.now)
    except Refused:
        return web.Response(status=404, text="Export job not found")
    if job.status != "Completed":
        return web.Response(status=404, text="Export file not found: the job is not completed")
    asked = call.request.headers.get("Range")
    if asked is None:
        return web.Response(body=job.content, content_type="text/csv", headers={"Accept-Ranges": "bytes"})
    return _part(job.content, asked)


def _part(content: bytes, asked: str) -> web.Response:
    match = _RANGE.fullmatch(asked.strip())
    start = int(match[1]) if match else len(content)
    if match is None or start >= len(content):
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
    end = min(int(match[2]) if match[2] else len(content) - 1, len(content) - 1)
    headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{end}/{len(content)}"}
    return web.Response(status=206, body=content[start : end + 1], content_type="text/csv", headers=headers)
