"""The worker that is measured: `leadsync worker` in a process of its own, and the CPU time that it has used."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.settings import Settings

STOP_SECONDS_MAX = 20.0
LAST_LINES = 12


class BenchFailed(Exception):  # noqa: N818 - it tells of what failed
    """The bench cannot be finished; the message says what ended, and what it said last."""


class Subject:
    """One worker. `profile`: a file for cProfile's statistics of its main thread, from `begin_profile` on."""

    def __init__(self, settings: Settings, policy_file: Path, folder: Path, profile: Path | None = None) -> None:
        module = ["streams"] if profile is None else ["streams.bench.profiled", str(profile)]
        self._command = [
            sys.executable, "-m", *module, "worker", "--bootstrap-servers", settings.bootstrap_servers,
            "--prefix", settings.prefix, "--policy", str(policy_file), "--port", "0", "--log-level", "WARNING",
        ]  # fmt: skip
        self._profile = profile
        self._log = folder / "worker.log"
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[int] | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._ended = asyncio.create_task(self._process.wait())
        return self

    def cpu_seconds(self) -> float:
        """User and system time of the process so far, all its threads."""
        assert self._process is not None
        return cpu_seconds_of(self._process.pid)

    def begin_profile(self) -> None:
        """From now on, where a profile was asked for."""
        if self._profile is not None and self._process is not None:
            self._process.send_signal(signal.SIGUSR1)

    async def alive_until(self, done: asyncio.Task[None]) -> None:
        """Wait for the task. Raises BenchFailed when the worker ends before it."""
        assert self._ended is not None
        try:
            await asyncio.wait({done, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise BenchFailed(f"the worker ended with status {self._ended.result()}; {last_words(self._log)}")
            await done
        finally:
            done.cancel()

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()


def cpu_seconds_of(pid: int) -> float:
    """CPU time of another process, in nanoseconds' steps: the clock that clock_getcpuclockid(3) names. Linux only."""
    if sys.platform != "linux":
        raise BenchFailed("CPU time of another process is read from Linux's clocks; this is no Linux")
    return time.clock_gettime((~pid << 3) | 2)


def last_words(log: Path) -> str:
    """The end of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    return "\n".join(["it said last:", *lines])
