"""The processes of a demo, workers and connectors: started again when they die, their words in a file each.

A worker keeps its instance id over its lives, so that its partitions wait for it. One that cannot be started three times in
a row is a fault to be told, not a thing to be tried for ever. Each stands under a supervisor, like the broker, so that even
`kill -9` of the demo leaves no worker behind.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from streams.broker.supervised import Supervised
from streams.settings import Settings

LEADSYNC = (sys.executable, "-m", "streams")
READY_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05
STARTS_IN_A_ROW_MAX = 3
PAUSE_SECONDS = 0.5
TAIL_LINES = 15

_ready_url = re.compile(r"^(?:worker|connector): (http://\S+/health/ready)$", re.MULTILINE)


class WorkerFailed(Exception):  # noqa: N818 - the worker failed; this tells of it
    """A worker does not start; the message ends with what it said last."""


class Member:
    """One process, over all its lives. `command` after the program; secrets stand in the `environment`."""

    def __init__(
        self,
        name: str,
        folder: Path,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.is_ready = False
        self._is_stopping = False
        self._folder = folder / name
        self._log = self._folder / f"{name.partition('-')[0]}.log"
        self._supervised: Supervised | None = None
        self._starting = threading.Lock()  # a start that was cancelled goes on in its thread, and is then stopped
        self._command, self._environment = list(command), environment

    async def live(self) -> bool:
        """One life, from start to end. Says whether it was ready at any time."""
        begins, deadline = len(self._said()), time.monotonic() + READY_SECONDS_MAX
        supervised = await asyncio.to_thread(self._start)
        was_ready = False
        async with aiohttp.ClientSession() as session:
            while not self._is_stopping and supervised.ended() is None:
                if not was_ready and time.monotonic() > deadline:
                    raise WorkerFailed(
                        f"{self.name} was not ready within {READY_SECONDS_MAX:.0f} s; {self.last_words()}"
                    )
                self.is_ready = was_ready = was_ready or await self._answers(session, begins)
                await asyncio.sleep(POLL_SECONDS)
        self.is_ready = False
        return was_ready

    def kill(self) -> None:
        """`kill -9`."""
        if self._supervised is not None:
            self._supervised.kill()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        self._is_stopping = True
        await asyncio.to_thread(self._close)

    def last_words(self) -> str:
        """The end of its log, and where the rest is."""
        lines = self._said().decode(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"the end of {self._log}:", *lines])

    def _start(self) -> Supervised:
        with self._starting:
            if self._supervised is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._supervised = Supervised(
                    self._folder, self._log, remove_folder_at_end=False, environment=self._environment
                )
            self._supervised.run(self._command)
            return self._supervised

    def _close(self) -> None:
        with self._starting:
            if self._supervised is not None:
                self._supervised.close()
                self._supervised = None

    def _said(self) -> bytes:
        return self._log.read_bytes() if self._log.exists() else b""

    async def _answers(self, session: aiohttp.ClientSession, begins: int) -> bool:
        """Whether it says on its port that it is ready; which port, it said on standard error."""
        found = _ready_url.search(self._said()[begins:].decode(errors="replace"))
        if found is None:
            return False
        try:
            async with session.get(found[1], timeout=aiohttp.ClientTimeout(total=2)) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def worker_members(settings: Settings, count: int, folder: Path, program: Sequence[str] = LEADSYNC) -> list[Member]:
    """So many workers."""
    return [
        Member(
            f"worker-{number}",
            folder,
            [
                *program, "worker", "--port", "0", "--instance-id", f"demo-{number}",
                "--bootstrap-servers", settings.bootstrap_servers, "--prefix", settings.prefix, "--log-level", "INFO",
            ],
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


class Fleet:
    """Several processes. `run` in a task of its own; it ends only with a WorkerFailed."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)
        self.kills = 0
        self.restarts = 0
        self._killed: set[Member] = set()
        self._is_stopping = False

    @property
    def ready(self) -> int:
        """How many workers are ready."""
        return sum(member.is_ready for member in self.members)

    async def all_ready(self) -> None:
        """Wait until every worker is."""
        while self.ready < len(self.members):  # noqa: ASYNC110 - each is asked over HTTP anyway, now and then
            await asyncio.sleep(POLL_SECONDS)

    async def run(self) -> None:
        """Keep them all alive."""
        async with asyncio.TaskGroup() as group:
            for member in self.members:
                group.create_task(self._keep_alive(member))

    def kill_one(self, number: int = -1) -> None:
        """`kill -9` for one, the last if nothing is said; it is started again like any that dies."""
        member = self.members[number]
        self._killed.add(member)
        self.kills += 1
        member.kill()

    async def stop(self) -> None:
        """End them in good order."""
        self._is_stopping = True
        await asyncio.gather(*(member.stop() for member in self.members))

    async def _keep_alive(self, member: Member) -> None:
        failures = 0
        while not self._is_stopping:
            failures = 0 if await member.live() else failures + 1
            if self._is_stopping:
                return
            if member in self._killed:
                self._killed.discard(member)
                continue
            self.restarts += 1
            if failures == STARTS_IN_A_ROW_MAX:
                raise WorkerFailed(f"{member.name} ended {failures} times before it was ready; {member.last_words()}")
            await asyncio.sleep(PAUSE_SECONDS)
