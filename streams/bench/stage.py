"""Where the measures of time, restarts, growth and overload are taken: topics of their own, and workers under the hand.

The source topics stamp what they take with the broker's clock (LogAppendTime), from which delays are counted; the policy is
in force before the first worker starts, so that each start is like any other.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.topics import INPUT_TOPICS
from streams.bench.cost import cpu_seconds_of
from streams.bench.failed import BenchFailed, last_words
from streams.bench.load import Load
from streams.bench.ranges import Range, read_ranges
from streams.bench.wire import TAIL_OFFSETS, plain_consumer
from streams.lane.stable_offsets import KnownOffsets
from streams.policies import apply_policy
from streams.policy import default_rule_texts
from streams.settings import Settings
from streams.topics import ensure_topics, wanted_topics

READY_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.01
ASK_SECONDS_MAX = 10.0

_port = re.compile(r"^worker: (http://\S+)/health/ready$", re.MULTILINE)


class Stage:
    """Topics of one measure, its policy and its workers. Workers that still run at the end are killed."""

    def __init__(self, settings: Settings, partitions: int, folder: Path, admin: Any, watch: Any) -> None:
        self.settings, self.partitions = settings, partitions
        self._folder, self._admin, self._watch = folder, admin, watch
        self._offsets = KnownOffsets(admin, settings.app_id)
        self._workers: list[WorkerProcess] = []

    def worker(self, name: str, *options: str) -> WorkerProcess:
        """A worker that is yet to be started; `name` is its instance id."""
        self._workers.append(WorkerProcess(self.settings, name, self._folder, options))
        return self._workers[-1]

    async def committed(self) -> Mapping[TopicPartition, int]:
        """The group's offsets; a worker that is held up in the midst of a transaction holds up nobody who looks on."""
        return await self._offsets.look()

    def places(self, *names: str) -> list[TopicPartition]:
        """The partitions of these topics of the topic table."""
        return [TopicPartition(self.settings.topic(name), n) for name in names for n in range(self.partitions)]

    async def ends(self, *names: str) -> Mapping[TopicPartition, int]:
        """Where these topics end, transaction markers included."""
        ends: Mapping[TopicPartition, int] = await self._watch.end_offsets(self.places(*names))
        return ends

    async def is_folded(self) -> bool:
        """Whether the group has committed the last message of each partition of `person.changes`."""
        committed = await self.committed()
        for place, end in (await self.ends("person.changes")).items():
            tail = Range(place.topic, place.partition, max(end - TAIL_OFFSETS, committed.get(place, 0)), end)
            if any((await read_ranges(self._watch, [tail])).values()):
                return False
        return True

    async def values(self, name: str) -> AsyncIterator[bytes]:
        """The bodies of a topic's committed messages, some at a time."""
        for place, end in (await self.ends(name)).items():
            self._watch.assign([place])
            self._watch.seek(place, 0)
            while await self._watch.position(place) < end:
                for record in (await self._watch.getmany(timeout_ms=500)).get(place, ()):
                    yield record.value

    async def kill_all(self) -> None:
        """Nothing may outlive the bench."""
        for worker in self._workers:
            await worker.end(signal.SIGKILL)


@asynccontextmanager
async def stage(settings: Settings, load: Load, partitions: int) -> AsyncIterator[Stage]:
    """Topics that nobody else has; they are deleted at the end."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadsync-bench-")))
        admin: Any = AIOKafkaAdminClient(**settings.client("bench-stage"))
        await admin.start()
        stack.push_async_callback(admin.close)
        stack.push_async_callback(admin.delete_topics, [*wanted_topics(settings)])
        await _create_sources(admin, settings, partitions)
        await ensure_topics(settings, partitions=partitions)
        await apply_policy(settings, load.policy_text(), default_rule_texts())
        watch = plain_consumer(settings, "bench-stage", "read_committed")
        await watch.start()
        stack.push_async_callback(watch.stop)
        made = Stage(settings, partitions, folder, admin, watch)
        stack.push_async_callback(made.kill_all)
        yield made


async def _create_sources(admin: Any, settings: Settings, partitions: int) -> None:
    wanted = wanted_topics(settings, partitions)
    names = [settings.topic(name) for name in INPUT_TOPICS]
    stamped = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics(
        [NewTopic(name, partitions, 1, topic_configs={**wanted[name].configs, **stamped}) for name in names]
    )


class WorkerProcess:
    """`leadsync worker` in a process of its own, over all its lives: started, stopped, killed, asked."""

    def __init__(self, settings: Settings, name: str, folder: Path, options: tuple[str, ...]) -> None:
        self.name = name
        self._command = [
            sys.executable, "-m", "streams", "worker", "--bootstrap-servers", settings.bootstrap_servers,
            "--prefix", settings.prefix, "--port", "0", "--log-level", "WARNING", "--instance-id", name, *options,
        ]  # fmt: skip
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Begin a life; `ready` waits for it."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def ready(self) -> float:
        """Wait until its partitions flow; how many seconds that took. Raises BenchFailed when it ends before."""
        began = time.perf_counter()
        async with aiohttp.ClientSession() as session, asyncio.timeout(READY_SECONDS_MAX):
            while not await self._answers(session):
                self.refuse_if_ended()
                await asyncio.sleep(POLL_SECONDS)
        return time.perf_counter() - began

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        found = self.address
        if found is None:
            return False
        with suppress(aiohttp.ClientError):
            async with session.get(f"{found}/health/ready") as response:
                return response.status == 200
        return False

    async def ask(self, session: aiohttp.ClientSession, path: str) -> str | None:
        """What its port says, whatever the status; None where nothing came in time."""
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{self.address}{path}", timeout=aiohttp.ClientTimeout(ASK_SECONDS_MAX)) as response:
                return await response.text()
        return None

    @property
    def address(self) -> str | None:
        """Where it serves, once it has said so."""
        found = _port.search(self._log.read_text(encoding="utf-8", errors="replace"))
        return found[1] if found else None

    def refuse_if_ended(self) -> None:
        """Raise BenchFailed where the process is no more."""
        if self._started.returncode is not None:
            raise BenchFailed(f"{self.name} ended with status {self._started.returncode}; {last_words(self._log)}")

    @property
    def _started(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not started"
        return self._process

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if there is anybody to hear it."""
        with suppress(ProcessLookupError):
            self._started.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait for the end; killed where it does not come."""
        if self._process is None or self._process.returncode is not None:
            return
        self.send(number)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self._process.wait()

    def cpu_seconds(self) -> float:
        """User and system time so far, all threads."""
        return cpu_seconds_of(self._started.pid)

    def resident_bytes(self) -> int:
        """What the process holds in memory."""
        return resident_bytes_of(self._started.pid)


def resident_bytes_of(pid: int) -> int:
    """VmRSS of a process, as proc(5) tells it. Linux only."""
    if sys.platform != "linux":
        raise BenchFailed("memory of another process is read from Linux's /proc; this is no Linux")
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
