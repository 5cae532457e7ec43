"""The processes of a demo, workers and connectors: started again when they die, their words in a file each.

A worker keeps its instance id over its lives, so that its partitions wait for it. One that cannot be started three times in
a row is a fault to be told, not a thing to be tried for ever. Each stands under a supervisor, like the broker, so that even
`kill -9` of the demo leaves no worker behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
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
LEAVE_SECONDS_MAX = 30.0
ANSWER_SECONDS_MAX = 2.0
POLL_SECONDS = 0.05
STARTS_IN_A_ROW_MAX = 3
PAUSE_SECONDS = 0.5
TAIL_LINES = 15

_port = re.compile(r"^(?:worker|connector): (http://\S+)/health/ready$", re.MULTILINE)


class WorkerFailed(Exception):  # noqa: N818 - the worker failed; this tells of it
    """A worker does not start; the message ends with what it said last."""


class Member:
    """One process, over all its lives. `command` after the program; secrets stand in the `environment`.

    Whoever disturbs it on purpose may change the `command` between two lives, keep it down by clearing `may_start`, and
    say that it `is_excused` while it cannot become ready for a reason that is no fault of its own.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.command = name, list(command)
        self.is_ready = self.is_alive = False
        self.is_leaving = False
        self.is_excused = False
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.lives = 0
        self.status: int | None = None  # of the last life's end; negative: the signal
        self._address: str | None = None
        self._is_stopping = False
        self._folder = folder / name
        self._log = self._folder / f"{name.partition('-')[0]}.log"
        self._supervised: Supervised | None = None
        self._starting = threading.Lock()  # a start that was cancelled goes on in its thread, and is then stopped
        self._environment = environment

    async def live(self) -> bool:
        """One life, from start to end. Says whether it was ready at any time."""
        self.is_alive = True
        begins, deadline = len(self._said()), time.monotonic() + READY_SECONDS_MAX
        supervised = await asyncio.to_thread(self._start)
        was_ready = False
        async with aiohttp.ClientSession() as session:
            while not self._is_stopping and supervised.ended() is None:
                if self.is_excused:
                    deadline = time.monotonic() + READY_SECONDS_MAX
                elif not was_ready and time.monotonic() > deadline:
                    raise WorkerFailed(
                        f"{self.name} was not ready within {READY_SECONDS_MAX:.0f} s; {self.last_words()}"
                    )
                self.is_ready = was_ready = was_ready or await self._is_up(session, begins)
                await asyncio.sleep(POLL_SECONDS)
        self.is_ready = self.is_alive = False
        self._address = None
        self.status = None if self._is_stopping else supervised.ended()
        return was_ready

    async def says(self, session: aiohttp.ClientSession, path: str) -> str | None:
        """What it answers on its port; None while it has none or does not answer."""
        answer = await self._answer(session, path)
        return None if answer is None else answer[1]

    def signal(self, number: signal.Signals) -> None:
        """At once; nothing to a process that is gone."""
        supervised = self._supervised
        if supervised is not None and supervised.ended() is None and supervised.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervised.pid, number)

    def kill(self) -> None:
        """`kill -9`."""
        self.signal(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        self._is_stopping = self.is_leaving = True
        self.may_start.set()
        await asyncio.to_thread(self._close)

    @property
    def log_bytes(self) -> int:
        """How much it has said over all its lives."""
        return len(self._said())

    def said_since(self, log_bytes: int) -> str:
        """What it has said since it had said so much."""
        return self._said()[log_bytes:].decode(errors="replace")

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
            self._supervised.run(self.command)
            self.lives += 1
            return self._supervised

    def _close(self) -> None:
        with self._starting:
            if self._supervised is not None:
                self._supervised.close()
                self._supervised = None

    def _said(self) -> bytes:
        return self._log.read_bytes() if self._log.exists() else b""

    async def _is_up(self, session: aiohttp.ClientSession, begins: int) -> bool:
        """Whether it says on its port that it is ready; which port, it said on standard error."""
        if self._address is None:
            found = _port.search(self._said()[begins:].decode(errors="replace"))
            self._address = None if found is None else found[1]
        answer = await self._answer(session, "/health/ready")
        return answer is not None and answer[0] == 200

    async def _answer(self, session: aiohttp.ClientSession, path: str) -> tuple[int, str] | None:
        if self._address is None:
            return None
        try:
            patience = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
            async with session.get(self._address + path, timeout=patience) as response:
                return response.status, (await response.text()).strip()
        except (aiohttp.ClientError, TimeoutError):
            return None


def worker_member(
    settings: Settings, number: int, folder: Path, program: Sequence[str] = LEADSYNC, options: Sequence[str] = ()
) -> Member:
    """One worker, under the instance id of its number."""
    return Member(
        f"worker-{number}",
        folder,
        [
            *program, "worker", "--port", "0", "--instance-id", f"demo-{number}",
            "--bootstrap-servers", settings.bootstrap_servers, "--prefix", settings.prefix, "--log-level", "INFO",
            *options,
        ],
    )  # fmt: skip


def worker_members(settings: Settings, count: int, folder: Path, program: Sequence[str] = LEADSYNC) -> list[Member]:
    """So many workers."""
    return [worker_member(settings, number, folder, program) for number in range(1, count + 1)]


class Fleet:
    """Several processes. `run` in a task of its own; it ends only with a WorkerFailed."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)
        self.kills = 0
        self.restarts = 0
        self._killed: set[Member] = set()
        self._keepers: dict[Member, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
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
        async with asyncio.TaskGroup() as self._group:
            for member in self.members:
                self._keepers[member] = self._group.create_task(self._keep_alive(member))

    def kill_one(self, number: int = -1) -> None:
        """`kill -9` for one, the last if nothing is said; it is started again like any that dies."""
        self.kill(self.members[number])

    def kill(self, member: Member) -> None:
        """`kill -9` for this one."""
        self._killed.add(member)
        self.kills += 1
        member.kill()

    async def hold(self, member: Member, number: signal.Signals) -> None:
        """Ended by this signal, and kept down until `may_start` is set."""
        member.may_start.clear()
        self.kills += number == signal.SIGKILL and member.is_alive
        while member.is_alive:  # one that is just being started hears nothing yet
            self._killed.add(member)
            member.signal(number)
            await asyncio.sleep(POLL_SECONDS)

    def add(self, member: Member) -> None:
        """One more; `run` must be running."""
        assert self._group is not None
        self.members.append(member)
        self._keepers[member] = self._group.create_task(self._keep_alive(member))

    async def remove(self, member: Member) -> int | None:
        """One less: stopped in good order. Gives its exit status; None where it had to be killed."""
        member.is_leaving = True
        member.may_start.set()
        member.signal(signal.SIGTERM)
        await asyncio.wait([self._keepers[member]], timeout=LEAVE_SECONDS_MAX)
        await member.stop()
        await self._keepers.pop(member)
        self.members.remove(member)
        return member.status

    async def stop(self) -> None:
        """End them in good order."""
        self._is_stopping = True
        await asyncio.gather(*(member.stop() for member in self.members))

    async def _keep_alive(self, member: Member) -> None:
        failures = 0
        while not self._is_stopping:
            await member.may_start.wait()
            if self._is_stopping or member.is_leaving:
                return
            was_ready = await member.live()
            if self._is_stopping or member.is_leaving:
                return
            if member in self._killed:
                self._killed.discard(member)
                continue
            failures = 0 if was_ready or member.is_excused else failures + 1
            self.restarts += 1
            if failures == STARTS_IN_A_ROW_MAX:
                raise WorkerFailed(f"{member.name} ended {failures} times before it was ready; {member.last_words()}")
            await asyncio.sleep(PAUSE_SECONDS)
