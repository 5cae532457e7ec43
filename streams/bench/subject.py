"""A subject: a process that is measured, and the CPU time that it has used."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.bench.cost import cpu_seconds_of, end_with_the_bench
from streams.bench.failed import BenchFailed, last_words

STOP_SECONDS_MAX = 20.0
READY_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.5
IDLE_SHARE_MAX = 0.2
"""A subject that uses less than this share of a core, with its partitions assigned, has ended its start."""


class Subject:
    """One process, sent away and brought back as often as asked. It does its profiling from SIGUSR1 on, where it was asked for one.

    `can_restart`: whether going away is its end, and coming back a start; otherwise it only stands still in between.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, *, where: Path | None, profiled: bool, can_restart: bool
    ) -> None:
        self.name = name
        self._command, self._where, self._profiled, self._can_restart = command, where, profiled, can_restart
        self._log = folder / "log"
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[int] | None = None
        self._profiling = False

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._where,
                preexec_fn=end_with_the_bench,
            )
        self._ended = asyncio.create_task(self._process.wait())

    def cpu_seconds(self) -> float:
        """User and system time of the process so far, all its threads."""
        assert self._process is not None
        try:
            return cpu_seconds_of(self._process.pid)
        except OSError:
            raise BenchFailed(f"{self.name} ended; {last_words(self._log)}") from None

    def begin_profile(self) -> None:
        """From now on, in a process that comes after this one too."""
        self._profiling = True
        if self._profiled:
            self._signal(signal.SIGUSR1)

    async def alive_until(self, done: asyncio.Task[None]) -> None:
        """Wait for the task. Raises BenchFailed when the process ends before it."""
        assert self._ended is not None
        try:
            await asyncio.wait({done, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                status = self._ended.result()
                raise BenchFailed(f"{self.name} ended with status {status}; {last_words(self._log)}")
            await done
        finally:
            done.cancel()

    @asynccontextmanager
    async def away(self, attended: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
        """Not there while this is entered; afterwards there again, with its partitions and nothing to do."""
        if self._can_restart:
            await self._stop()
        else:
            self._signal(signal.SIGSTOP)
        yield
        if self._can_restart:
            await self._start()
        else:
            self._signal(signal.SIGCONT)
        await self.alive_until(asyncio.create_task(self._until_idle(attended)))
        if self._profiling and self._can_restart:
            self.begin_profile()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def _until_idle(self, attended: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(READY_SECONDS_MAX):
            while True:
                before = self.cpu_seconds()
                await asyncio.sleep(LOOK_SECONDS)
                if self.cpu_seconds() - before < IDLE_SHARE_MAX * LOOK_SECONDS and await attended():
                    return

    async def _stop(self) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._stop()
