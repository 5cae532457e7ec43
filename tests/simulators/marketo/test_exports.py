"""Bulk lead extract: jobs that take their time, and files in parts."""

from __future__ import annotations

import hashlib
from typing import Any

from streams.simulators.marketo.coercion import in_seconds
from streams.simulators.marketo.limits import Limits
from tests.simulators.marketo.served import NOW, Client, Served, served

EXPORT = "/bulk/v1/leads/export"
DAY = 86_400


def span(start: float, end: float, name: str = "createdAt") -> dict[str, Any]:
    return {name: {"startAt": in_seconds(start), "endAt": in_seconds(end)}}


async def create(client: Client, **more: Any) -> str:
    asked = {"fields": ["id", "lastName", "jobTitle"], "filter": span(NOW - DAY, NOW + DAY), **more}
    (job,) = (await client.post(f"{EXPORT}/create.json", asked))["result"]
    assert job["status"] == "Created"
    return str(job["exportId"])


async def status(client: Client, job_id: str) -> dict[str, Any]:
    (job,) = (await client.get(f"{EXPORT}/{job_id}/status.json"))["result"]
    return dict(job)


async def completed(stage: Served, job_id: str) -> dict[str, Any]:
    """Run a job to its end."""
    await stage.user.post(f"{EXPORT}/{job_id}/enqueue.json")
    for _ in range(2):
        stage.clock.now += 60
        job = await status(stage.user, job_id)
    assert job["status"] == "Completed"
    return job


async def test_a_job_is_created_enqueued_worked_at_and_completed() -> None:
    """With the time of each step, and in the end the file's size and checksum."""
    async with served(limits=Limits(export_queue_seconds=30, export_work_seconds=30)) as stage:
        stage.person(jobTitle='CTO, "acting"')
        stage.person()
        job_id = await create(stage.user)
        assert (await status(stage.user, job_id))["status"] == "Created"
        assert (await stage.user.post(f"{EXPORT}/{job_id}/enqueue.json"))["result"][0]["status"] == "Queued"
        assert (await status(stage.user, job_id))["status"] == "Queued"
        stage.clock.now += 30
        assert (await status(stage.user, job_id))["status"] == "Processing"
        code, _, _ = await stage.user.response("GET", f"{EXPORT}/{job_id}/file.json")
        assert code == 404
        stage.clock.now += 30
        job = await status(stage.user, job_id)
        code, _, content = await stage.user.response("GET", f"{EXPORT}/{job_id}/file.json")
        assert (code, job["numberOfRecords"], job["fileSize"]) == (200, 2, len(content))
        assert job["fileChecksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert {"createdAt", "queuedAt", "startedAt", "finishedAt"} <= set(job)
        assert content.decode().splitlines() == [
            "id,lastName,jobTitle",
            '1000001,Lovelace,"CTO, ""acting"""',
            "1000002,Lovelace,null",
        ]


async def test_a_file_comes_in_parts() -> None:
    """By ranges of bytes; one beyond its end is refused."""
    async with served() as stage:
        stage.person()
        job_id = await create(stage.user)
        size = (await completed(stage, job_id))["fileSize"]
        path = f"{EXPORT}/{job_id}/file.json"
        _, _, whole = await stage.user.response("GET", path)
        code, headers, first = await stage.user.response("GET", path, headers={"Range": "bytes=0-9"})
        assert (code, headers["Content-Range"], headers["Accept-Ranges"]) == (206, f"bytes 0-9/{size}", "bytes")
        code, _, rest = await stage.user.response("GET", path, headers={"Range": "bytes=10-"})
        assert code == 206 and first + rest == whole
        code, _, _ = await stage.user.response("GET", path, headers={"Range": f"bytes={size}-"})
        assert code == 416


async def test_the_filter_is_of_creation_or_of_the_last_update() -> None:
    """Both ends count."""
    async with served() as stage:
        old = stage.person()
        stage.clock.now += 10 * DAY
        new = stage.person()
        stage.instance.edit(old.id, "m", {"jobTitle": "CTO"}, stage.clock.now)
        for chosen, expected in (
            (span(NOW, NOW + DAY), [old.id]),
            (span(NOW + 10 * DAY, NOW + 11 * DAY), [new.id]),
            (span(NOW + 10 * DAY, NOW + 11 * DAY, "updatedAt"), [old.id, new.id]),
            (span(NOW, NOW + DAY, "updatedAt"), []),
        ):
            await stage.user.identify()
            job_id = await create(stage.user, filter=chosen, fields=["id"], columnHeaderNames={"id": "Marketo Id"})
            await completed(stage, job_id)
            _, _, content = await stage.user.response("GET", f"{EXPORT}/{job_id}/file.json")
            assert content.decode().split() == ["Marketo", "Id", *expected]


async def test_a_job_that_makes_no_sense_is_refused() -> None:
    """Its span is 31 days at most."""
    async with served() as stage:
        path, fine = f"{EXPORT}/create.json", {"fields": ["id"], "filter": span(NOW, NOW + 31 * DAY)}
        await stage.user.post(path, fine)
        for more, code in (
            ({"filter": span(NOW, NOW + 31 * DAY + 1)}, "1003"),
            ({"filter": span(NOW, NOW - 1)}, "1001"),
            ({"filter": {"createdAt": {"startAt": "soon", "endAt": "later"}}}, "1001"),
            ({"filter": {"smartListId": 5}}, "1035"),
            ({"filter": {}}, "1003"),
            ({"fields": []}, "1002"),
            ({"fields": ["nope"]}, "1006"),
            ({"format": "XLS"}, "1001"),
        ):
            assert await stage.user.code("POST", path, {**fine, **more}) == code


async def test_two_jobs_run_at_once_and_ten_may_wait() -> None:
    """The eleventh is refused, and so is one that is queued already."""
    async with served(limits=Limits(export_queue_seconds=0, export_work_seconds=60)) as stage:
        ids = [await create(stage.user) for _ in range(11)]
        for job_id in ids[:10]:
            await stage.user.post(f"{EXPORT}/{job_id}/enqueue.json")
        assert await stage.user.code("POST", f"{EXPORT}/{ids[10]}/enqueue.json") == "1029"
        assert await stage.user.code("POST", f"{EXPORT}/{ids[0]}/enqueue.json") == "1029"
        jobs = (await stage.user.get(f"{EXPORT}.json", status="Processing,Queued"))["result"]
        assert [job["status"] for job in jobs] == ["Processing"] * 2 + ["Queued"] * 8
        stage.clock.now += 60
        jobs = (await stage.user.get(f"{EXPORT}.json"))["result"]
        assert [job["status"] for job in jobs] == ["Completed"] * 2 + ["Processing"] * 2 + ["Queued"] * 6 + ["Created"]


async def test_a_job_can_be_cancelled_until_it_is_done() -> None:
    """And is nobody's but its maker's."""
    async with served() as stage:
        job_id = await create(stage.user)
        assert await stage.connector.code("GET", f"{EXPORT}/{job_id}/status.json") == "1013"
        assert (await stage.user.post(f"{EXPORT}/{job_id}/cancel.json"))["result"][0]["status"] == "Cancelled"
        done = await create(stage.user)
        await completed(stage, done)
        assert await stage.user.code("POST", f"{EXPORT}/{done}/cancel.json") == "709"
        code, _, _ = await stage.user.response("GET", f"{EXPORT}/nope/file.json")
        assert code == 404


async def test_jobs_are_listed_in_pages() -> None:
    """The last one has no token."""
    async with served() as stage:
        ids = [await create(stage.user) for _ in range(3)]
        page = await stage.user.get(f"{EXPORT}.json", batchSize=2)
        last = await stage.user.get(f"{EXPORT}.json", batchSize=2, nextPageToken=page["nextPageToken"])
        assert [job["exportId"] for job in [*page["result"], *last["result"]]] == ids and "nextPageToken" not in last
