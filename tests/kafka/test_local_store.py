"""Workers with `--store rocksdb`: as exact as in memory, warm when they return, and right about what is open."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streams.codec import encode
from streams.settings import Settings
from streams.sync.messages import Record, SourceChange
from tests.kafka.audit import audit
from tests.kafka.load import Message, drained, edits, send
from tests.kafka.test_exactly_once import until_committed
from tests.kafka.workers import WorkerProcess

pytestmark = pytest.mark.kafka

PEOPLE, ROUNDS, FAULTY = 300, 20, 7
OPEN = re.compile(r'leadsync_sync_errors_open\{partition="\d+"\} (\S+)')


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@asynccontextmanager
async def on_disk(settings: Settings, folder: Path, name: str) -> AsyncIterator[WorkerProcess]:
    """A worker, its log and its data in a folder; not yet started, and killed at the end."""
    worker = WorkerProcess(settings, name, made(folder))
    try:
        yield worker
    finally:
        if worker.process is not None and worker.process.returncode is None:
            await worker.end(signal.SIGKILL)


async def started(worker: WorkerProcess) -> WorkerProcess:
    """With its tables in `data` beside its log."""
    data = str(worker.log_file.with_name("data"))
    return await (await worker.start("--store", "rocksdb", "--data-folder", data)).ready()


def records_read(worker: WorkerProcess) -> int:
    """How many changelog records it read since it started."""
    return sum(map(int, re.findall(r": (\d+) changelog records read", worker.log)))


def open_errors(worker: WorkerProcess) -> float:
    """What its metrics say of all its partitions together."""
    return sum(map(float, OPEN.findall(worker.get("/metrics"))))


def refused(people: int) -> list[Message]:
    """Marketo persons with a last name that Dynamics cannot take, who ask for a record there."""
    messages: list[Message] = []
    for number in range(people):
        record = Record("marketo", "person", f"faulty-{number}")
        fields = {"lastName": "x" * 200}
        created = SourceChange(change_id=f"c-{number}", kind="created", record=record, version=1, fields=fields)
        asked = SourceChange(change_id=f"r-{number}", kind="requested", record=record, action="sync_person")
        messages += [("marketo.changes", record.id.encode(), encode(change)) for change in (created, asked)]
    return messages


async def test_kill_9_in_mid_load_loses_and_repeats_nothing_on_disk(settings: Settings, tmp_path: Path) -> None:
    """Three times, each at another place of the load; and after a stop nothing has to be read."""
    messages, ids = edits(PEOPLE, ROUNDS)
    async with on_disk(settings, tmp_path / "one", "one") as worker:
        await started(worker)
        loading = asyncio.create_task(send(settings, messages))
        for share in (0.1, 0.4, 0.7):
            await until_committed(settings, int(len(messages) * share))
            await worker.end(signal.SIGKILL)
            await started(worker)
        await loading
        await drained(settings)
        (await audit(settings)).check(ids)
        assert await worker.end(signal.SIGTERM) == 0
        await started(worker)
        assert records_read(worker) == 0 and "WARNING streams" not in worker.log
        more, more_ids = edits(PEOPLE, 3, first=PEOPLE)
        await send(settings, more)
        await drained(settings)
        (await audit(settings)).check(ids | more_ids)


async def test_a_warm_worker_knows_how_many_errors_are_open(settings: Settings, tmp_path: Path) -> None:
    """As it counted them, after a stop and after a kill, and as another one counts them that has read everything."""
    async with on_disk(settings, tmp_path / "one", "one") as one, on_disk(settings, tmp_path / "two", "two") as two:
        await started(one)
        await send(settings, refused(FAULTY))
        await one.until(lambda: open_errors(one) == FAULTY, f"aware of {FAULTY} errors")
        for number in (signal.SIGTERM, signal.SIGKILL):
            await one.end(number)
            await started(one)
            await one.until(lambda: open_errors(one) == FAULTY, f"aware of {FAULTY} errors")
        await one.end(signal.SIGTERM)
        await started(two)
        await two.until(lambda: open_errors(two) == FAULTY, f"aware of {FAULTY} errors")
        assert records_read(two) > 0


def test_a_store_on_disk_needs_a_folder(settings: Settings) -> None:
    """One line says so; nothing is started, and no folder is guessed."""
    command = [sys.executable, "-m", "streams", "worker", "--bootstrap-servers", settings.bootstrap_servers]
    done = subprocess.run([*command, "--store", "rocksdb"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert done.stderr.startswith("leadsync: --store rocksdb keeps the tables on disk: name a folder")
